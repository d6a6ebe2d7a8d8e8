"""A language model behind a WebSocket that holds response after response (OpenAI's Responses).

Owns: one response on one lane, its deadlines. Never: formats (the codec), which lane (``wire.response_lanes``), retries
(``wire.llm_stream``).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from antiphon.chat.context import ChatContext
from antiphon.errors import ModelError
from antiphon.models.capabilities import LLMCapabilities
from antiphon.models.codec import ChatDecoder
from antiphon.models.endings import Closed
from antiphon.models.llm import LLM, ChatChunk, LLMStream, ToolChoice, ToolSpec
from antiphon.wire.deadlines import Deadlines
from antiphon.wire.faults import deadline_error
from antiphon.wire.llm_service import LLMService
from antiphon.wire.llm_stream import RetriedStream, Sleep
from antiphon.wire.response_lanes import Items, Lane, LaneCodec, Lanes, closed_error
from antiphon.wire.retry import RetryPolicy

if TYPE_CHECKING:
    from antiphon.wire.socket import Connector

SESSION = 55 * 60.0
"""Seconds that a socket is used: OpenAI takes no requests on one of 60 minutes."""
DEAF = 3.0
"""Seconds until a service that takes a request says that it has it: a socket that is silent longer is not alive."""
LOST = frozenset({"previous_response_not_found", "websocket_connection_limit_reached"})
"""Codes of errors that another request, with the whole conversation, does not meet."""


class SocketDecoder(ChatDecoder, Protocol):
    """Reads one response. ``heard``: the service has begun with it. ``id``: its own. ``answer``: its output as a later input has
    it."""

    @property
    def heard(self) -> bool: ...

    @property
    def id(self) -> str: ...

    @property
    def answer(self) -> Items: ...


class SocketCodec(LaneCodec, Protocol):
    """A codec that speaks over a socket."""

    def authorise(self, key: str) -> dict[str, str]: ...

    def body(
        self, *, model: str, chat_ctx: ChatContext, tools: Sequence[ToolSpec], tool_choice: ToolChoice
    ) -> dict[str, Any]: ...

    def frame(self, body: Mapping[str, Any], new: Items | None, previous: str) -> str:
        """The message that asks for a response: of the whole input, or of what is new since the response ``previous``."""
        ...

    def decoder(self, tools: Sequence[ToolSpec] = ()) -> SocketDecoder: ...


class SocketLLM(LLM):
    """A language model over a socket. ``session``: seconds after which a socket is replaced, between two responses.
    ``connector``: opens the sockets. The others as of ``WireLLM``."""

    on_core = True

    def __init__(
        self,
        made: LLMService,
        *,
        capabilities: LLMCapabilities | None = None,
        deadlines: Deadlines | None = None,
        retry: RetryPolicy | None = None,
        session: float = SESSION,
        connector: Connector | None = None,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self.provider = made.provider
        self.model = made.service.model
        self.service = made.service
        self.capabilities = capabilities or made.capabilities
        self.deadlines = deadlines or made.deadlines
        self.retry = retry or RetryPolicy()
        self.codec: SocketCodec = made.codec
        self.sleep = sleep
        self.session = session
        self._key = made.key
        self._connector = connector
        self._lanes: dict[asyncio.AbstractEventLoop, Lanes] = {}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.provider}/{self.model} at {self.service.base_url})"

    def chat(
        self, *, chat_ctx: ChatContext, tools: Sequence[ToolSpec] = (), tool_choice: ToolChoice = "auto"
    ) -> LLMStream:
        body = self.codec.body(model=self.model, chat_ctx=chat_ctx, tools=tools, tool_choice=tool_choice)
        attempt = partial(self._attempt, body, tuple(tools))
        return RetriedStream(attempt, name=self.model, retry=self.retry, sleep=self.sleep, key=self._key)

    async def prewarm(self) -> None:
        """Open a socket. Raises ``ModelError`` when the service cannot be reached or does not know the key."""
        await self._here().warm()

    async def aclose(self) -> None:
        for lanes in list(self._lanes.values()):
            await lanes.aclose()
        self._lanes.clear()

    def _here(self) -> Lanes:
        """The lanes of the running loop."""
        loop = asyncio.get_running_loop()
        for stale in [other for other in self._lanes if other.is_closed()]:
            del self._lanes[stale]
        if loop not in self._lanes:
            headers = self.codec.authorise(self._key) if self._key else {}
            self._lanes[loop] = Lanes(
                self.service,
                self.codec,
                headers,
                deadlines=self.deadlines,
                session=self.session,
                connector=self._connector,
            )
        return self._lanes[loop]

    async def _attempt(self, body: dict[str, Any], tools: Sequence[ToolSpec]) -> AsyncGenerator[ChatChunk, None]:
        """One response; where the service has lost what came before it, a second one with the whole conversation."""
        given = False
        try:
            async with aclosing(self._response(body, tools)) as chunks:
                async for chunk in chunks:
                    given = True
                    yield chunk
        except ModelError as error:
            if given or error.code not in LOST:
                raise
        else:
            return
        async with aclosing(self._response(body, tools)) as chunks:
            async for chunk in chunks:
                yield chunk

    async def _response(self, body: dict[str, Any], tools: Sequence[ToolSpec]) -> AsyncGenerator[ChatChunk, None]:
        lanes = self._here()
        decoder = self.codec.decoder(tools)
        first_by = asyncio.get_running_loop().time() + self.deadlines.first
        lane, new = await lanes.take(body["input"])
        try:
            frame = self.codec.frame(body, new, lane.response if new is not None else "")
            await self._send(lane, frame)
            async with aclosing(self._frames(lane, decoder, first_by)) as frames:
                async for text in frames:
                    for chunk in decoder.feed(text):
                        yield chunk
            for chunk in decoder.end():
                yield chunk
        except BaseException as error:
            # Nothing but closing the socket ends a response: it is not wanted, or the socket is not in order.
            await lanes.drop(lane, replace=not isinstance(error, ModelError))
            raise
        before = body["input"] if new is None else [*lane.known, *new]
        lane.remember(decoder.id, [*before, *decoder.answer])
        lanes.give(lane)

    async def _send(self, lane: Lane, frame: str) -> None:
        try:
            async with asyncio.timeout(DEAF):
                await lane.socket.send(frame)
        except TimeoutError:
            raise deadline_error(self.service, "answer", DEAF) from None
        except ConnectionError as error:
            raise closed_error(self.service, Closed(1006, str(error))) from None

    async def _frames(self, lane: Lane, decoder: SocketDecoder, first_by: float) -> AsyncGenerator[str, None]:
        """The messages until the response is whole, each in its time."""
        loop = asyncio.get_running_loop()
        due, what, limit = min(loop.time() + DEAF, first_by), "answer", DEAF
        progress = decoder.progress
        while not decoder.done:
            try:
                async with asyncio.timeout_at(due):
                    message = await lane.socket.receive()
            except TimeoutError:
                raise deadline_error(self.service, what, limit) from None
            if isinstance(message, Closed):
                raise closed_error(self.service, message)
            yield message if isinstance(message, str) else message.decode("utf-8", "replace")
            if decoder.progress != progress:
                progress = decoder.progress
                due, what = loop.time() + self.deadlines.between, "further token"
                limit = self.deadlines.between
            elif decoder.heard and not progress:
                due, what, limit = first_by, "token", self.deadlines.first
