"""The shape of a language's texts."""

from __future__ import annotations

import re

import msgspec

from antiphon.turns.words import words_of


class Texts(msgspec.Struct, frozen=True):
    """``ask``: the question for each field. ``again``: the same after what was read back was wrong. ``missing``: asks for
    what an answer lacks. ``refused``: why a value is not allowed; ``{allowed[0]}`` is what would be. ``unclear``: asks
    which of ``{values}`` is meant, joined by ``either``. ``read_back``: says ``{value}``, ``right`` asks whether it is.
    ``back``: comes back to what was read, after something else. ``needed``: the field cannot be left out. ``sorry``:
    what was said was not understood. ``go_ahead``: answers a "sure" before the answer itself.

    ``declines``, ``repeats``, ``returns``: patterns over words joined by spaces, of a caller who will not say, who asks to hear it
    again, who wants something changed that they name; ``goes_back``: who wants the question before. ``names``: what callers call
    each field. ``signs``: how characters are read out. ``extension``: said before a phone number's. ``digits``: 0 to 9. ``weekdays`` (Monday first),
    ``months``; ``day``, ``at_time``, ``clock`` put them together.
    """

    ask: dict[str, str]
    again: dict[str, str]
    missing: dict[str, str]
    refused: dict[str, str]
    unclear: str
    either: str
    read_back: str
    right: str
    back: str
    needed: str
    sorry: str
    go_ahead: str
    declines: str
    repeats: str
    returns: str
    goes_back: str
    names: dict[str, tuple[str, ...]]
    signs: dict[str, str]
    extension: str
    digits: tuple[str, ...]
    weekdays: tuple[str, ...]
    months: tuple[str, ...]
    day: str
    at_time: str
    clock: str

    def matches(self, pattern: str, text: str) -> bool:
        """Whether the words of ``text`` fit one of this language's patterns."""
        return re.search(pattern, " ".join(words_of(text))) is not None
