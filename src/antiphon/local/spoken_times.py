"""Days and times of day as a small model writes them best: in the caller's own words ("friday", "half past nine").

Small models copy words well and reckon badly, so the model writes the words and this file reckons. It has the grammar of
what may be written and reads it; it knows no clock: what day it is comes in as an argument. English, as the models are.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december",
)  # fmt: skip
HOURS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
MINUTES = {"five": 5, "ten": 10, "quarter": 15, "twenty": 20, "twenty-five": 25, "half": 30}
FAR = 270
"""A day and month without a year is the next such day, unless that is more than so many days off and the last is nearer."""

_NAMES = {
    "weekday": " | ".join(f'"{name}"' for name in WEEKDAYS),
    "month": " | ".join(f'"{name}"' for name in MONTHS),
    "hour": " | ".join(f'"{name}"' for name in HOURS),
}
GRAMMAR: Mapping[str, str] = {
    "iso-day": '[12] [0-9] [0-9] [0-9] "-" [01] [0-9] "-" [0-3] [0-9]',
    "day-words": (
        '"today" | "tomorrow" | "day after tomorrow" | "yesterday" | ("next " | "last ")? weekday | weekday " next week" | "in " [1-9] [0-9]? '
        '(" days" | " weeks" | " months") | [1-3]? [0-9] " " month (" " [12] [0-9] [0-9] [0-9])? | iso-day'
    ),
    "time-words": (
        '("8" | "9" | "0" [89] | "1" [0-9] | "2" [0-3]) ":" [0-5] [0-9] | ([1-9] | "1" [0-2]) (":" [0-5] [0-9])? '
        '(" am" | " pm") | "noon" | "midnight" | '
        '(("half" | "quarter" | "five" | "ten" | "twenty" | "twenty-five") " past " | '
        '("quarter" | "five" | "ten" | "twenty" | "twenty-five") " to ")? hour '
        '(" in the morning" | " in the afternoon" | " in the evening" | " am" | " pm")?'
    ),
    **_NAMES,
    "date": r'"\"" day-words "\""',
    "time": r'"\"" time-words "\""',
    "date-time": r'"\"" day-words " at " time-words "\""',
}
"""Rules of GBNF; the last three are JSON Schema's formats."""

SHOWN = {
    "date": "today|tomorrow|friday|3 march",
    "time": "14:30|half past nine|3 pm",
    "date-time": "tomorrow at 14:30|friday at 3 pm|3 march at half past nine",
}
"""What stands for a value of each format in the form that a model is shown."""


def resolve(kind: str, said: str, today: date) -> str:
    """The value of this format (RFC 3339, without a time zone) that ``said`` means; what cannot be read stays as it is."""
    text = " ".join(said.casefold().split())
    if kind == "date":
        day = day_of(text, today)
        return said if day is None else day.isoformat()
    if kind == "time":
        at = time_of(text)
        return said if at is None else at.isoformat()
    left, _, right = text.partition(" at ")
    day, at = day_of(left, today), time_of(right)
    return said if day is None or at is None else datetime.combine(day, at).isoformat()


def day_of(text: str, today: date) -> date | None:
    """The day that ``text`` means on ``today``; ``None`` where it means none. A weekday is the next one after today;
    "next" one is in the week that begins on the next Monday."""
    fixed = {"today": 0, "tomorrow": 1, "day after tomorrow": 2, "yesterday": -1}
    if text in fixed:
        return today + timedelta(fixed[text])
    if text.endswith(" next week"):
        text = f"next {text.removesuffix(' next week')}"
    which, _, name = text.rpartition(" ")
    if name in WEEKDAYS and which in ("", "next", "last"):
        number = WEEKDAYS.index(name)
        if which == "next":
            return today + timedelta(7 - today.weekday() + number)
        ahead = (number - today.weekday() - 1) % 7 + 1
        return today + timedelta(ahead if not which else -((today.weekday() - number - 1) % 7 + 1))
    if found := re.fullmatch(r"in (\d+) (day|week|month)s?", text):
        count, unit = int(found[1]), found[2]
        return _months_on(today, count) if unit == "month" else today + timedelta(count * (7 if unit == "week" else 1))
    if (found := re.fullmatch(r"(\d{1,2}) (\w+)(?: (\d{4}))?", text)) and found[2] in MONTHS:
        return _named(int(found[1]), MONTHS.index(found[2]) + 1, int(found[3] or 0), today)
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def in_words(text: str, today: date) -> str:
    """The way back, for a prompt: a day or a time of RFC 3339 in the words that the model writes; other text as it is."""
    try:
        if len(text) == 10:
            day = date.fromisoformat(text)
        elif re.fullmatch(r"\d\d:\d\d:00", text):
            return text[:5]
        else:
            return text
    except ValueError:
        return text
    ahead = (day - today).days
    if 0 <= ahead <= 1:
        return ("today", "tomorrow")[ahead]
    return WEEKDAYS[day.weekday()] if 1 < ahead < 8 else f"{day.day} {MONTHS[day.month - 1]} {day.year}"


def _months_on(today: date, count: int) -> date:
    year, month = divmod(today.month - 1 + count, 12)
    for day in range(today.day, today.day - 4, -1):
        if (made := _made(today.year + year, month + 1, day)) is not None:
            return made
    return today


def _named(day: int, month: int, year: int, today: date) -> date | None:
    if year:
        return _made(year, month, day)
    coming = [made for n in range(9) if (made := _made(today.year + n, month, day)) is not None and made >= today]
    past = [made for n in range(9) if (made := _made(today.year - n, month, day)) is not None and made < today]
    if not coming:
        return None
    away = (coming[0] - today).days
    return past[0] if past and away > FAR and (today - past[0]).days < away else coming[0]


def _made(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


def time_of(text: str) -> time | None:
    """The time of day that ``text`` means; ``None`` where it means none. Without "am" or "pm", one to seven o'clock in
    words is after noon, as people mean who call to make an appointment."""
    if text in ("noon", "midnight"):
        return time(12 if text == "noon" else 0)
    half = ""
    for words in (" in the morning", " in the afternoon", " in the evening", " am", " pm"):
        if text.endswith(words):
            text, half = text.removesuffix(words), "am" if words in (" in the morning", " am") else "pm"
    if found := re.fullmatch(r"(\d{1,2})(?::(\d{2}))?", text):
        return _clock(int(found[1]), int(found[2] or 0), half)
    minutes, relation = 0, ""
    if found := re.fullmatch(r"(\S+) (past|to) (\S+)", text):
        minutes, relation, text = MINUTES.get(found[1], 0), found[2], found[3]
    if text not in HOURS:
        return None
    hour = HOURS.index(text) + 1
    at = _clock(hour, 0, half or ("pm" if hour <= 7 or hour == 12 else "am"))
    if at is None:
        return None
    moment = datetime.combine(date.min + timedelta(1), at) + timedelta(
        minutes=-minutes if relation == "to" else minutes
    )
    return moment.time()


def _clock(hour: int, minute: int, half: str) -> time | None:
    if half and 1 <= hour <= 12:
        hour = hour % 12 + (12 if half == "pm" else 0)
    return time(hour, minute) if hour < 24 and minute < 60 else None
