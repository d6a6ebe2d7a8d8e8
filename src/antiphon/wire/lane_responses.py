"""Responses on lanes: one request at a time on a socket, each in its time.

Owns: one response and its deadlines, the lanes of each event loop. Never: formats (the codec), which lane
(``wire.response_lanes``), retries (``wire.llm_stream``).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import Any, Protocol

from antiphon.chat.context import ChatContext
from antiphon.errors import ModelError
from antiphon.models.codec import ChatDecoder
from antiphon.models.endings import Closed
from antiphon.models.llm import ChatChunk, ToolChoice, ToolSpec
from antiphon.wire.deadlines import Deadlines
from antiphon.wire.faults import Service, deadline_error, with_hint, without_key
from antiphon.wire.per_loop import PerLoop
from antiphon.wire.response_lanes import Items, Lane, LaneCodec, Lanes, closed_error
from antiphon.wire.socket import Connector

DEAF = 3.0
"""Seconds until a service that takes a request says that it has it: a socket that is silent longer is not alive."""
WHOLE = 64 * 1024 * 1024
"""Characters of one response: one that is longer does not end."""
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


class LaneResponses:
    """The responses of one model object, on the lanes of whichever loop asks."""

    def __init__(
        self,
        service: Service,
        codec: SocketCodec,
        key: str,
        *,
        deadlines: Deadlines,
        session: float,
        connector: Connector | None,
    ) -> None:
        self._service = service
        self._codec = codec
        self._key = key
        self._deadlines = deadlines
        self._session = session
        self._connector = connector
        self._lanes = PerLoop(self._new_lanes, lambda lanes: lanes.aclose())

    async def warm(self) -> None:
        """Open a socket, where there is none. Raises ``ModelError``."""
        try:
            await self._lanes.here().warm()
        except ModelError as error:
            raise without_key(error, self._key) from None

    async def aclose(self) -> None:
        """Close every socket. Those of other running loops are closed on their own loop."""
        await self._lanes.aclose()

    def _new_lanes(self) -> Lanes:
        return Lanes(
            self._service,
            self._codec,
            self._codec.authorise(self._key) if self._key else {},
            deadlines=self._deadlines,
            session=self._session,
            connector=self._connector,
        )

    async def attempt(self, body: dict[str, Any], tools: Sequence[ToolSpec]) -> AsyncGenerator[ChatChunk, None]:
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
        lanes = self._lanes.here()
        decoder = self._codec.decoder(tools)
        first_by = asyncio.get_running_loop().time() + self._deadlines.first
        lane, new = await lanes.take(body["input"])
        try:
            frame = self._codec.frame(body, new, lane.response if new is not None else "")
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
            if isinstance(error, ModelError):
                raise with_hint(self._service, error) from None
            raise
        before = body["input"] if new is None else [*lane.known, *new]
        lane.remember(decoder.id, [*before, *decoder.answer])
        await lanes.give(lane)

    async def _send(self, lane: Lane, frame: str) -> None:
        try:
            async with asyncio.timeout(DEAF):
                await lane.socket.send(frame)
        except TimeoutError:
            raise deadline_error(self._service, "answer", DEAF) from None
        except ConnectionError as error:
            raise closed_error(self._service, Closed(1006, str(error))) from None

    async def _frames(self, lane: Lane, decoder: SocketDecoder, first_by: float) -> AsyncGenerator[str, None]:
        """The messages until the response is whole, each in its time."""
        loop = asyncio.get_running_loop()
        due, what, limit = first_by, "answer", self._deadlines.first
        if loop.time() + DEAF < first_by:
            due, limit = loop.time() + DEAF, DEAF
        progress, size = decoder.progress, 0
        while not decoder.done:
            try:
                async with asyncio.timeout_at(due):
                    await asyncio.sleep(
                        0
                    )  # messages that wait are given without a wait: a flood would hold up the deadline
                    message = await lane.socket.receive()
            except TimeoutError:
                raise deadline_error(self._service, what, limit) from None
            if isinstance(message, Closed):
                raise closed_error(self._service, message)
            size += len(message)
            if size > WHOLE:
                raise ModelError(f"{self._service.name} sent an answer that does not end.", retryable=False)
            yield message if isinstance(message, str) else message.decode("utf-8", "replace")
            if decoder.progress != progress:
                progress = decoder.progress
                due, what = loop.time() + self._deadlines.between, "further token"
                limit = self._deadlines.between
            elif decoder.heard and not progress:
                due, what, limit = first_by, "token", self._deadlines.first
