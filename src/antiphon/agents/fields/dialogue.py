"""Dialogue: how far the conversation about one field is, and whose move is next. Pure.

Theory. What is known of a field follows from what was said about it, and from nothing else: the dialogue is folded from
the conversation anew whenever somebody asks. A turn that goes on, a reply that is thrown away and a process that
takes over therefore need no undoing. A value is settled by words that can be read surely, or by a model's call; it is
confirmed by a yes to a read-back that the caller has heard to its end.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

import msgspec

from antiphon.agents.fields.answer import Answer, Found, Partial, Reader, Refused, Unclear, Unread
from antiphon.agents.fields.texts.texts import Texts
from antiphon.agents.fields.yes_no import split, whole
from antiphon.turns.words import words_of

T = TypeVar("T")


class ReadBack(msgspec.Struct, frozen=True):
    """Say the value, ask whether it is right."""


class AskAgain(msgspec.Struct, frozen=True):
    """What was read back is wrong: ask for the value."""


class AskFor(msgspec.Struct, frozen=True):
    """Ask for the rest. ``begun``: the words so far."""

    missing: str
    begun: str


class AskWhich(msgspec.Struct, frozen=True):
    """Ask which of these is meant."""

    values: tuple[Any, ...]


class SayWhyNot(msgspec.Struct, frozen=True):
    """The value is not allowed: say why, ask for another."""

    refused: Refused


class Repeat(msgspec.Struct, frozen=True):
    """Ask the question once more."""


class GoAhead(msgspec.Struct, frozen=True):
    """The caller agreed to answer: they are listened to."""


class Insist(msgspec.Struct, frozen=True):
    """The caller will not say, and must."""


class Record(msgspec.Struct, frozen=True):
    """The value is settled without a read-back."""

    value: Any


class Confirm(msgspec.Struct, frozen=True):
    """The caller has agreed to the value."""


class Decline(msgspec.Struct, frozen=True):
    """The field is given up."""

    reason: str


class AskModel(msgspec.Struct, frozen=True):
    """The words are for the model to answer."""


Move = (
    ReadBack
    | AskAgain
    | AskFor
    | AskWhich
    | SayWhyNot
    | Repeat
    | GoAhead
    | Insist
    | Record
    | Confirm
    | Decline
    | AskModel
)

TOO_MANY = "too many attempts"
CHATS = 3
"""Turns, for each attempt, that may go to the model before the field is given up."""


class Rules(msgspec.Struct, Generic[T], frozen=True):
    """What holds for a field. ``confirm``: values are read back. ``attempts``: answers that may come to nothing.
    ``required``: the caller may not decline. ``agrees``: a yes is an answer of its own. ``spoken``: a value as it is read
    back. ``texts``: of the language, ``None`` where there are none."""

    reader: Reader[T]
    tag: str
    confirm: bool
    attempts: int
    required: bool
    agrees: bool
    spoken: Callable[[T], str]
    texts: Texts | None


class Dialogue(Generic[T]):
    """``value``: what was understood, waiting for the caller's yes; ``heard``: whether they have heard it to its end;
    ``answered``: whether they have spoken since. ``begun``: words of an answer that is not whole, ``missing``: what was asked for to complete it. ``move``: what is next."""

    def __init__(self, rules: Rules[T]) -> None:
        self.rules = rules
        self.value: T | None = None
        self.heard = self.answered = False
        self.begun = self.missing = ""
        self.among: tuple[T, ...] = ()
        self.attempts = self.chats = 0
        self.move: Move = AskModel()

    # --- what happens --------------------------------------------------------------------------------------------

    def caller_said(self, text: str) -> None:
        """A turn of the caller's."""
        self.answered = self.heard
        self.move = self._to_value(text) if self.value is not None else self._to_question(text)
        if isinstance(self.move, AskModel):
            self.chats += 1
        if self.attempts > self.rules.attempts or self.chats > CHATS * self.rules.attempts:
            self.move = Decline(TOO_MANY)

    def agent_said(self, text: str, *, interrupted: bool) -> None:
        """Words of the agent's that the caller heard."""
        if self.value is None:
            return
        told = words_of(self.rules.spoken(self.value))
        said = words_of(text)
        self.heard = self.heard or not interrupted or any(said[n : n + len(told)] == told for n in range(len(said)))

    def recorded(self, value: T) -> None:
        """A value that a model made out."""
        self.move = self._understood(value)

    # --- inside --------------------------------------------------------------------------------------------------

    def _propose(self, value: T | None) -> None:
        self.value = value
        self.heard = self.answered = False
        self.begun, self.among = "", ()

    def _says(self, pattern: str, text: str) -> bool:
        texts = self.rules.texts
        return texts is not None and texts.matches(getattr(texts, pattern), text)

    def _to_value(self, text: str) -> Move:
        """An answer to a read-back."""
        assert self.value is not None
        rules, value = self.rules, self.value
        agrees, rest = split(text, rules.tag)
        if agrees and not rest:
            return Confirm() if self.heard else ReadBack()
        if self._says("repeats", text):
            return ReadBack()
        if self._says("declines", text):
            return self._declined()
        if agrees is False and not rest:
            return self._wrong()
        corrected = rules.reader.correct(value, text if agrees is None else rest, rules.tag)
        if corrected == Found(value):
            return self._wrong() if agrees is False else Confirm() if self.heard else ReadBack()
        if isinstance(corrected, Found):
            self.attempts += 1
        elif isinstance(corrected, Unread):
            if whole(text, rules.tag):  # "yes, that is my number"
                return Confirm() if self.heard else ReadBack()
            return AskModel()
        return self._judge(corrected, text)

    def _to_question(self, text: str) -> Move:
        rules = self.rules
        if not rules.agrees and split(text, rules.tag) == (True, "") and not self.among:
            self.chats += 1
            return GoAhead()
        answer = rules.reader.read(text, rules.tag, self.among)
        if self._says("declines", text) and not isinstance(answer, Found):
            return self._declined()
        if self._says("repeats", text):
            self.chats += 1
            return Repeat()
        if self.begun and not isinstance(answer, Found):
            together = rules.reader.join(self.begun, self.missing, text)
            joined = rules.reader.read(together, rules.tag, self.among)
            if isinstance(joined, Found) or not isinstance(answer, Unread):
                return self._judge(joined if not isinstance(joined, Unread) else answer, together)
        return self._judge(answer, text)

    def _judge(self, answer: Answer[T], text: str) -> Move:
        if isinstance(answer, Found):
            return self._understood(answer.value)
        if isinstance(answer, Unread):
            return AskModel()
        self.attempts += 1
        self._propose(None)
        self.begun = text
        self.missing = answer.missing if isinstance(answer, Partial) else ""
        if isinstance(answer, Partial):
            return AskFor(answer.missing, text)
        if isinstance(answer, Unclear):
            self.among = answer.values
            return AskWhich(answer.values)
        return SayWhyNot(answer)

    def _understood(self, value: T) -> Move:
        if not self.rules.confirm:
            return Record(value)
        self._propose(value)
        return ReadBack()

    def _wrong(self) -> Move:
        self.attempts += 1
        self._propose(None)
        return AskAgain()

    def _declined(self) -> Move:
        if not self.rules.required:
            return Decline("the caller would rather not say")
        self.attempts += 1
        return Insist()
