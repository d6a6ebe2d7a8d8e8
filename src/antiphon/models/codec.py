"""The contract between a provider's codec and the wire: the codec knows the format, the wire owns the socket.

A codec is pure: it opens nothing, waits for nothing, retries nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol

import msgspec

from antiphon.chat.context import ChatContext
from antiphon.models.llm import ChatChunk, ToolChoice, ToolSpec

NO_CREDIT = "The account has no credit left, or its quota is used up."
"""The hint of a fault of that kind."""


class WireRequest(msgspec.Struct, frozen=True):
    """One HTTP request. ``path`` is appended to the provider's base URL."""

    path: str
    body: bytes
    headers: dict[str, str] = {}
    method: str = "POST"


class ServiceFault(msgspec.Struct, frozen=True):
    """What an error says. ``code`` is the service's own word, ``final``: asking again cannot help. ``kind``: what it comes to
    where the status alone does not say. ``retry_after``: seconds, where the body says so. ``status``: the HTTP status that it names,
    0 where it names none."""

    message: str = ""
    code: str = ""
    final: bool = False
    kind: Literal["", "context_length", "no_credit", "refused"] = ""
    retry_after: float | None = None
    status: int = 0


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

    @property
    def progress(self) -> int:
        """Grows with each event that brought a part of the answer, thoughts and pieces of arguments too. Pings and
        announcements do not count: a service that sends nothing else is silent."""
        ...

    def end(self) -> list[ChatChunk]:
        """The stream is over: give what is left, the usage and the reason of the end. Raises ``ModelError`` when it was cut
        before its end, ``RefusedError`` where a refusal is all there is."""
        ...


class ChatCodec(Protocol):
    """Turns a conversation into a request, and the stream that comes back into chunks."""

    def request(
        self, *, model: str, chat_ctx: ChatContext, tools: Sequence[ToolSpec], tool_choice: ToolChoice
    ) -> WireRequest: ...

    def authorise(self, key: str) -> dict[str, str]:
        """The headers that carry an API key."""
        ...

    def decoder(self, tools: Sequence[ToolSpec] = ()) -> ChatDecoder:
        """``tools``: those of the request, by whose names the answer's calls are to be."""
        ...

    def probe(self) -> WireRequest:
        """A request that costs nothing and shows whether the service is there and knows the key."""
        ...

    def fault(self, body: bytes) -> ServiceFault:
        """Read the body of an HTTP error. Never raises."""
        ...
