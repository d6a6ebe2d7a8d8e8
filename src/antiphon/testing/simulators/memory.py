"""A simulator and a model in one process, without a socket: for the virtual clock.

Owns the pair of queues that stand for a connection, with the room that a socket's buffers have.
"""

from __future__ import annotations

import asyncio

import msgspec
from yarl import URL

from antiphon.models.endings import Closed, Refused
from antiphon.models.speech_codec import ConnectSpec
from antiphon.testing.simulators.base import Frame, Peer, PeerClosedError, Request, Simulator
from antiphon.wire.faults import Service
from antiphon.wire.socket import MAX_FRAME, Socket, SocketRefusedError, SpeechDeadlines

ROOM = 64
"""Frames that are under way in one direction before the sender has to wait."""


class MemoryConnector:
    """Passed as ``connector=`` to a model, it connects it to ``simulator``. ``open``: sockets that nobody has closed."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator
        self._tasks: set[asyncio.Task[None]] = set()
        self.open = 0

    async def connect(self, url: str, spec: ConnectSpec, *, service: Service, deadlines: SpeechDeadlines) -> Socket:
        parts = URL(url)
        headers = {name.lower(): value for name, value in spec.headers.items()}
        request = Request("GET", parts.path, tuple(parts.query.items()), headers)
        refusal = await self._simulator.admit(request)
        if refusal is not None:
            wait = refusal.headers.get("Retry-After")
            body = msgspec.json.encode(refusal.body)
            raise SocketRefusedError(Refused(refusal.status, body, float(wait) if wait else None))
        peer = _MemoryPeer(request)
        self.open += 1
        task = asyncio.get_running_loop().create_task(self._simulator.run(peer), name="simulator")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return _MemorySocket(self, peer, task)

    async def aclose(self) -> None:
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)


class _MemoryPeer(Peer):
    def __init__(self, request: Request) -> None:
        super().__init__(request)
        self.inbox: asyncio.Queue[Frame | None] = asyncio.Queue(ROOM)
        self.outbox: asyncio.Queue[Frame | Closed] = asyncio.Queue(4096)
        self.gone = False

    async def take(self) -> Frame:
        frame = None if self.closed or (self.gone and self.inbox.empty()) else await self.inbox.get()
        if frame is None:
            raise PeerClosedError
        return frame

    async def deliver(self, frame: Frame) -> None:
        if self.closed or self.gone:
            raise PeerClosedError
        await self.outbox.put(Closed(1009, "too big") if len(frame) > MAX_FRAME else frame)

    async def shut(self, code: int, reason: str) -> None:
        await self._end(code, reason)

    async def abort(self) -> None:
        await self._end(1006, "")

    async def _end(self, code: int, reason: str) -> None:
        if self.closed is None:
            self.closed = (code, reason)
            self.outbox.put_nowait(Closed(code, reason))


class _MemorySocket:
    def __init__(self, connector: MemoryConnector, peer: _MemoryPeer, task: asyncio.Task[None]) -> None:
        self._connector, self._peer, self._task = connector, peer, task

    async def send(self, frame: Frame) -> None:
        if self._peer.closed or self._peer.gone:
            raise ConnectionError("closed")
        await self._peer.inbox.put(frame)

    async def receive(self) -> Frame | Closed:
        return await self._peer.outbox.get()

    async def close(self) -> None:
        if self._peer.gone:
            return
        self._peer.gone = True
        self._connector.open -= 1
        self._task.cancel()
        await asyncio.wait([self._task])
