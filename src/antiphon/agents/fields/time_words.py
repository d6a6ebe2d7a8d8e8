"""English words of days and times, as tokens: what ``days`` and ``clock`` read. Owns the tables and how text is cut."""

from __future__ import annotations

import re

from antiphon.turns.languages.en import NUMBERS, TEENS, UNITS
from antiphon.turns.words import words_of

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november", "december",
)  # fmt: skip
SHORT = {name[:3]: name for name in (*WEEKDAYS, *MONTHS) if name != "may"} | {
    "tues": "tuesday", "thur": "thursday", "thurs": "thursday", "weds": "wednesday", "sept": "september",
}  # fmt: skip
ORDINALS = {
    word: n
    for n, word in enumerate(
        words_of(
            "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth fifteenth"
            " sixteenth seventeenth eighteenth nineteenth twentieth"
        ),
        1,
    )
} | {"thirtieth": 30}
TOKEN = re.compile(
    r"\d{4}-\d{1,2}-\d{1,2}|\d{1,2}/\d{1,2}(?:/\d{2,4})?|\d{1,2}[:.]\d{2}(?!\d)|\d+(?:st|nd|rd|th)\b|\d+|[a-z]+(?:'[a-z]+)?"
)


def time_tokens(text: str) -> list[str]:
    """Lower-case tokens; "p.m." and its like are ``pm``, short names of days and months are long ones."""
    text = text.casefold().replace("’", "'")
    text = re.sub(r"(?<=\d)([ap])\.?m\b\.?", r" \1m", text)
    text = re.sub(r"\b([ap])\.? ?m\b\.?(?!')", r"\1m", text)
    return [SHORT.get(token, token) for token in TOKEN.findall(text)]


def cardinal(said: list[str], at: int) -> tuple[int, int]:
    """The number below 100 at ``at``, and how many tokens it takes: (0, 0) where there is none."""
    if at < len(said) and said[at].isdecimal() and len(said[at]) <= 2:
        return int(said[at]), 1
    for length in (2, 1):
        spoken = NUMBERS.get(" ".join(said[at : at + length]))
        if spoken is not None and len(spoken) <= 2 and at + length <= len(said) and spoken != "00":
            return int(spoken), length
    return 0, 0


def ordinal(said: list[str], at: int) -> tuple[int, int]:
    """The ordinal up to 31st at ``at``, and how many tokens it takes; (0, 0) where there is none."""
    if at >= len(said):
        return 0, 0
    if re.fullmatch(r"\d+(?:st|nd|rd|th)", said[at]):
        number = int(said[at][:-2])
        return (number, 1) if 0 < number <= 31 else (0, 0)
    if said[at] in ("twenty", "thirty") and at + 1 < len(said) and 0 < ORDINALS.get(said[at + 1], 99) < 10:
        return (20 if said[at] == "twenty" else 30) + ORDINALS[said[at + 1]], 2
    return (ORDINALS[said[at]], 1) if said[at] in ORDINALS else (0, 0)


def year(said: list[str], at: int) -> tuple[int, int]:
    """The year at ``at`` ("2026", "twenty twenty six", "nineteen eighty five", "two thousand and nine")."""
    if at < len(said) and re.fullmatch(r"(?:19|20)\d\d", said[at]):
        return int(said[at]), 1
    if said[at : at + 2] == ["two", "thousand"]:
        skip = 3 if said[at + 2 : at + 3] == ["and"] else 2
        rest, length = cardinal(said, at + skip)
        return 2000 + rest, skip + length if length else 2
    if said[at : at + 1] in (["nineteen"], ["twenty"]):
        rest, length = cardinal(said, at + 1)
        if length and rest >= 10 and " ".join(said[at : at + 2]) not in NUMBERS:
            return (1900 if said[at] == "nineteen" else 2000) + rest, 1 + length
        if said[at + 1 : at + 2] in (["oh"], ["o"]):
            rest, length = cardinal(said, at + 2)
            if length and rest < 10:
                return (1900 if said[at] == "nineteen" else 2000) + rest, 2 + length
    return 0, 0


def spoken_number(number: int) -> str:
    """A number below 100 in words."""
    if number < 20:
        return (*UNITS, *TEENS)[number]
    tens = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")[number // 10 - 2]
    return f"{tens} {UNITS[number % 10]}" if number % 10 else tens


def spoken_ordinal(number: int) -> str:
    """A number up to 31 as an ordinal in words."""
    words = {n: word for word, n in ORDINALS.items()}
    return words[number] if number in words else f"{'twenty' if number < 30 else 'thirty'} {words[number % 10]}"
