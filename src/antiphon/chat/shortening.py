"""What is left of a conversation that has to be shorter: the newest items, and nothing torn apart.

Owns: which items go. Never: what stands for them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from antiphon.chat.items import ChatItem, ChatMessage, ConversationSummary, FunctionCall, FunctionCallOutput

Tokens = Callable[[ChatItem], int]

BYTES_A_TOKEN = 4
ITEM_TOKENS = 4
"""Tokens of an item besides its text."""
MEDIA_TOKENS = 1000
"""Tokens of a picture or a sound: what the vendors take for a middling one."""


def tokens_of(item: ChatItem) -> int:
    """An estimate of the tokens of an item in a prompt; hand-offs and such are in none."""
    match item:
        case ChatMessage():
            return _tokens(item.text) + MEDIA_TOKENS * len(item.media)
        case FunctionCall():
            return _tokens(item.name + item.arguments)
        case FunctionCallOutput():
            return _tokens(item.output) + MEDIA_TOKENS * len(item.media)
        case ConversationSummary():
            return _tokens(item.text)
        case _:
            return 0


def _tokens(text: str) -> int:
    return ITEM_TOKENS + -(-len(text.encode("utf-8", "replace")) // BYTES_A_TOKEN)


def lasting(item: ChatItem) -> bool:
    """Whether it stays however short the conversation becomes: instructions, and what stands for all that went before."""
    return isinstance(item, ConversationSummary) or (
        isinstance(item, ChatMessage) and item.role in ("system", "developer")
    )


def running(items: Sequence[ChatItem]) -> set[str]:
    """Ids of the calls that have no output yet, or only a placeholder."""
    done = {item.call_id for item in items if isinstance(item, FunctionCallOutput) and not item.volatile}
    return {item.call_id for item in items if isinstance(item, FunctionCall)} - done


def newest(items: Sequence[ChatItem], max_items: int | None, max_tokens: int | None, count: Tokens) -> list[ChatItem]:
    """The items that stay within both limits, in their order."""
    if (max_items or 0) < 0 or (max_tokens or 0) < 0:
        raise ValueError("limits of a conversation must not be negative")
    open_calls = running(items)
    left = len(items) if max_items is None else max_items
    tokens = sum(count(item) for item in items) + 1 if max_tokens is None else max_tokens
    tokens -= sum(count(item) for item in items if lasting(item))
    kept: set[int] = set()
    full = False
    for n in range(len(items) - 1, -1, -1):
        item = items[n]
        if lasting(item) or getattr(item, "call_id", None) in open_calls:
            kept.add(n)
            continue
        left, tokens = left - 1, tokens - count(item)
        full = full or left < 0 or tokens < 0
        if not full:
            kept.add(n)
    return without_halves(items, kept)


def without_halves(items: Sequence[ChatItem], kept: set[int]) -> list[ChatItem]:
    """The items at ``kept``, less the outputs whose call is not among them and the calls whose output is not."""
    gone: set[str] = set()
    for n, item in enumerate(items):
        if isinstance(item, FunctionCall | FunctionCallOutput) and n not in kept:
            gone.add(item.call_id)
    calls = {item.call_id for item in items if isinstance(item, FunctionCall)}

    def whole(item: ChatItem) -> bool:
        if isinstance(item, FunctionCallOutput):
            return item.call_id in calls and item.call_id not in gone
        return not isinstance(item, FunctionCall) or item.call_id not in gone

    return [item for n, item in enumerate(items) if n in kept and whole(item)]
