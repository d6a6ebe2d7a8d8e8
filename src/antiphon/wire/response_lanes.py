"""Sockets on which a service holds responses one after the other, and what it remembers on each.

Owns: lanes, how long one lives, which one a conversation goes on in. Never: formats, retries.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import takewhile
from typing import Any, Protocol

from antiphon.errors import ModelError
from antiphon.models.codec import ServiceFault
from antiphon.models.endings import Closed
from antiphon.models.speech_codec import ConnectSpec
from antiphon.wire.address import socket_url
from antiphon.wire.deadlines import Deadlines
from antiphon.wire.faults import Service, deadline_error, status_error
from antiphon.wire.socket import Connector, Socket, SocketRefusedError, SpeechDeadlines

UNUSED = 300.0
"""Seconds after which a lane that nobody uses is closed."""
Items = Sequence[Mapping[str, Any]]


class LaneCodec(Protocol):
    """What the lanes need of a codec."""

    def socket(self, headers: Mapping[str, str]) -> ConnectSpec:
        """How a socket is opened."""
        ...

    def new_items(self, full: Items, known: Items) -> list[dict[str, Any]] | None:
        """What of an input is new to a service that has ``known`` of it; ``None``: it has something else."""
        ...

    def fault(self, body: bytes) -> ServiceFault:
        """Read the body of a refused handshake."""
        ...


class Lane:
    """One socket. ``response``: the last one made on it. ``known``: the conversation up to its end, as the service has it."""

    def __init__(self, socket: Socket, born: float) -> None:
        self.socket = socket
        self.born = self.used = born
        self.response = ""
        self.known: list[Mapping[str, Any]] = []

    def remember(self, response: str, known: list[Mapping[str, Any]]) -> None:
        """A response was made here."""
        self.response, self.known = response, known

    def common(self, full: Items) -> int:
        """How many items of a conversation's beginning are the same here."""
        return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(full, self.known, strict=False)))


class Lanes:
    """``session``: seconds after which a lane is replaced; it is done between responses. A lane whose response was given up
    is closed, which ends the response, and another is opened in its place for the next turn."""

    def __init__(
        self,
        service: Service,
        codec: LaneCodec,
        headers: Mapping[str, str],
        *,
        deadlines: Deadlines,
        session: float,
        connector: Connector | None,
    ) -> None:
        self._service = service
        self._codec = codec
        self._headers = headers
        self._deadlines = deadlines
        self._session = session
        self._connector = connector
        self._owns = connector is None
        self._idle: list[Lane] = []
        self._opening: set[asyncio.Task[None]] = set()
        self._closed = False

    async def take(self, full: Items) -> tuple[Lane, list[dict[str, Any]] | None]:
        """A lane for a conversation, best the one that has most of it already, and what is new to it (``None``: all)."""
        await self._retire()
        for lane in reversed(self._idle):
            if lane.response and (new := self._codec.new_items(full, lane.known)) is not None:
                self._idle.remove(lane)
                return lane, new
        # Nothing is lost on a lane where nothing was said, or where it was this conversation, which was edited since.
        spare = max(self._idle, key=lambda lane: (not lane.response, lane.common(full)), default=None)
        if spare is not None and (not spare.response or spare.common(full)):
            self._idle.remove(spare)
            return spare, None
        return await self._open(), None

    async def give(self, lane: Lane) -> None:
        """The response on it is whole: it serves the next one."""
        if self._closed:
            await lane.socket.close()
            return
        lane.used = asyncio.get_running_loop().time()
        self._idle.append(lane)

    async def drop(self, lane: Lane, *, replace: bool) -> None:
        """Close it at once. ``replace``: open another for the next turn, without waiting for it."""
        if replace and not self._closed and not any(not idle.response for idle in self._idle):
            task = asyncio.get_running_loop().create_task(self._refill(), name=f"llm lane {self._service.name}")
            self._opening.add(task)
            task.add_done_callback(self._opening.discard)
        await lane.socket.close()

    async def warm(self) -> None:
        """Open a lane, where there is none. Raises ``ModelError``."""
        if not self._idle:
            self._idle.append(await self._open())

    async def aclose(self) -> None:
        """Close all."""
        self._closed = True
        for task in list(self._opening):
            task.cancel()
        if self._opening:
            await asyncio.wait(list(self._opening))
        idle, self._idle = self._idle, []
        for lane in idle:
            await lane.socket.close()
        if self._owns and self._connector is not None:
            await self._connector.aclose()

    async def _retire(self) -> None:
        now = asyncio.get_running_loop().time()
        for lane in [one for one in self._idle if now - one.born >= self._session or now - one.used >= UNUSED]:
            self._idle.remove(lane)
            await lane.socket.close()

    async def _refill(self) -> None:
        with suppress(ModelError):  # the next turn opens its own and says what is wrong
            self._idle.append(await self._open())

    async def _open(self) -> Lane:
        spec = self._codec.socket(self._headers)
        if self._connector is None:
            from antiphon.wire.aiohttp_socket import AiohttpConnector  # here, so that a model object is made in no time

            self._connector = AiohttpConnector()
        limits = SpeechDeadlines(connect=self._deadlines.connect)
        try:
            async with asyncio.timeout(self._deadlines.connect):
                address = socket_url(self._service.base_url, spec)
                socket = await self._connector.connect(address, spec, service=self._service, deadlines=limits)
        except SocketRefusedError as refusal:
            refused = refusal.refused
            wait = {} if refused.retry_after is None else {"Retry-After": str(refused.retry_after)}
            raise status_error(self._service, refused.status, wait, self._codec.fault(refused.body)) from None
        except TimeoutError:
            raise deadline_error(self._service, "connection", self._deadlines.connect) from None
        return Lane(socket, asyncio.get_running_loop().time())


def closed_error(service: Service, closed: Closed) -> ModelError:
    """The error for a socket that ended in the middle of a response."""
    why = f"{closed.code}: {closed.reason}" if closed.reason else str(closed.code)
    return ModelError(f"{service.name} at {service.base_url} closed the connection ({why}).")
