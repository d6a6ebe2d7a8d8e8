"""What the ready tasks say and listen for in German."""

from __future__ import annotations

from antiphon.agents.fields.texts.texts import Texts

GERMAN = Texts(
    ask={
        "email": "Wie ist Ihre E-Mail-Adresse?",
        "phone_number": "Wie ist Ihre Telefonnummer?",
        "datetime": "An welchem Tag und um wie viel Uhr?",
        "date": "An welchem Tag?",
        "time": "Um wie viel Uhr?",
    },
    again={
        "email": "Entschuldigung. Wie ist die E-Mail-Adresse? Bitte buchstabieren Sie.",
        "phone_number": "Entschuldigung. Wie ist die Telefonnummer? Bitte Ziffer für Ziffer.",
        "datetime": "Entschuldigung. An welchem Tag und um wie viel Uhr?",
        "date": "Entschuldigung. An welchem Tag?",
        "time": "Entschuldigung. Um wie viel Uhr?",
        "choice": "Entschuldigung. Was möchten Sie?",
        "": "Entschuldigung. Was ist richtig?",
    },
    missing={
        "domain": "Und was kommt nach dem At-Zeichen?",
        "name": "Und was steht vor dem At-Zeichen?",
        "digits": "Ich habe bis jetzt {begun}. Welche Ziffern kommen noch?",
        "day": "An welchem Tag?",
        "time": "Um wie viel Uhr?",
    },
    refused={
        "not_an_address": "Das sieht nicht nach einer E-Mail-Adresse aus. Bitte buchstabieren Sie mit At-Zeichen und Punkten.",
        "no_such_number": "So eine Telefonnummer finde ich nicht. Nennen Sie mir die Nummer bitte noch einmal, Ziffer für Ziffer.",
        "too_long": "Das sind zu viele Ziffern für eine Telefonnummer. Nennen Sie mir die Nummer bitte noch einmal.",
        "no_such_day": "Den Tag gibt es nicht. Welchen Tag meinen Sie?",
        "mismatch": "{allowed[0]} ist ein anderer Wochentag. Welchen Tag meinen Sie?",
        "past": "Das ist schon vorbei. An welchem Tag möchten Sie?",
        "too_early": "Es geht frühestens {allowed[0]}. An welchem Tag möchten Sie?",
        "too_late": "Es geht spätestens {allowed[0]}. An welchem Tag möchten Sie?",
        "hours": "Es muss zwischen {allowed[0]} und {allowed[1]} sein. Um wie viel Uhr möchten Sie?",
        "no_such_option": "Zur Wahl stehen {options}. Was möchten Sie?",
        "check": "{text} Was möchten Sie stattdessen?",
    },
    unclear="Meinen Sie {values}?",
    either=" oder ",
    read_back="Ich habe {value}.",
    right="Ist das richtig?",
    back="Also {value}: ist das richtig?",
    needed="Ohne das komme ich leider nicht weiter.",
    sorry="Entschuldigung, das habe ich nicht verstanden.",
    go_ahead="Bitte, ich höre.",
    declines=(
        r"\b(lieber nicht|nicht sagen|nicht geben|nicht angeben|nicht verraten|möchte ich nicht|will ich nicht|habe (ich )?kein\w*"
        r"|überspringen|geht sie nichts an)\b"
    ),
    repeats=r"^(wie bitte|bitte|was|noch einmal( bitte)?|nochmal( bitte)?|können sie das (bitte )?wiederholen|das habe ich nicht verstanden)$",
    returns=r"\b(zurück|ändern|korrigieren|falsch|eigentlich|doch)\b",
    goes_back=r"\b(gehen sie|geh|noch einmal) zurück\b|\bvorherige frage\b",
    names={"email": ("e mail", "mail", "mailadresse"), "phone_number": ("telefonnummer", "telefon", "nummer"), "datetime": ("termin", "tag", "uhrzeit", "datum"), "date": ("tag", "datum"), "time": ("uhrzeit", "zeit")},
    signs={"@": "ät", ".": "Punkt", "_": "Unterstrich", "-": "Bindestrich", "+": "plus", "'": "Apostroph"},
    extension="Durchwahl",
    digits=("null", "eins", "zwei", "drei", "vier", "fünf", "sechs", "sieben", "acht", "neun"),
    weekdays=("Montag", "Dienstag", "Mittwoch", "Donnerstag", "Freitag", "Samstag", "Sonntag"),
    months=(
        "Januar", "Februar", "März", "April", "Mai", "Juni", "Juli", "August", "September", "Oktober", "November", "Dezember",
    ),
    day="{weekday}, {day}. {month}",
    at_time="{day}, {clock}",
    clock="{hour} Uhr {minute}",
)  # fmt: skip
