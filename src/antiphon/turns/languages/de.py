"""German, as turn-taking needs it. Words are case-folded: "ß" is "ss"."""

from __future__ import annotations

from antiphon.turns.languages.language import Language

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
)  # fmt: skip
