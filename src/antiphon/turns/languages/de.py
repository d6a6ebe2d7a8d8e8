"""German, as turn-taking needs it. Words are case-folded: "ß" is "ss"."""

from __future__ import annotations

from antiphon.turns.languages.language import Language

UNITS = ("null", "eins", "zwei", "drei", "vier", "fünf", "sechs", "sieben", "acht", "neun")
JOINED = ("", "ein", "zwei", "drei", "vier", "fünf", "sechs", "sieben", "acht", "neun")
TEENS = (
    "zehn", "elf", "zwölf", "dreizehn", "vierzehn", "fünfzehn", "sechzehn", "siebzehn", "achtzehn", "neunzehn",
)  # fmt: skip
TENS = ("zwanzig", "dreissig", "vierzig", "fünfzig", "sechzig", "siebzig", "achtzig", "neunzig")

NUMBERS: dict[str, str] = {
    **{word: str(n) for n, word in enumerate(UNITS)},
    **{word: str(n) for n, word in enumerate(TEENS, 10)},
    **{word: str(n * 10) for n, word in enumerate(TENS, 2)},
    **{f"{JOINED[n]}und{ten}": f"{t}{n}" for t, ten in enumerate(TENS, 2) for n in range(1, 10)},
    "zwo": "2",
    "hundert": "00",
    "tausend": "000",
}


GERMAN = Language(
    backchannels=(
        "ach so", "achso", "ah", "ah ja", "ah okay", "aha", "alles klar", "echt", "genau", "gut", "hm", "hmm",
        "ich verstehe", "in ordnung", "ja", "ja genau", "ja gut", "ja ja", "jaja", "jap", "jawohl", "klar", "mhm", "mm",
        "mm hm", "mmm", "na klar", "natürlich", "oh", "ok", "okay", "okay okay", "passt", "prima", "richtig", "schön",
        "sehr gut", "sicher", "so so", "stimmt", "super", "toll", "verstehe", "wirklich", "äh", "ähm",
    ),
    commands=(
        "abbrechen", "augenblick", "aufhören", "einen augenblick", "einen moment", "eine sekunde", "entschuldigen sie",
        "entschuldigung", "genug", "hallo", "halt", "hör auf", "hören sie", "hören sie auf", "moment", "moment mal",
        "nein", "nein nein", "pause", "ruhe", "schluss", "sekunde", "stop", "stopp", "warte", "warte mal", "warten sie",
    ),
    unfinished=(
        "aber", "als", "am", "beim", "bevor", "bis", "bzw", "damit", "dass", "dein", "deine", "dem", "den", "denn",
        "der", "des", "eine", "einem", "einen", "einer", "eines", "für", "gegen", "ich", "im", "ins", "ist", "mein",
        "meine", "meinem", "meinen", "meiner", "nachdem", "ob", "obwohl", "oder", "ohne", "seit", "sind", "sondern",
        "sowie", "sowohl", "über", "und", "unser", "unsere", "vom", "von", "weil", "wenn", "wir", "zum", "zur",
        "zwischen", "äh", "ähm", "öh",
    ),
    yes=(
        "das ist richtig", "das stimmt", "genau", "gern", "gerne", "in ordnung", "ja", "ja bitte", "ja das stimmt",
        "ja genau", "ja gern", "ja gerne", "ja natürlich", "ja richtig", "jawohl", "klar", "korrekt", "natürlich", "ok",
        "okay", "richtig", "sicher", "stimmt",
    ),
    no=(
        "das ist falsch", "das stimmt nicht", "falsch", "nee", "nein", "nein danke", "nein das stimmt nicht",
        "nicht wirklich", "nö",
    ),
    fields=(
        (r"\bbuchstabier", "spelling", 0),
        (r"\be ?mail", "email", 0),
        (r"\bpostleitzahl\b|\bplz\b", "digits", 5),
        (r"\biban\b|\bpin\b|\bziffern?\b", "digits", 0),
        (r"\bgeburtsdatum\b|\bablaufdatum\b", "digits", 0),
        (r"\bnummer\b|\w+nummer\b", "digits", 0),
    ),
    regions=("de",),
    confirms=r"\b((ist|war|stimmt) das( so)?( richtig| korrekt)?|richtig|korrekt|oder|ja oder nein|nicht wahr|in ordnung)$",
    polar=(
        r"^(ist|sind|war|waren|hat|haben|hatten|bin|wird|werden|würden|soll|sollen|sollte|darf|dürfen|dürfte|kann"
        r"|können|könnten|könnte|möchten|wollen|wollten|wäre|passt|stimmt|brauchen|gibt)\b"
    ),
    requests=r"^(können sie|könnten sie|könnte ich|kann ich|würden sie|darf ich|dürfte ich|geben sie|sagen sie|nennen sie)\b",
    imperatives=r"^(wie|was|welche|welcher|welches)\b|\b(bitte|geben|nennen|sagen|buchstabieren|ich brauche|ich bräuchte|ich benötige)\b",
    leads=("also", "alles", "bitte", "danke", "dann", "gut", "klar", "nun", "ok", "okay", "prima", "so", "super", "und", "vielen"),
    numbers=NUMBERS,
    repeats={"doppel": 2, "zweimal": 2, "dreimal": 3},
    at=("at", "ät", "klammeraffe"),
    dot=("dot", "punkt"),
)  # fmt: skip
