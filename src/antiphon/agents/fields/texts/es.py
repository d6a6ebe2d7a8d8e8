"""What the ready tasks say and listen for in Spanish."""

from __future__ import annotations

from antiphon.agents.fields.texts.texts import Texts

SPANISH = Texts(
    ask={
        "email": "¿Cuál es su correo electrónico?",
        "phone_number": "¿Cuál es su número de teléfono?",
        "datetime": "¿Qué día y a qué hora?",
        "date": "¿Qué día?",
        "time": "¿A qué hora?",
    },
    again={
        "email": "Perdone. ¿Cuál es el correo? Deletréelo, por favor.",
        "phone_number": "Perdone. ¿Cuál es el número de teléfono? Cifra por cifra, por favor.",
        "datetime": "Perdone. ¿Qué día y a qué hora?",
        "date": "Perdone. ¿Qué día?",
        "time": "Perdone. ¿A qué hora?",
        "choice": "Perdone. ¿Cuál prefiere?",
        "": "Perdone. ¿Qué es lo correcto?",
    },
    missing={
        "domain": "¿Y qué hay después de la arroba?",
        "name": "¿Y qué hay antes de la arroba?",
        "digits": "Tengo {begun} de momento. ¿Qué cifras siguen?",
        "day": "¿Qué día?",
        "time": "¿A qué hora?",
    },
    refused={
        "not_an_address": "Eso no parece un correo electrónico. Deletréelo, por favor, con la arroba y los puntos.",
        "no_such_number": "No encuentro un número así. Dígame otra vez el número, cifra por cifra, por favor.",
        "too_long": "Son demasiadas cifras para un teléfono. Dígame otra vez el número, por favor.",
        "no_such_day": "Ese día no existe. ¿Qué día quiere decir?",
        "mismatch": "{allowed[0]} es otro día de la semana. ¿Qué día quiere decir?",
        "past": "Eso ya ha pasado. ¿Qué día prefiere?",
        "too_early": "Lo más pronto es {allowed[0]}. ¿Qué día prefiere?",
        "too_late": "Lo más tarde es {allowed[0]}. ¿Qué día prefiere?",
        "hours": "Tiene que ser entre {allowed[0]} y {allowed[1]}. ¿A qué hora prefiere?",
        "no_such_option": "Puede elegir {options}. ¿Cuál prefiere?",
        "check": "{text} ¿Qué prefiere entonces?",
    },
    unclear="¿Quiere decir {values}?",
    either=" o ",
    read_back="Tengo {value}.",
    right="¿Es correcto?",
    back="Entonces, {value}: ¿es correcto?",
    needed="Lo siento, lo necesito para seguir.",
    sorry="Perdone, no le he entendido.",
    go_ahead="Adelante, por favor.",
    declines=r"\b(prefiero no|no quiero (decir|dar)\w*|no (se )?lo (digo|doy)|no tengo|mejor no|sáltelo|saltar)\b",
    repeats=r"^(cómo|perdón|perdone|qué|otra vez( por favor)?|(puede|podría) repetir(lo)?( por favor)?|repita( por favor)?|no le he (oído|entendido))$",
    returns=r"\b(volver|cambiar|corregir|en realidad|mal|equivocado)\b",
    goes_back=r"\b(volver|vuelva) atrás\b|\bpregunta anterior\b",
    names={"email": ("correo", "email"), "phone_number": ("teléfono", "número"), "datetime": ("fecha", "día", "hora", "cita"), "date": ("fecha", "día"), "time": ("hora",)},
    signs={"@": "arroba", ".": "punto", "_": "guion bajo", "-": "guion", "+": "más", "'": "apóstrofo"},
    extension="extensión",
    digits=("cero", "uno", "dos", "tres", "cuatro", "cinco", "seis", "siete", "ocho", "nueve"),
    weekdays=("lunes", "martes", "miércoles", "jueves", "viernes", "sábado", "domingo"),
    months=(
        "enero", "febrero", "marzo", "abril", "mayo", "junio", "julio", "agosto", "septiembre", "octubre", "noviembre", "diciembre",
    ),
    day="{weekday} {day} de {month}",
    at_time="{day}, {clock}",
    clock="a las {hour} {minute}",
)  # fmt: skip
