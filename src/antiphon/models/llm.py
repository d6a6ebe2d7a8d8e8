"""The contract of language models."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Sequence
from typing import Any, Literal

import msgspec

from antiphon.chat.context import ChatContext
from antiphon.models.capabilities import LLMCapabilities

ToolChoice = Literal["auto", "none", "required"]


class ToolSpec(msgspec.Struct, frozen=True):
    """A tool as a model sees it. ``parameters``: a JSON Schema object."""

    name: str
    description: str
    parameters: dict[str, Any]


class ToolCallDelta(msgspec.Struct, frozen=True):
    """A whole tool call as the model asked for it. ``arguments``: JSON text, not yet checked. ``extra``: what the service
    wants back with this call in later requests (a thought's signature), by vendor: JSON data that nobody else reads."""

    call_id: str
    name: str
    arguments: str
    extra: dict[str, Any] = {}


FinishReason = Literal["stop", "tool_calls", "length", "content_filter", "refusal"]
"""Why an answer ended. ``length``: the output or the context was full, and the text breaks off. ``content_filter``: the
service cut it. ``refusal``: the model would not answer; what it said instead, if anything, is the text."""


class Usage(msgspec.Struct, frozen=True):
    """Tokens of one request, each counted once. ``cached_tokens`` is the part of ``prompt_tokens`` read from a cache,
    ``cache_write_tokens`` the part written to one, ``reasoning_tokens`` the part of ``completion_tokens`` that was thought and
    not said."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0


class ChatChunk(msgspec.Struct, frozen=True):
    """A piece of an answer: some text, or whole tool calls, or what is known at the end: ``usage`` and ``finish``, each at most
    once in an answer."""

    text: str = ""
    tool_calls: tuple[ToolCallDelta, ...] = ()
    usage: Usage | None = None
    finish: FinishReason | None = None


class LLMStream(ABC):
    """One running request. A failure raises ``ModelError`` from the iterator."""

    @abstractmethod
    def __aiter__(self) -> AsyncIterator[ChatChunk]: ...

    @abstractmethod
    async def aclose(self) -> None:
        """Cancel at once and free everything. May be called at any time, more than once."""


class LLM(ABC):
    """A language model. One object serves any number of requests at once."""

    capabilities: LLMCapabilities = LLMCapabilities()
    provider: str = ""
    model: str = ""
    on_core: bool = False
    meters: bool = False

    @abstractmethod
    def chat(
        self, *, chat_ctx: ChatContext, tools: Sequence[ToolSpec] = (), tool_choice: ToolChoice = "auto"
    ) -> LLMStream:
        """Ask for an answer. Returns at once; the request starts when it is iterated. ``chat_ctx``: a session passes only
        media that ``capabilities`` names."""

    async def prefill(self, *, chat_ctx: ChatContext, tools: Sequence[ToolSpec] = ()) -> None:
        """Read ahead: ``chat_ctx`` ends in an unfinished user message. Only with ``capabilities.prefill``."""

    async def prewarm(self) -> None:
        """Load or connect ahead of need."""

    async def aclose(self) -> None:
        """Free what the model object itself holds."""
