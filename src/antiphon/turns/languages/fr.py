"""French, as turn-taking needs it. An elided word stands without its apostrophe, as ``words_of`` gives it."""

from __future__ import annotations

from antiphon.turns.languages.language import Language

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
)  # fmt: skip
