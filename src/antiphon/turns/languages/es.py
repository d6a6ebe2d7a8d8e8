"""Spanish, as turn-taking needs it. Recognisers drop accents now and then: frequent words stand here with and without."""

from __future__ import annotations

from antiphon.turns.languages.language import Language

UNITS = ("cero", "uno", "dos", "tres", "cuatro", "cinco", "seis", "siete", "ocho", "nueve")
TEENS = (
    "diez", "once", "doce", "trece", "catorce", "quince", "dieciséis", "diecisiete", "dieciocho", "diecinueve",
    "veinte", "veintiuno", "veintidós", "veintitrés", "veinticuatro", "veinticinco", "veintiséis", "veintisiete",
    "veintiocho", "veintinueve",
)  # fmt: skip
TENS = ("treinta", "cuarenta", "cincuenta", "sesenta", "setenta", "ochenta", "noventa")

NUMBERS: dict[str, str] = {
    **{word: str(n) for n, word in enumerate(UNITS)},
    **{word: str(n) for n, word in enumerate(TEENS, 10)},
    **{word: str(n * 10) for n, word in enumerate(TENS, 3)},
    **{f"{ten} y {UNITS[n]}": f"{t}{n}" for t, ten in enumerate(TENS, 3) for n in range(1, 10)},
    "cien": "100",
    "mil": "000",
}


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
    yes=(
        "claro", "claro que sí", "correcto", "de acuerdo", "eso es", "está bien", "exacto", "por favor", "por supuesto",
        "si", "si claro", "si por favor", "sí", "sí claro", "sí correcto", "sí eso es", "sí gracias", "sí por favor",
        "vale",
    ),
    no=("no", "no es correcto", "no gracias", "no está bien", "para nada", "que va"),
    fields=(
        (r"\bdeletre", "spelling", 0),
        (r"\bcorreo\b|\be ?mail\b", "email", 0),
        (r"\bcódigo postal\b", "digits", 5),
        (r"\b(teléfono|móvil|celular)\b", "digits", 9),
        (r"\bfecha de (nacimiento|caducidad)\b|\bpin\b|\bdígitos?\b|\bdni\b", "digits", 0),
        (r"\b(número|código)\b", "digits", 0),
    ),
    regions=("es",),
    confirms=r"\b((es|está) (correcto|bien|eso|así)|correcto|verdad|no es así|sí o no|de acuerdo|vale)$",
    polar=(
        r"^(es|está|están|son|era|tiene|tienes|ha|han|quiere|quieres|desea|prefiere|debo|puedo|puede|podría|le|hay"
        r"|necesita|va)\b"
    ),
    requests=r"^(puede|podría|me (puede|podría|da|dice)|le importa|puedo (pedirle|tener))\b",
    imperatives=r"^(cuál|qué)\b|\b(por favor|deme|dígame|dime|deletree|indique|confirme|necesito)\b",
    leads=("ahora", "bien", "bueno", "claro", "entonces", "gracias", "muy", "ok", "perfecto", "vale", "y"),
    numbers=NUMBERS,
    repeats={"doble": 2, "triple": 3},
    at=("arroba",),
    dot=("punto",),
)  # fmt: skip
