"""The kernel's conversation as chat items, one to one."""

from __future__ import annotations

import json
from collections.abc import Iterable

from antiphon.chat.items import AgentConfigUpdate, AgentHandoff, ChatItem, ChatMessage, FunctionCall, FunctionCallOutput
from antiphon.kernel.conversation import Call, CallOutput, ConfigUpdate, Item, Message
from antiphon.session.media_shelf import MediaShelf

IN_FLIGHT = "[being said now, not heard to its end yet] "
"""Marks, for the model, the agent's own words that are on their way."""


def chat_items(items: Iterable[Item], shelf: MediaShelf) -> list[ChatItem]:
    """Chat items with the same ids and texts; ``shelf`` has their media."""
    return [_chat_item(item, shelf) for item in items]


def _chat_item(item: Item, shelf: MediaShelf) -> ChatItem:
    if isinstance(item, Message):
        media, gone = shelf.find(item.media)
        return ChatMessage(
            id=item.id,
            role=item.role,
            text="\n".join([IN_FLIGHT + item.text if item.in_flight else item.text, *gone]),
            volatile=item.in_flight,
            media=media,
            media_at=shelf.places(item.media, item.text),
            interrupted=item.interrupted,
            estimated=item.estimated,
            confidence=item.confidence,
            speaker_id=item.speaker,
            created_at=item.created_at,
        )
    if isinstance(item, Call):
        return FunctionCall(
            id=item.id,
            call_id=item.call_id,
            name=item.name,
            arguments=item.arguments,
            group_id=item.speech,
            extra=json.loads(item.extra) if item.extra else {},
            created_at=item.created_at,
        )
    if isinstance(item, CallOutput):
        media, gone = shelf.find(item.media)
        return FunctionCallOutput(
            id=item.id,
            call_id=item.call_id,
            name=item.name,
            output="\n".join([item.output, *gone]),
            media=media,
            volatile=item.pending,
            is_error=item.is_error,
            created_at=item.created_at,
        )
    if isinstance(item, ConfigUpdate):
        return AgentConfigUpdate(
            id=item.id,
            instructions=item.instructions,
            tools_added=item.tools_added,
            tools_removed=item.tools_removed,
            created_at=item.created_at,
        )
    return AgentHandoff(
        id=item.id,
        old_agent=item.old_agent,
        new_agent=item.new_agent,
        reason=item.reason,
        created_at=item.created_at,
    )
