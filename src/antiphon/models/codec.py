"""The contract between a provider's codec and the wire: the codec knows the format, the wire owns the socket.

A codec is pure: it opens nothing, waits for nothing, retries nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from antiphon.chat.context import ChatContext
from antiphon.models.llm import ChatChunk, ToolChoice, ToolSpec


class WireRequest(msgspec.Struct, frozen=True):
    """One HTTP request. ``path`` is appended to the provider's base URL."""

    path: str
    body: bytes
    headers: dict[str, str] = {}
    method: str = "POST"


class ServiceFault(msgspec.Struct, frozen=True):
    """What an error body says. ``code`` is the service's own word, ``final``: asking again cannot help."""

    message: str = ""
    code: str = ""
    final: bool = False


class ChatDecoder(Protocol):
    """Reads one answer."""

    def feed(self, data: str) -> list[ChatChunk]:
        """Take the data of one server-sent event. Raises ``ModelError`` for an error or unreadable data."""
        ...

    @property
    def done(self) -> bool:
        """The service has said that nothing more will come."""
        ...

    @property
    def finished(self) -> bool:
        """The answer is whole, whatever may still come (its usage, an end mark)."""
        ...

    def end(self) -> list[ChatChunk]:
        """The stream is over: give what is left. Raises ``ModelError`` when it was cut before its end."""
        ...


class ChatCodec(Protocol):
    """Turns a conversation into a request, and the stream that comes back into chunks."""

    def request(
        self, *, model: str, chat_ctx: ChatContext, tools: Sequence[ToolSpec], tool_choice: ToolChoice
    ) -> WireRequest: ...

    def authorise(self, key: str) -> dict[str, str]:
        """The headers that carry an API key."""
        ...

    def decoder(self) -> ChatDecoder: ...

    def fault(self, body: bytes) -> ServiceFault:
        """Read the body of an HTTP error. Never raises."""
        ...
