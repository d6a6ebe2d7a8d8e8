"""A conversation in the order that every vendor demands: words, and steps of calls with their outputs behind them.

Owns: pairing, grouping, what is left out. Never: how a vendor writes it.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable
from typing import Any

import msgspec

from antiphon.chat.context import ChatContext
from antiphon.chat.items import ChatMessage, ConversationSummary, FunctionCall, FunctionCallOutput
from antiphon.chat.media import Content, Media, in_words
from antiphon.providers.formats.names import fit, fit_id

OPENING = "(The call begins.)"
"""Stands for the user where a vendor demands that the user begins."""
GO_ON = "(It is your turn to speak.)"
"""Stands for the user where a vendor demands that the user has the last word."""

_MARK = re.compile(r"<\s*(/?)\s*instructions\s*>", re.IGNORECASE)


class Words(msgspec.Struct, kw_only=True):
    """A message. ``role``: ``system`` for all instructions; ``developer``: those of that role. ``volatile``: it will not
    stand here in the next request. ``breakpoint``: somebody marked it as the end of a stable prefix."""

    role: str
    parts: list[Content]
    developer: bool = False
    volatile: bool = False
    breakpoint: bool = False


class Pair(msgspec.Struct, kw_only=True):
    """One call and its output. ``id`` fits every vendor and is unique in its request; ``extra``: what vendors want back."""

    id: str
    name: str
    arguments: dict[str, Any]
    written: str
    output: str
    media: list[Media]
    is_error: bool
    volatile: bool
    extra: dict[str, Any]


class Calls(msgspec.Struct, kw_only=True):
    """The calls of one step of a model, in order."""

    pairs: list[Pair]

    def extra(self, vendor: str, key: str) -> Any:
        """What ``vendor`` wants back of this step: the first call that has it."""
        found = (pair.extra.get(vendor) for pair in self.pairs)
        return next((one[key] for one in found if isinstance(one, dict) and one.get(key)), None)


Entry = Words | Calls


def entries(chat_ctx: ChatContext) -> list[Entry]:
    """The conversation as words and steps.

    Outputs go to their calls, wherever they came. Calls of one step (``group_id``, or one straight after the other)
    stand together where the first of them was made. Left out: calls without an output, outputs without a call,
    hand-offs, changes of the configuration, messages of nothing but blanks."""
    outputs: dict[str, deque[FunctionCallOutput]] = {}
    for item in chat_ctx:
        if isinstance(item, FunctionCallOutput):
            outputs.setdefault(item.call_id, deque()).append(item)
    made: list[Entry] = []
    groups: dict[str, Calls] = {}
    taken: set[str] = set()
    open_step: Calls | None = None
    for item in chat_ctx:
        if isinstance(item, FunctionCall):
            waiting = outputs.get(item.call_id)
            if not waiting:
                continue
            step = groups.get(item.group_id) if item.group_id else open_step
            if step is None:
                step = Calls(pairs=[])
                made.append(step)
            step.pairs.append(_pair(item, waiting.popleft(), taken))
            if item.group_id:
                groups[item.group_id] = step
                open_step = None
            else:
                open_step = step
            continue
        open_step = None
        if isinstance(item, ChatMessage):
            words = Words(
                role="system" if item.role == "developer" else item.role,
                parts=[_clean(p) for p in item.content if not isinstance(p, str) or p.strip()],
                developer=item.role == "developer",
                volatile=item.volatile,
                breakpoint=item.cache_breakpoint,
            )
        elif isinstance(item, ConversationSummary) and item.text.strip():
            words = Words(role="user", parts=[_clean(item.as_text)], breakpoint=True)
        else:
            continue
        if words.parts:
            made.append(words)
    return made


def leading(found: list[Entry]) -> tuple[list[Words], list[Entry]]:
    """The instructions that a conversation begins with, and the rest. What is volatile does not count as a beginning:
    it would cost the cache of all that follows."""
    at = 0
    while at < len(found):
        entry = found[at]
        if isinstance(entry, Calls) or entry.role != "system" or entry.volatile:
            break
        at += 1
    return [entry for entry in found[:at] if isinstance(entry, Words)], found[at:]


def text_of(parts: Iterable[Content]) -> str:
    """The parts as text; for pictures and sound stand notes."""
    return "\n".join(part if isinstance(part, str) else in_words(part) for part in parts)


def marked(text: str) -> str:
    """Instructions amid a conversation, for a vendor that takes them from the user alone."""
    return f"<instructions>\n{text}\n</instructions>"


def unmarked(text: str) -> str:
    """A user's own text, which may not pass for instructions."""
    return _MARK.sub(r"(\1instructions)", text)


def _pair(call: FunctionCall, output: FunctionCallOutput, taken: set[str]) -> Pair:
    arguments, written = _arguments(call.arguments)
    return Pair(
        id=fit_id(call.call_id, taken),
        name=fit(call.name),
        arguments=arguments,
        written=written,
        output=_plain(output.output),
        media=list(output.media),
        is_error=output.is_error,
        volatile=output.volatile,
        extra=call.extra,
    )


def _arguments(text: str) -> tuple[dict[str, Any], str]:
    """A call's arguments as an object and as JSON text. What a model wrote that is neither is kept as text in one:
    the vendors refuse the whole request otherwise."""
    text = _plain(text or "{}")
    try:
        found = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        found = None
    if isinstance(found, dict):
        return found, text
    wrapped: dict[str, Any] = {"invalid_arguments": text}
    return wrapped, msgspec.json.encode(wrapped).decode()


def _clean(part: Content) -> Content:
    return _plain(part) if isinstance(part, str) else part


def _plain(text: str) -> str:
    """Without halves of characters, which no JSON may hold."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()
