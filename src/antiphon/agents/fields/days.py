"""Days as people say them in English: "next tuesday", "the third of december", "a week from friday", into dates.

Pure: today comes in. What could mean two days gives both: "next friday" said on a Tuesday is this week's for some and
next week's for others.
"""

from __future__ import annotations

import re
from calendar import monthrange
from datetime import date, timedelta

from antiphon.agents.fields.time_words import MONTHS, WEEKDAYS, cardinal, ordinal, year

UNITS = {
    "day": 1,
    "days": 1,
    "week": 7,
    "weeks": 7,
    "fortnight": 14,
    "fortnights": 14,
    "week's": 7,
    "weeks'": 7,
    "day's": 1,
}
DENIES = frozenset({"not", "don't", "can't", "cannot", "won't", "except"})
NEAR = 3
"""Words from a denial to the day that is denied: "I can't do this friday"."""
RELATIVE = {"today": 0, "tonight": 0, "tomorrow": 1, "yesterday": -1}
Days = tuple[date, ...]


class DayWords:
    """Reads the tokens ``said``; ``days``: the dates that are meant, ``None`` where no day is named, empty where what is
    named does not exist; ``rest``: the tokens that are no part of a day."""

    def __init__(self, said: list[str], today: date, *, day_first: bool | None) -> None:
        self.said, self.today, self.day_first = said, today, day_first
        self.days: Days | None = None
        self.mismatch: Days = ()
        self.week_only = False
        rest: list[str] = []
        found: list[Days] = []
        weekdays: list[int] = []
        at = 0
        while at < len(said):
            denied = self._denied(at)
            days, length = self._here(at)
            if denied:
                at += denied
            elif length:
                found.append(days)
                weekdays += [WEEKDAYS.index(w) for w in said[at : at + length] if w in WEEKDAYS]
                if said[at] == "tonight":
                    rest.append("tonight")
                at += length
            else:
                rest.append(said[at])
                at += 1
        self.rest = rest
        if not found:
            self.week_only = _has(said, "next", "week") or _has(said, "this", "week")
            return
        self.days = self._agreed(found, weekdays)

    def _agreed(self, found: list[Days], weekdays: list[int]) -> Days:
        """A weekday and a date say the same day; two other days are two possibilities, the later words a correction."""
        dated = [days for days in found if not _is_weekday_only(days)]
        plain = [tuple(days) for days in found if not _is_weekday_only(days)]
        if dated and len(dated) < len(found):
            fits = tuple(day for day in plain[-1] if day.weekday() in weekdays)
            if not fits:
                self.mismatch = plain[-1]
            return fits
        return tuple(found[-1])

    def _denied(self, at: int) -> int:
        """How many tokens from here say which day it is not to be."""
        if self.said[at] in DENIES:
            for start in range(at + 1, min(at + 1 + NEAR, len(self.said))):
                _, length = self._here(start)
                if length:
                    return start + length - at
        return 0

    def _here(self, at: int) -> tuple[Days, int]:
        """The day that begins at this token, and how many tokens it takes."""
        for read in (self._phrase, self._offset, self._weekday, self._month_day, self._written, self._day_of_month):
            days, length = read(at)
            if length:
                return days, length
        return (), 0

    def _phrase(self, at: int) -> tuple[Days, int]:
        said = self.said
        start = 1 if said[at] == "the" else 0
        if said[at + start : at + start + 3] == ["day", "after", "tomorrow"]:
            return (self.today + timedelta(days=2),), start + 3
        if said[at] == "this" and said[at + 1 : at + 2] in (["morning"], ["afternoon"], ["evening"]):
            return (self.today,), 1  # the half of the day is left for the clock
        if said[at] in RELATIVE:
            day = self.today + timedelta(days=RELATIVE[said[at]])
            if said[at + 1 : at + 2] == ["week"]:  # "tomorrow week"
                return (day + timedelta(days=7),), 2
            return (day,), 1
        return (), 0

    def _offset(self, at: int) -> tuple[Days, int]:
        """ "in two weeks", "three days from now", "a week from friday"."""
        said, start = self.said, at
        inside = said[at] == "in"
        if inside:
            at += 1
        if said[at : at + 1] in (["a"], ["one"], ["an"]):
            number, length = 1, 1
        else:
            number, length = cardinal(said, at)
        if not length or at + length >= len(said):
            return (), 0
        unit = said[at + length]
        after = at + length + 1
        word = said[after : after + 1]
        if unit in ("month", "months") and (inside or word == ["from"]):
            end = after + (2 if word == ["from"] and said[after + 1 : after + 2] in (["now"], ["today"]) else 0)
            return (_months_on(self.today, number),), end - start
        if unit not in UNITS:
            return (), 0
        days = timedelta(days=number * UNITS[unit])
        if word in (["from"], ["on"], ["after"]):
            if said[after + 1 : after + 2] in (["now"], ["today"]):
                return (self.today + days,), after + 2 - start
            base, more = self._here(after + 1) if after + 1 < len(said) else ((), 0)
            if more:
                return tuple(day + days for day in base), after + 1 + more - start
        if inside:
            if said[after : after + 1] == ["time"]:
                after += 1
            return (self.today + days,), after - start
        return (), 0

    def _weekday(self, at: int) -> tuple[Days, int]:
        said, how, start = self.said, "", at
        if said[at : at + 2] in (["next", "week"], ["this", "week"]):
            on = 3 if said[at + 2 : at + 3] == ["on"] else 2
            if at + on < len(said) and said[at + on] in WEEKDAYS:
                monday = self.today - timedelta(days=self.today.weekday() - (7 if said[at] == "next" else 0))
                return (monday + timedelta(days=WEEKDAYS.index(said[at + on])),), on + 1
            return (), 0
        if said[at] in ("next", "this", "coming", "on", "last") and at + 1 < len(said):
            how, at = said[at], at + 1
        if at >= len(said) or said[at] not in WEEKDAYS:
            return (), 0
        index = WEEKDAYS.index(said[at])
        monday = self.today - timedelta(days=self.today.weekday())
        coming = self.today + timedelta(days=(index - self.today.weekday() - 1) % 7 + 1)
        if how == "last":
            return (coming - timedelta(days=7 if coming - timedelta(days=7) < self.today else 14),), at + 1 - start
        if said[at + 1 : at + 3] in (["next", "week"], ["this", "week"]):
            week = 7 if said[at + 1] == "next" else 0
            return (monday + timedelta(days=index + week),), at + 3 - start
        if said[at + 1 : at + 2] == ["week"]:  # British: "tuesday week"
            return (coming + timedelta(days=7),), at + 2 - start
        if how == "next":
            return tuple(sorted({coming, monday + timedelta(days=index + 7)})), at + 1 - start
        if how == "this" and index == self.today.weekday():
            return (self.today, coming), at + 1 - start
        return _Weekday((coming,)), at + 1 - start

    def _month_day(self, at: int) -> tuple[Days, int]:
        said, start = self.said, at
        if said[at] == "the":
            at += 1
        day, length = ordinal(said, at)
        if not length:
            day, length = cardinal(said, at)
        after = at + length
        if length and said[after : after + 1] == ["of"]:
            after += 1
        if length and after < len(said) and said[after] in MONTHS and 0 < day <= 31:
            return self._dated(MONTHS.index(said[after]) + 1, day, after + 1, start)
        if said[at] in MONTHS:
            after = at + (2 if said[at + 1 : at + 2] == ["the"] else 1)
            day, length = ordinal(said, after)
            if not length:
                day, length = cardinal(said, after)
            if length and 0 < day <= 31:
                return self._dated(MONTHS.index(said[at]) + 1, day, after + length, start)
        return (), 0

    def _dated(self, month: int, day: int, after: int, start: int) -> tuple[Days, int]:
        number, length = year(self.said, after)
        if number:
            return _real(number, month, day), after + length - start
        return _next(self.today, month, day), after - start

    def _written(self, at: int) -> tuple[Days, int]:
        token = self.said[at]
        if iso := re.fullmatch(r"(\d{4})-(\d{1,2})-(\d{1,2})", token):
            return _real(int(iso[1]), int(iso[2]), int(iso[3])), 1
        slashed = re.fullmatch(r"(\d{1,2})/(\d{1,2})(?:/(\d{2,4}))?", token)
        if not slashed:
            return (), 0
        first, second = int(slashed[1]), int(slashed[2])
        orders = (
            {(first, second)}
            if self.day_first is False
            else {(second, first)}
            if self.day_first
            else {(first, second), (second, first)}
        )
        days: set[date] = set()
        for month, day in orders:
            if slashed[3]:
                number = int(slashed[3])
                days.update(_real(number + 2000 if number < 100 else number, month, day))
            else:
                days.update(_next(self.today, month, day))
        return tuple(sorted(days)), 1

    def _day_of_month(self, at: int) -> tuple[Days, int]:
        """ "the third": the next one that comes. Not "the first one", which picks from a list."""
        start, the = at, self.said[at] == "the"
        if the:
            at += 1
        number, length = ordinal(self.said, at)
        digits = length and self.said[at][0].isdigit()
        if not length or not (the or digits) or self.said[at + length : at + length + 1] == ["one"]:
            return (), 0
        for months in range(3):
            first = _months_on(self.today.replace(day=1), months)
            found = _real(first.year, first.month, number)
            if found and found[0] >= self.today:
                return found, at + length - start
        return (), at + length - start


class _Weekday(tuple[date, ...]):
    """A weekday alone: a date beside it says which."""


def _is_weekday_only(days: Days) -> bool:
    return isinstance(days, _Weekday) or len(days) > 1


def _has(said: list[str], *words: str) -> bool:
    return any(said[n : n + len(words)] == list(words) for n in range(len(said)))


def _real(number: int, month: int, day: int) -> Days:
    try:
        return (date(number, month, day),)
    except ValueError:
        return ()


def _next(today: date, month: int, day: int) -> Days:
    """The next day of this name; the 29th of February may be years away."""
    found = (one for number in range(today.year, today.year + 9) for one in _real(number, month, day) if one >= today)
    return (next(found),) if 1 <= month <= 12 and 1 <= day <= monthrange(2024, month)[1] else ()


def _months_on(day: date, months: int) -> date:
    index = day.month - 1 + months
    number, month = day.year + index // 12, index % 12 + 1
    return date(number, month, min(day.day, monthrange(number, month)[1]))
