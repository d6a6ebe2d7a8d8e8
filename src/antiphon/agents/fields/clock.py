"""Times of day as people say them in English: "half past four", "nine oh five", "quarter to five in the afternoon".

A time without its half of the day gives both ("four" is 4:00 and 16:00): which one is meant is decided by whoever knows
the opening hours, or asks.
"""

from __future__ import annotations

import re
from datetime import time

from antiphon.agents.fields.time_words import cardinal
from antiphon.turns.words import words_of

PARTS = {
    "am": "am", "morning": "am", "afternoon": "pm", "evening": "pm", "night": "night", "tonight": "pm", "pm": "pm",
}  # fmt: skip
NAMED = {"noon": time(12), "midday": time(12), "midnight": time(0)}
BEFORE = frozenset(words_of("at around about by say make for not no it's its"))
"""Words before a bare number that is a time."""


class ClockWords:
    """Reads the tokens ``said``. ``times``: the times meant, ``None`` where none is said; ``part``: the half of the day
    that is named (``am``, ``pm``, ``night``), empty where none is. ``bare``: a number alone is a time."""

    def __init__(self, said: list[str], *, bare: bool) -> None:
        self.said, self.bare = said, bare
        self.part = next((PARTS[token] for token in reversed(said) if token in PARTS), "")
        self.times: tuple[time, ...] | None = None
        at = 0
        while at < len(said):
            denied = said[at] == "not" and next((n + m for n in (1, 2) if (m := self._length(at + n))), 0)
            times, length = self._here(at)
            if denied:
                length = denied
            elif length:
                self.times = times
            at += length or 1

    def _length(self, at: int) -> int:
        return self._here(at)[1] if at < len(self.said) else 0

    def _here(self, at: int) -> tuple[tuple[time, ...], int]:
        said = self.said
        if said[at] in NAMED:
            return (NAMED[said[at]],), 1
        if written := re.fullmatch(r"(\d{1,2})[:.](\d{2})", said[at]):
            return self._both(int(written[1]), int(written[2])), 1
        for read in (self._past_or_to, self._plain):
            times, length = read(at)
            if length:
                return times, length
        return (), 0

    def _past_or_to(self, at: int) -> tuple[tuple[time, ...], int]:
        said, start = self.said, at
        at += said[at] == "a"
        if said[at : at + 1] == ["half"]:
            minutes, length = 30, 1
        elif said[at : at + 1] == ["quarter"]:
            minutes, length = 15, 1
        else:
            minutes, length = cardinal(said, at)
            length += bool(length) and said[at + length : at + length + 1] in (["minutes"], ["minute"])
        if not length:
            return (), 0
        at += length
        word = said[at] if at < len(said) else ""
        if word in NAMED or word not in ("past", "after", "to", "of", "till", "before"):
            hour, more = cardinal(said, at)
            if said[at - 1] == "half" and more and 0 < hour <= 12:  # British: "half four" is 4:30
                return self._both(hour, 30), at + more - start
            return (), 0
        later = word in ("past", "after")
        at += 1
        if at < len(said) and said[at] in NAMED:
            hour, more = NAMED[said[at]].hour, 1
            total = (hour * 60 + (minutes if later else -minutes)) % 1440
            return (time(total // 60, total % 60),), at + more - start
        hour, more = cardinal(said, at)
        if not more or not 0 < hour <= 24:
            return (), 0
        if later:
            return self._both(hour, minutes), at + more - start
        return self._both(hour - 1 or 12, 60 - minutes), at + more - start

    def _plain(self, at: int) -> tuple[tuple[time, ...], int]:
        """ "four thirty", "nine oh five", "four o'clock", "4 pm", "sixteen hundred", or "at four"."""
        said = self.said
        hour, length = cardinal(said, at)
        if length == 2 and hour >= 20 and said[at] == "twenty" and hour > 24:
            return (), 0
        if not length or hour > 24:
            return (), 0
        after = at + length
        word = said[after] if after < len(said) else ""
        if word in ("o'clock", "oclock") or (word == "o" and said[after + 1 : after + 2] == ["clock"]):
            return self._both(hour, 0), length + (2 if word == "o" else 1)
        if word == "hundred":
            return self._fixed(hour, 0), length + 1
        if word in ("oh", "o"):
            minutes, more = cardinal(said, after + 1)
            if more and minutes < 10:
                return self._both(hour, minutes), length + 1 + more
        minutes, more = cardinal(said, after)
        if more and 10 <= minutes < 60:
            return self._both(hour, minutes), length + more
        marked = (
            word in ("am", "pm") or said[after : after + 2] in (["in", "the"], ["at", "night"]) or word == "tonight"
        )
        led = at > 0 and (said[at - 1] in BEFORE or said[at - 1] in PARTS)
        if marked or led or (self.bare and len(said) <= 4) or (self.part and len(said) <= 5):
            return self._both(hour, 0), length
        return (), 0

    def _both(self, hour: int, minutes: int) -> tuple[time, ...]:
        """The time, or both where the half of the day is not said."""
        if hour in (0, 24) or hour > 12:
            return self._fixed(hour % 24, minutes)
        return tuple(time(h, minutes) for h in halves(hour, self.part))

    def _fixed(self, hour: int, minutes: int) -> tuple[time, ...]:
        return (time(hour % 24, minutes),) if minutes < 60 and hour <= 24 else ()


def halves(hour: int, part: str) -> tuple[int, ...]:
    """The hours of 24 that ``hour`` (1 to 12) may be in this part of the day; "twelve" alone is noon."""
    early, late = hour % 12, hour % 12 + 12
    if part == "am":
        return (early,)
    if part == "night":
        return (late,) if 5 <= hour < 12 else (early,)
    if part == "pm" or hour == 12:
        return (late,)
    return (early, late)
