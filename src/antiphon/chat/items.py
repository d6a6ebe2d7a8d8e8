"""What a conversation is made of: typed, serialisable items."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from antiphon.chat.media import AudioContent, Content, ImageContent, join

Role = Literal["system", "developer", "user", "assistant"]


class ChatMessage(msgspec.Struct, tag="message", tag_field="type", kw_only=True):
    """Something that was said or written. For the assistant ``text`` is what the caller heard. ``media``: pictures and
    sounds that come with the text; ``media_at``: the character of the text before which each of them stands (where it is
    shorter than ``media``: behind the text)."""

    id: str
    role: Role
    text: str
    media: list[ImageContent | AudioContent] = msgspec.field(default_factory=list)
    media_at: list[int] = msgspec.field(default_factory=list)
    interrupted: bool = False
    estimated: bool = False
    """The cut is an estimate: the voice gave no word times, or the far end no acknowledgement."""
    confidence: float | None = None
    """The recogniser's confidence in a user message, 0 to 1."""
    created_at: float = 0.0
    """Seconds of session time at which it became part of the conversation."""
    metrics: dict[str, float] = msgspec.field(default_factory=dict)
    volatile: bool = False
    """Part of one prompt only: it will not stand here like this in the next one, so no cache should end with it."""
    cache_breakpoint: bool = False
    """A prompt is the same up to here from request to request: services that are told so cache it."""
    extra: dict[str, Any] = msgspec.field(default_factory=dict)
    speaker_id: str = ""
    """Who of several people said most of a user message, where that is known: a participant's identity, or the recogniser's
    label."""

    @property
    def content(self) -> list[Content]:
        """All parts in order: text, pictures, sounds."""
        return join(self.text, self.media, self.media_at)


class FunctionCall(msgspec.Struct, tag="function_call", tag_field="type", kw_only=True):
    """A tool call that the model asked for. ``arguments``: JSON text. ``group_id``: the same for all calls of one step.
    ``extra``: what the service that made the call wants back with it, by its vendor: never read, only sent back."""

    id: str
    call_id: str
    name: str
    arguments: str
    group_id: str = ""
    extra: dict[str, Any] = msgspec.field(default_factory=dict)
    created_at: float = 0.0


class FunctionCallOutput(msgspec.Struct, tag="function_call_output", tag_field="type", kw_only=True):
    """The result of a tool call, as the model reads it: text, and pictures where the model takes them. ``volatile``: a
    placeholder, the call still runs."""

    id: str
    call_id: str
    name: str
    output: str
    is_error: bool = False
    media: list[ImageContent | AudioContent] = msgspec.field(default_factory=list)
    volatile: bool = False
    created_at: float = 0.0


class AgentHandoff(msgspec.Struct, tag="agent_handoff", tag_field="type", kw_only=True):
    """The conversation passed from one agent to another. ``reason``: as who handed over gave it."""

    id: str
    old_agent: str
    new_agent: str
    reason: str = ""
    created_at: float = 0.0


class AgentConfigUpdate(msgspec.Struct, tag="agent_config_update", tag_field="type", kw_only=True):
    """Instructions or tools of the current agent changed."""

    id: str
    instructions: str | None = None
    tools_added: tuple[str, ...] = ()
    tools_removed: tuple[str, ...] = ()
    created_at: float = 0.0


class ConversationSummary(msgspec.Struct, tag="summary", tag_field="type", kw_only=True):
    """Stands for everything before it that is not here any more. Models read ``as_text`` as the user's words and not as
    instructions: it is made of what callers said."""

    id: str
    text: str
    created_at: float = 0.0

    @property
    def as_text(self) -> str:
        return f"What was said before, in short:\n{self.text}"


ChatItem = ChatMessage | FunctionCall | FunctionCallOutput | AgentHandoff | AgentConfigUpdate | ConversationSummary
