"""Dates and times: what the caller says about when, and whether that is allowed.

English is read here; in another language words are left to the model, which passes ISO 8601 on. Now and the time zone
come in. What lies in the past or outside the range is refused with what is allowed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any, Literal

from antiphon.agents.fields.answer import UNREAD, Answer, Found, Partial, Reader, Refused, Unclear
from antiphon.agents.fields.clock import ClockWords, halves
from antiphon.agents.fields.days import DayWords
from antiphon.agents.fields.time_words import ORDINALS, WEEKDAYS, time_tokens

Mode = Literal["datetime", "date", "time"]
When = Any
"""``datetime`` with a time zone, ``date`` or ``time``, by the mode."""
AWAKE = 7
"""The hour from which a time of twelve hours is taken for the likelier one, where asking for both days and halves would be too long."""
OPEN = re.compile(
    rf"\bbetween\b|\b(?:{'|'.join(ORDINALS)}|last|\d+(?:st|nd|rd|th)) (?:{'|'.join(WEEKDAYS)}) (?:in|of)\b"
)
"""More than one time, or a day that is counted out: "between three and four", "the first monday in december"."""
FROM_TEXT: dict[Mode, Callable[[str], When]] = {
    "datetime": datetime.fromisoformat,
    "date": date.fromisoformat,
    "time": time.fromisoformat,
}


@dataclass(frozen=True)
class DateTimeReader(Reader[When]):
    """``now``: with a time zone. ``earliest``, ``latest``: bounds of what is allowed (dates, or points in time with a
    zone); ``hours``: from when to when on a day. ``check``: says of a value why it is not allowed, ``None`` where it is.
    ``mode``: what is asked for."""

    now: datetime
    mode: Mode = "datetime"
    earliest: date | None = None
    latest: date | None = None
    hours: tuple[time, time] | None = None
    check: Callable[[When], str | None] | None = None

    def read(self, text: str, tag: str, among: Sequence[When] = ()) -> Answer[When]:
        if not tag.lower().startswith("en"):
            return UNREAD
        if OPEN.search(" ".join(time_tokens(text))):
            return UNREAD
        if among:
            chosen = self._chosen(text, tag, among)
            if chosen is not None:
                return Found(chosen)
        days, clock = self._words(text, tag)
        if days.mismatch:
            return Refused("mismatch", days.mismatch)
        if days.days == ():
            return Refused("no_such_day")
        if self.mode == "date":
            return self._judged(list(days.days)) if days.days else Partial("day") if days.week_only else UNREAD
        if self.mode == "time":
            return self._judged(list(clock.times)) if clock.times else Partial("time") if clock.part else UNREAD
        if days.days and clock.times:
            return self._judged([self._at(day, when) for day in days.days for when in clock.times])
        if days.days:
            known = self._judged_days(days.days)
            return known if isinstance(known, Refused) else Partial("time")
        if clock.times or clock.part or days.week_only:
            return Partial("day")
        return UNREAD

    def correct(self, value: When, text: str, tag: str) -> Answer[When]:
        whole = self.read(text, tag)
        if self.mode != "datetime" or isinstance(whole, Found | Unclear) or not tag.lower().startswith("en"):
            return whole
        days, clock = self._words(text, tag)
        if days.mismatch or days.days == () or OPEN.search(" ".join(time_tokens(text))):
            return whole
        if not (days.days or clock.times or clock.part):
            return UNREAD
        times = clock.times or (value.time(),)
        if not clock.times and clock.part:
            times = tuple(time(hour, value.minute) for hour in halves(value.hour % 12 or 12, clock.part))
        judged = self._judged([self._at(day, when) for day in days.days or (value.date(),) for when in times])
        if isinstance(judged, Unclear):  # "no, at five": in the same half of the day
            same = [v for v in judged.values if (v.hour < 12) == (value.hour < 12)]
            return Found(same[0]) if len(same) == 1 else judged
        return judged

    def accept(self, text: str) -> Answer[When]:
        try:
            value: When = FROM_TEXT[self.mode](text.strip())
        except ValueError:
            return self.read(text, "en")
        if self.mode == "datetime":
            value = value.astimezone(self.now.tzinfo) if value.tzinfo else value.replace(tzinfo=self.now.tzinfo)
        return self._judged([value])

    # --- inside --------------------------------------------------------------------------------------------------

    def _words(self, text: str, tag: str) -> tuple[DayWords, ClockWords]:
        where = tag.replace("_", "-").partition("-")[2].upper()
        order = None if not where else where not in ("US", "PH", "CA")
        said = time_tokens(text)
        days = DayWords(said, self.now.date(), day_first=order)
        if self.mode == "time":
            return days, ClockWords(said, bare=True)
        return days, ClockWords(days.rest, bare=days.days is not None or len(days.rest) <= 2)

    def _at(self, day: date, when: time) -> datetime:
        return datetime.combine(day, when, self.now.tzinfo)

    def _judged(self, values: list[When]) -> Answer[When]:
        """Those that are allowed; where none is, why."""
        refusals = {value: self._refusal(value) for value in values}
        allowed = tuple(value for value, refusal in refusals.items() if refusal is None)
        if (
            len(allowed) > 2 and self.mode == "datetime"
        ):  # two days and two halves: at four, people are awake at one of them
            allowed = tuple(value for value in allowed if AWAKE <= value.hour < AWAKE + 12)
        if len(allowed) == 1:
            return Found(allowed[0])
        if allowed:
            return Unclear(allowed)
        return next(r for r in refusals.values() if r is not None) if values else UNREAD

    def _judged_days(self, days: tuple[date, ...]) -> Answer[date]:
        """Whether any time of these days could be allowed."""
        last = [self._at(day, self.hours[1] if self.hours else time(23, 59)) for day in days]
        reasons = [self._outside(value) for value in last]
        return reasons[0] if all(reasons) and isinstance(reasons[0], Refused) else Partial("time")

    def _refusal(self, value: When) -> Refused | None:
        if self.mode != "time" and (outside := self._outside(value)):
            return outside
        if self.mode != "date" and self.hours:
            clock = value if isinstance(value, time) else value.time()
            if not self.hours[0] <= clock <= self.hours[1]:
                return Refused("hours", self.hours)
        text = self.check(value) if self.check else None
        return Refused("check", text=text) if text else None

    def _outside(self, value: When) -> Refused | None:
        earliest = self.earliest if self.earliest is not None else self.now
        if _before(value, earliest):
            past = self.earliest is None or not _before(self.now, earliest)
            return Refused("past") if past and _before(value, self.now) else Refused("too_early", (earliest,))
        if self.latest is not None and _before(self.latest, value):
            return Refused("too_late", (self.latest,))
        return None

    def _chosen(self, text: str, tag: str, among: Sequence[When]) -> When | None:
        """The one of these that the words pick: a half of the day, a day, a time, or a place in the list."""
        days, clock = self._words(text, tag)
        left = list(among)
        if self.mode != "date" and clock.part:
            left = [v for v in left if (v.hour < 12) == (clock.part == "am")]
        if self.mode != "date" and clock.times:
            left = [v for v in left if (v if isinstance(v, time) else v.time()) in clock.times]
        said = time_tokens(text)
        if self.mode != "time" and days.days is not None:
            named = [WEEKDAYS.index(token) for token in said if token in WEEKDAYS]
            left = (
                [v for v in left if _day(v) in days.days]
                or [v for v in left if v.weekday() in named and not days.mismatch]
                or left  # "the second": a place in the list, and no day of the month
            )
        if len(left) == 1 and len(among) > 1:
            return left[0]
        if len(left) < len(among):
            return None
        places = {
            "earlier": 0,
            "sooner": 0,
            "former": 0,
            "later": len(left) - 1,
            "latter": len(left) - 1,
            "last": len(left) - 1,
        }
        places |= {word: n - 1 for word, n in ORDINALS.items() if n <= len(left)}
        picked = {places[token] for token in said if token in places}
        return left[picked.pop()] if len(picked) == 1 else None


def _day(value: When) -> date:
    return value.date() if isinstance(value, datetime) else value


def _before(one: date, other: date) -> bool:
    """Whether ``one`` is earlier; where either is a day, days are compared."""
    if isinstance(one, datetime) and isinstance(other, datetime):
        return one < other
    return _day(one) < _day(other)
