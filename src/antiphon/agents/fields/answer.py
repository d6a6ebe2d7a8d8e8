"""Answer: what the caller's words are as an answer to a question for a value.

Every reader of a field (``email``, ``phone``, ``date_time``, ``yes_no``, ``choice``) gives one of these. A reader
never guesses: what could mean two things is ``Unclear``, what it does not understand is ``Unread`` and left to a model.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Generic, TypeVar

import msgspec

T = TypeVar("T")


class Found(msgspec.Struct, Generic[T], frozen=True):
    """The words are this value, and it is allowed."""

    value: T


class Partial(msgspec.Struct, frozen=True):
    """The answer has begun. ``missing``: what of it is not there yet (``domain``, ``name``, ``digits``, ``day``,
    ``time``)."""

    missing: str


class Unclear(msgspec.Struct, Generic[T], frozen=True):
    """The words could mean any of these values, which are all allowed."""

    values: tuple[T, ...]


class Refused(msgspec.Struct, frozen=True):
    """Understood, and not allowed. ``reason``: a key of the field's texts; ``allowed``: what would be, for the text;
    ``text``: said instead of the field's own text."""

    reason: str
    allowed: tuple[Any, ...] = ()
    text: str = ""


class Unread(msgspec.Struct, frozen=True):
    """Nothing of the kind in these words."""


UNREAD = Unread()

Answer = Found[T] | Partial | Unclear[T] | Refused | Unread


class Reader(ABC, Generic[T]):
    """Reads one kind of field: what is said, into its value. A field of your own needs ``read`` and no more."""

    @abstractmethod
    def read(self, text: str, tag: str, among: Sequence[T] = ()) -> Answer[T]:
        """What ``text`` says. ``tag``: BCP 47 tag of the language. ``among``: the values that the caller was asked to
        choose between."""

    def join(self, begun: str, missing: str, text: str) -> str:
        """The words of an answer that came in two turns: ``missing`` was asked for, and ``text`` is what came."""
        return f"{begun} {text}"

    def correct(self, value: T, text: str, tag: str) -> Answer[T]:
        """What becomes of ``value`` when the caller, who was read it, says ``text``: "no, with a k"."""
        return self.read(text, tag)

    def accept(self, text: str) -> Answer[T]:
        """The value in its written form, as a model passes it on."""
        return self.read(text, "en")
