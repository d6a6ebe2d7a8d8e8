"""French, as turn-taking needs it. An elided word stands without its apostrophe, as ``words_of`` gives it."""

from __future__ import annotations

from antiphon.turns.languages.language import Language

UNITS = ("zéro", "un", "deux", "trois", "quatre", "cinq", "six", "sept", "huit", "neuf")
TEENS = (
    "dix", "onze", "douze", "treize", "quatorze", "quinze", "seize", "dix sept", "dix huit", "dix neuf",
)  # fmt: skip
TENS = {"vingt": 20, "trente": 30, "quarante": 40, "cinquante": 50}
SCORES = {"soixante": 60, "quatre vingt": 80}


def _numbers() -> dict[str, str]:
    """Below 70 a ten and a unit, from there a score and a number up to 19: "quatre vingt dix neuf" is 99."""
    found = {word: str(n) for n, word in enumerate((*UNITS, *TEENS))}
    for ten, value in TENS.items():
        found[ten] = str(value)
        found[f"{ten} et un"] = str(value + 1)
        found.update({f"{ten} {UNITS[n]}": str(value + n) for n in range(2, 10)})
    for score, value in SCORES.items():
        found[score] = str(value)
        for n, word in enumerate((*UNITS, *TEENS)[1:], 1):
            found[f"{score} {word}"] = str(value + n)
    found.update({"soixante et un": "61", "soixante et onze": "71"})
    return {**found, "quatre vingts": "80", "une": "1", "cent": "00", "mille": "000"}


NUMBERS = _numbers()


FRENCH = Language(
    backchannels=(
        "ah", "ah bon", "ah d'accord", "ah oui", "bien", "bien sûr", "bon", "c'est ça", "certainement", "d'accord",
        "entendu", "euh", "exact", "exactement", "génial", "hm", "hmm", "hum", "je comprends", "je vois", "mhm", "mm",
        "mmm", "oh", "ok", "okay", "ouais", "oui", "oui bien sûr", "oui oui", "parfait", "super", "tout à fait",
        "très bien", "voilà", "vraiment", "ça marche",
    ),
    commands=(
        "allô", "annule", "annulez", "arrête", "arrêtez", "assez", "attends", "attendez", "bonjour", "excuse moi",
        "excusez moi", "moment", "non", "non non", "pardon", "pause", "silence", "stop", "tais toi", "taisez vous",
        "un instant", "un moment", "une minute", "une seconde", "ça suffit", "écoute", "écoutez",
    ),
    unfinished=(
        "alors", "au", "aussi", "aux", "avec", "car", "ce", "ces", "cette", "chez", "comme", "c'est", "d", "dans", "de",
        "des", "donc", "du", "en", "entre", "est", "et", "euh", "heu", "j", "je", "l", "la", "le", "les", "leur", "ma",
        "mais", "mes", "mon", "nos", "notre", "ou", "par", "parce", "pour", "puis", "qu", "quand", "que", "qui", "sa",
        "sans", "ses", "si", "sur", "ta", "tes", "ton", "très", "un", "une", "vers", "vos", "votre", "à",
    ),
    yes=(
        "absolument", "bien sûr", "c'est bien ça", "c'est bon", "c'est correct", "c'est ça", "d'accord", "exact",
        "exactement", "oui", "oui bien sûr", "oui c'est ça", "oui merci", "oui oui", "oui s'il vous plaît", "ouais",
        "tout à fait", "volontiers",
    ),
    no=("c'est faux", "ce n'est pas ça", "non", "non ce n'est pas ça", "non merci", "pas du tout", "pas vraiment"),
    fields=(
        (r"\bépele[rz]?\b", "spelling", 0),
        (r"\be ?mail\b|\badresse électronique\b|\bmail\b|\bcourriel\b", "email", 0),
        (r"\bcode postal\b", "digits", 5),
        (r"\b(téléphone|portable|mobile)\b", "digits", 10),
        (r"\bdate de naissance\b|\bdate d'expiration\b|\bpin\b|\bchiffres?\b", "digits", 0),
        (r"\b(numéro|code)\b", "digits", 0),
    ),
    regions=("fr",),
    confirms=r"\b((c'est|est ce) (bien )?(ça|correct|exact|bon)|correct|exact|n'est ce pas|oui ou non|d'accord|c'est bon)$",
    polar=(
        r"^(est ce que|est ce|avez vous|êtes vous|voulez vous|souhaitez vous|puis je|pouvez vous|pourriez vous|dois je"
        r"|faut il|c'est|vous (avez|êtes|voulez|souhaitez))\b"
    ),
    requests=r"^(est ce que (vous pouvez|vous pourriez|je peux avoir)|pouvez vous|pourriez vous|puis je (avoir|vous demander))\b",
    imperatives=r"^(quel|quelle|quels|quelles)\b|\b(s'il vous plaît|donnez|dites|épelez|indiquez|confirmez|veuillez|il me faut|j'ai besoin)\b",
    leads=("alors", "bien", "bon", "d'accord", "et", "maintenant", "merci", "ok", "parfait", "très"),
    numbers=NUMBERS,
    repeats={"double": 2, "triple": 3},
    at=("arobase", "at"),
    dot=("point",),
)  # fmt: skip
