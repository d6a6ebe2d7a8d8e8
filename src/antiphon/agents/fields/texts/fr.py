"""What the ready tasks say and listen for in French."""

from __future__ import annotations

from antiphon.agents.fields.texts.texts import Texts

FRENCH = Texts(
    ask={
        "email": "Quelle est votre adresse e-mail ?",
        "phone_number": "Quel est votre numéro de téléphone ?",
        "datetime": "Quel jour et à quelle heure ?",
        "date": "Quel jour ?",
        "time": "À quelle heure ?",
    },
    again={
        "email": "Excusez-moi. Quelle est l'adresse e-mail ? Épelez-la, s'il vous plaît.",
        "phone_number": "Excusez-moi. Quel est le numéro de téléphone ? Chiffre par chiffre, s'il vous plaît.",
        "datetime": "Excusez-moi. Quel jour et à quelle heure ?",
        "date": "Excusez-moi. Quel jour ?",
        "time": "Excusez-moi. À quelle heure ?",
        "choice": "Excusez-moi. Que choisissez-vous ?",
        "": "Excusez-moi. Qu'est-ce qui est juste ?",
    },
    missing={
        "domain": "Et qu'y a-t-il après l'arobase ?",
        "name": "Et qu'y a-t-il avant l'arobase ?",
        "digits": "J'ai {begun} pour l'instant. Quels chiffres suivent ?",
        "day": "Quel jour ?",
        "time": "À quelle heure ?",
    },
    refused={
        "not_an_address": "Cela ne ressemble pas à une adresse e-mail. Épelez-la, s'il vous plaît, avec l'arobase et les points.",
        "no_such_number": "Je ne trouve pas de numéro comme cela. Redonnez-moi le numéro, chiffre par chiffre, s'il vous plaît.",
        "too_long": "Cela fait trop de chiffres pour un téléphone. Redonnez-moi le numéro, s'il vous plaît.",
        "no_such_day": "Ce jour n'existe pas. Quel jour voulez-vous dire ?",
        "mismatch": "{allowed[0]} est un autre jour de la semaine. Quel jour voulez-vous dire ?",
        "past": "C'est déjà passé. Quel jour préférez-vous ?",
        "too_early": "Au plus tôt {allowed[0]}. Quel jour préférez-vous ?",
        "too_late": "Au plus tard {allowed[0]}. Quel jour préférez-vous ?",
        "hours": "Il faut que ce soit entre {allowed[0]} et {allowed[1]}. À quelle heure préférez-vous ?",
        "no_such_option": "Vous avez le choix entre {options}. Que choisissez-vous ?",
        "check": "{text} Que préférez-vous ?",
    },
    unclear="Voulez-vous dire {values} ?",
    either=" ou ",
    read_back="J'ai {value}.",
    right="C'est bien ça ?",
    back="Alors, {value} : c'est bien ça ?",
    needed="Désolé, j'en ai besoin pour continuer.",
    sorry="Excusez-moi, je n'ai pas compris.",
    go_ahead="Je vous écoute.",
    declines=r"\b(préfère (ne )?pas|je (ne )?veux pas (le )?(dire|donner)|je n'ai pas d|pas envie|passez|sautez|plutôt pas)\b",
    repeats=r"^(comment|pardon|quoi|encore une fois( s'il vous plaît)?|(pouvez|pourriez) vous répéter( s'il vous plaît)?|répétez( s'il vous plaît)?|je n'ai pas (compris|entendu))$",
    returns=r"\b(revenir|retour|changer|corriger|en fait|faux|fausse|erreur)\b",
    goes_back=r"\b(revenir|revenez|retour) en arrière\b|\bquestion précédente\b",
    names={"email": ("e mail", "mail", "adresse", "courriel"), "phone_number": ("téléphone", "numéro"), "datetime": ("date", "jour", "heure", "rendez vous"), "date": ("date", "jour"), "time": ("heure",)},
    signs={"@": "arobase", ".": "point", "_": "tiret bas", "-": "tiret", "+": "plus", "'": "apostrophe"},
    extension="poste",
    digits=("zéro", "un", "deux", "trois", "quatre", "cinq", "six", "sept", "huit", "neuf"),
    weekdays=("lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche"),
    months=(
        "janvier", "février", "mars", "avril", "mai", "juin", "juillet", "août", "septembre", "octobre", "novembre", "décembre",
    ),
    day="{weekday} {day} {month}",
    at_time="{day}, {clock}",
    clock="à {hour} heures {minute}",
)  # fmt: skip
