"""Spanish, as turn-taking needs it. Recognisers drop accents now and then: frequent words stand here with and without."""

from __future__ import annotations

from antiphon.turns.languages.language import Language

SPANISH = Language(
    backchannels=(
        "ah", "aja", "ajá", "bien", "bueno", "claro", "claro que si", "claro que sí", "correcto", "dale", "de acuerdo",
        "eh", "en serio", "entiendo", "eso es", "exacto", "genial", "hm", "hmm", "mhm", "mm", "mmm", "muy bien", "oh",
        "ok", "okay", "perfecto", "por supuesto", "si", "si si", "sí", "sí claro", "sí sí", "vale", "vale vale", "ya",
        "ya veo", "ya ya",
    ),
    commands=(
        "alto", "basta", "cancela", "cancelar", "cancele", "disculpa", "disculpe", "escucha", "escuche", "espera",
        "espere", "hola", "momento", "no", "no no", "oiga", "oye", "para ya", "pare", "pausa", "perdona", "perdone",
        "perdón", "silencio", "stop", "un momento", "un segundo",
    ),
    unfinished=(
        "a", "al", "aunque", "con", "cuando", "de", "del", "desde", "e", "eh", "el", "em", "en", "entre", "es", "hasta",
        "la", "las", "los", "mi", "mientras", "mis", "muy", "nuestra", "nuestro", "o", "para", "pero", "por", "porque",
        "pues", "que", "si", "sin", "sobre", "su", "sus", "tu", "u", "un", "una", "unas", "unos", "y", "yo",
    ),
)  # fmt: skip
