"""What the ready tasks say and listen for in English."""

from __future__ import annotations

from antiphon.agents.fields.texts.texts import Texts

ENGLISH = Texts(
    ask={
        "email": "What is your e-mail address?",
        "phone_number": "What is your phone number?",
        "datetime": "What day and time would you like?",
        "date": "What day would you like?",
        "time": "What time would you like?",
    },
    again={
        "email": "Sorry about that. What is the e-mail address? Please spell it.",
        "phone_number": "Sorry about that. What is the phone number? Digit by digit, please.",
        "datetime": "Sorry about that. What day and time would you like?",
        "date": "Sorry about that. What day would you like?",
        "time": "Sorry about that. What time would you like?",
        "choice": "Sorry about that. Which one would you like?",
        "": "Sorry about that. What is right?",
    },
    missing={
        "domain": "And what comes after the at sign?",
        "name": "And what comes before the at sign?",
        "digits": "I have {begun} so far. Which digits come next?",
        "day": "On what day?",
        "time": "At what time?",
    },
    refused={
        "not_an_address": "That does not look like an e-mail address. Please spell it for me, with the at sign and the dots.",
        "no_such_number": "I cannot find a phone number like that. Could you tell me the number again, digit by digit?",
        "too_long": "That has too many digits for a phone number. Could you tell me the number again?",
        "no_such_day": "There is no such day. What day do you mean?",
        "mismatch": "{allowed[0]} does not fall on that day of the week. What day do you mean?",
        "past": "That has already passed. What day would you like?",
        "too_early": "The earliest is {allowed[0]}. What day would you like?",
        "too_late": "The latest is {allowed[0]}. What day would you like?",
        "hours": "It has to be between {allowed[0]} and {allowed[1]}. What time would you like?",
        "no_such_option": "You can choose {options}. Which one would you like?",
        "check": "{text} What would you like instead?",
    },
    unclear="Do you mean {values}?",
    either=", or ",
    read_back="That's {value}.",
    right="Is that right?",
    back="So, {value}: is that right?",
    needed="I'm afraid I need it to go on.",
    sorry="Sorry, I didn't get that.",
    go_ahead="Go ahead, please.",
    declines=(
        r"\b((rather not|prefer not to)(?= (say|tell|give|share|answer|do|provide|disclose|leave|if|right|at|now|thanks?|please|sorry)\b|$)"
        r"|don't want to (say|tell|give|share)|don't wish to|won't (say|tell|give)"
        r"|not going to (say|tell|give|share)|don't have (one|an e ?mail|e ?mail|a phone|a number)|haven't got (one|an|a)"
        r"|not comfortable|none of your business|skip (it|this|that)|can we skip|without (it|that) please|no e ?mail|pass on that)\b"
        r"|^(skip|pass|i decline|i'd rather not)$"
    ),
    repeats=(
        r"^(sorry |um |uh )*(what|what was that|pardon|pardon me|sorry|excuse me|come again|say again|say that again"
        r"|(could|can|would) you (please )?(say|repeat|read) (that|it|the question)( back)?( again| once more| to me)*( please)?"
        r"|repeat( that| it)?( please)?|again please|one more time( please)?|i didn't (hear|catch|get) (that|you)|what did you say)$"
    ),
    returns=r"\b(go back|change|correct|actually|wrong|was wrong|mistake|fix)\b",
    goes_back=r"\b(go|take me|step) back\b|\bprevious (one|question)\b",
    names={"email": ("e mail", "email", "mail"), "phone_number": ("phone", "phone number", "telephone", "number"), "datetime": ("date", "day", "time", "appointment"), "date": ("date", "day"), "time": ("time",)},
    signs={"@": "at", ".": "dot", "_": "underscore", "-": "dash", "+": "plus", "'": "apostrophe"},
    extension="extension",
    digits=("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"),
    weekdays=("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
    months=(
        "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
        "December",
    ),
    day="{weekday}, {month} {ordinal}",
    at_time="{day}, at {clock}",
    clock="",
)  # fmt: skip
