"""Values as the agent reads them back: an address spelt where it could be heard wrongly, a number in groups, a day with its weekday."""

from __future__ import annotations

import re
from datetime import date, datetime, time

from antiphon.agents.fields.texts.texts import Texts
from antiphon.agents.fields.time_words import spoken_number, spoken_ordinal

PLAIN = frozenset(
    {
        "admin",
        "booking",
        "bookings",
        "contact",
        "hello",
        "help",
        "hotel",
        "info",
        "mail",
        "office",
        "sales",
        "service",
        "shop",
        "support",
        "team",
    }
)
"""Words in addresses that nobody writes in two ways: they are said, everything else is spelt."""
DOMAINS = frozenset(
    {
        "aol",
        "gmail",
        "gmx",
        "googlemail",
        "hotmail",
        "icloud",
        "outlook",
        "proton",
        "protonmail",
        "web",
        "yahoo",
        "example",
        "orange",
    }
)
LETTERS = re.compile(r"[^\W\d_]+|\d+|.")


def spoken_email(address: str, texts: Texts) -> str:
    """The address as it is read out: "J, O, H, N, dot, S, M, I, T, H, at gmail dot com"."""
    local, _, domain = address.partition("@")
    name = ", ".join(_read_out(part, texts, PLAIN) for part in LETTERS.findall(local))
    labels = domain.split(".")
    said = [_read_out(label, texts, DOMAINS if n == len(labels) - 2 else PLAIN) for n, label in enumerate(labels[:-1])]
    end = labels[-1] if len(labels[-1]) > 2 else ", ".join(labels[-1].upper())
    dotted = f" {texts.signs['.']} ".join([*said, end])
    return f"{name}, {texts.signs['@']} {dotted}"


def _read_out(part: str, texts: Texts, plain: frozenset[str]) -> str:
    if part in texts.signs:
        return texts.signs[part]
    if part in plain:
        return part
    if part.isdecimal():
        return ", ".join(texts.digits[int(digit)] for digit in part)
    return ", ".join(texts.signs.get(c) or (texts.digits[int(c)] if c.isdecimal() else c.upper()) for c in part)


def spoken_digits(groups: list[str], texts: Texts) -> str:
    """Digits one by one, a pause between the groups: "four one five, five five five, two six seven one"."""
    return ", ".join(
        " ".join(texts.signs["+"] if c == "+" else texts.digits[int(c)] for c in group) for group in groups
    )


def spoken_when(value: date | time, texts: Texts, today: date) -> str:
    """A day with its weekday, and with its year where it is far; a time with its half of the day."""
    if isinstance(value, time):
        return spoken_clock(value, texts)
    if isinstance(value, datetime):
        day = spoken_when(value.date(), texts, today)
        return texts.at_time.format(day=day, clock=spoken_clock(value.time(), texts))
    said = texts.day.format(
        weekday=texts.weekdays[value.weekday()],
        month=texts.months[value.month - 1],
        day=value.day,
        ordinal=spoken_ordinal(value.day),
    )
    return f"{said}, {value.year}" if abs((value - today).days) > 300 else said


def spoken_clock(value: time, texts: Texts) -> str:
    """A time of day in words: "four thirty in the afternoon"."""
    if texts.clock:
        return " ".join(texts.clock.format(hour=value.hour, minute=value.minute or "").split())
    if value.minute == 0 and value.hour in (0, 12):
        return "noon" if value.hour else "midnight"
    hour = spoken_number(value.hour % 12 or 12)
    minute = "" if value.minute == 0 else spoken_number(value.minute)
    if 0 < value.minute < 10:
        minute = f"oh {minute}"
    half = "in the morning" if value.hour < 12 else "in the afternoon" if value.hour < 18 else "in the evening"
    return " ".join(f"{hour} {minute} {half}".split())
