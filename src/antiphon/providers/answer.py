"""What all stream decoders of language models share: when an answer is whole, what of it counts, and its end.

Owns: tool calls in pieces, one report of usage, the rules for answers that break off. Never: a service's format.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from antiphon.chat.context import new_id
from antiphon.errors import ContextLengthError, ModelError, RefusedError
from antiphon.models.codec import NO_CREDIT, ServiceFault
from antiphon.models.llm import ChatChunk, FinishReason, ToolCallDelta, Usage
from antiphon.providers.json_fields import UNREADABLE

MAX_ARGUMENTS = 1024 * 1024
"""Characters of one tool call's arguments."""
WITHHELD: frozenset[FinishReason] = frozenset({"content_filter", "refusal"})
"""Ends after which no tool call of the answer is made: what it would have said or done is not known."""


class PartialCall:
    """A tool call while its pieces arrive. ``key``: how the service tells the pieces of one call from another's."""

    def __init__(self, key: object, id: str = "", name: str = "") -> None:
        self.key = key
        self.id = id
        self.name = name
        self.arguments = ""
        self.extra: dict[str, Any] = {}

    def add(self, arguments: str) -> None:
        """Raises ``ModelError`` for arguments that do not end."""
        self.arguments += arguments
        if len(self.arguments) > MAX_ARGUMENTS:
            raise ModelError(f"The arguments of the tool call {self.name!r} do not end.", retryable=False)

    @property
    def whole(self) -> bool:
        """The arguments are a whole JSON value: a proper beginning of an object never is one."""
        try:
            msgspec.json.decode(self.arguments)
        except UNREADABLE:
            return False
        return True


class AnswerDecoder:
    """Base of the decoders. A subclass reads events, calls ``say`` and ``complete``, and sets ``usage``. ``names``: tools
    whose names the service could not take, by the names it was given."""

    def __init__(self, names: Mapping[str, str] | None = None, make_id: Callable[[str], str] = new_id) -> None:
        self.finished = False
        self.done = False
        self.progress = 0
        self.calls: list[PartialCall] = []
        self.usage: Usage | None = None
        self.reason: FinishReason | None = None
        self.refused_for = ""
        self._names = names or {}
        self._make_id = make_id
        self._given = False

    def say(self, text: str) -> list[ChatChunk]:
        """Text for the caller."""
        if not text:
            return []
        self._given = self._given or not text.isspace()
        return [ChatChunk(text=text)]

    def complete(self, reason: FinishReason) -> list[ChatChunk]:
        """The answer is whole: its tool calls. Where it broke off, a call that broke off with it is not one."""
        self.finished = True
        self.reason = self.reason or reason
        calls, self.calls = self.calls, []
        if self.reason in WITHHELD:
            return []
        if self.reason == "length":
            calls = [call for call in calls if call.whole]
        made = tuple(
            ToolCallDelta(
                call_id=call.id or self._make_id("call"),
                name=self._names.get(call.name, call.name),
                arguments=call.arguments or "{}",
                extra=call.extra,
            )
            for call in calls
        )
        if not made:
            return []
        self._given = True
        return [ChatChunk(tool_calls=made)]

    def end(self) -> list[ChatChunk]:
        """See ``ChatDecoder.end``."""
        if not self.finished:
            raise ModelError("The connection ended in the middle of the model's answer.")
        if not self._given and self.reason in WITHHELD:
            why = f" ({self.refused_for})" if self.refused_for else ""
            raise RefusedError(f"The model refused to answer{why}.", category=self.refused_for)
        if not self._given and self.reason == "length":
            raise ModelError(
                "The model used up its output before it said anything.",
                hint="Allow it more tokens, or less reasoning.",
                retryable=False,
            )
        return [ChatChunk(usage=self.usage, finish=self.reason)]


def parse(data: str) -> Any:
    """One event's JSON. Raises ``ModelError`` for anything else."""
    try:
        return msgspec.json.decode(data)
    except UNREADABLE:
        raise ModelError(f"The model's stream cannot be read: {data[:80]!r}.") from None


def fault_error(fault: ServiceFault, *, begun: bool = True) -> ModelError:
    """The error for a fault that the service reported within its stream. ``begun``: a part of the answer had come."""
    said = fault.message or fault.code or "it gave no reason"
    if fault.kind == "context_length":
        return ContextLengthError(f"The conversation is too long for the model: {said}")
    if fault.kind == "refused":
        return RefusedError(f"The model refused to answer: {said}", category=fault.code)
    what = (
        f"The service answered with {fault.status}"
        if fault.status and not begun
        else "The model failed amid its answer"
    )
    return ModelError(
        f"{what}: {said.rstrip('.')}.",
        hint=NO_CREDIT if fault.kind == "no_credit" else "",
        retryable=not fault.final,
        status=fault.status or None,
        retry_after=fault.retry_after,
        code=fault.code,
    )


def text_in(value: object) -> str:
    """``value`` where it is text, else nothing."""
    return value if isinstance(value, str) else ""


def count_in(value: object) -> int:
    """``value`` where it is a sensible count, else 0."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


def object_in(value: object) -> dict[str, Any]:
    """``value`` where it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def list_in(value: object) -> list[Any]:
    """``value`` where it is a list, else an empty one."""
    return value if isinstance(value, list) else []
