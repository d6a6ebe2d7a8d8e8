"""What every simulator is made of: a request, a peer on a socket, and the rules of one service.

A simulator knows no transport: the same one runs behind aiohttp (``server``) and in memory (``memory``).
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from typing import Any

import msgspec

from antiphon.testing.simulators.faults import FaultGate, FaultScript

Frame = str | bytes


class Request(msgspec.Struct, frozen=True):
    """How a client came: header names in lower case, ``query`` in order. ``body``: of a plain HTTP request."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    headers: dict[str, str] = {}
    body: bytes = b""

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.query if key == name]

    def one(self, name: str, default: str = "") -> str:
        return next(iter(self.all(name)), default)


class Refusal(msgspec.Struct, frozen=True):
    """An HTTP answer instead of a socket."""

    status: int
    body: dict[str, Any] = {}
    headers: dict[str, str] = {}


class PeerClosedError(Exception):
    """The client has gone, or the simulator has closed the socket."""


class Peer(ABC):
    """One client on a socket. ``number``: which of the simulator's clients, from 0. ``sent`` and ``received``: the frames of
    the conversation."""

    number = 0

    def __init__(self, request: Request) -> None:
        self.request = request
        self.sent: list[Frame] = []
        self.received: list[Frame] = []
        self.closed: tuple[int, str] | None = None
        self.gate = FaultGate([])

    async def receive(self) -> Frame:
        """The client's next frame. Raises ``PeerClosedError``."""
        while self.gate.unread():
            await asyncio.get_running_loop().create_future()
        frame = await self.take()
        self.received.append(frame)
        return frame

    @abstractmethod
    async def take(self) -> Frame:
        """The client's next frame from the wire."""

    @abstractmethod
    async def deliver(self, frame: Frame) -> None:
        """Put a frame on the wire, as it is."""

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close the socket. A peer that has fallen silent does not even do that: it reads on until the client has gone."""
        while self.gate.silent():
            await self.receive()
        await self.shut(code, reason)

    @abstractmethod
    async def shut(self, code: int, reason: str) -> None: ...

    @abstractmethod
    async def abort(self) -> None:
        """Break the connection without a word."""

    async def send(self, message: Frame | dict[str, Any]) -> None:
        """Send a frame, or a message as JSON text."""
        frame = msgspec.json.encode(message).decode() if isinstance(message, dict) else message
        self.sent.append(frame)
        await self.gate.pass_on(self, frame)


class Simulator(ABC):
    """One service. ``faults``: what goes wrong. ``clients``: every peer there was, oldest first. ``key``: the key it takes
    (empty: any)."""

    name = ""

    def __init__(self, *, faults: FaultScript | None = None, key: str = "") -> None:
        self.faults = faults or FaultScript()
        self.key = key
        self.clients: list[Peer] = []
        self.refused: list[Request] = []

    @abstractmethod
    def refuse(self, request: Request) -> Refusal | None:
        """The service's own answer to a handshake that it does not take."""

    @abstractmethod
    async def serve(self, peer: Peer) -> None:
        """Talk with one client until it has gone."""

    async def answer(self, request: Request) -> tuple[int, dict[str, str], Any]:
        """A plain HTTP request: status, headers, and a body (bytes, or an async iterator of pieces)."""
        return 404, {}, b""

    async def admit(self, request: Request) -> Refusal | None:
        """The handshake, with its faults."""
        number = len(self.clients) + len(self.refused)
        refusal = await self.faults.at_handshake(number) or self.refuse(request)
        if refusal is not None:
            self.refused.append(request)
        return refusal

    async def run(self, peer: Peer) -> None:
        """One client from its acceptance to its end, with its faults."""
        peer.number = len(self.clients) + len(self.refused)
        self.clients.append(peer)
        peer.gate = FaultGate(self.faults.of_client(peer.number))
        try:
            if peer.gate.vanishes():
                await peer.abort()
            await self.serve(peer)
        except PeerClosedError:
            pass
        finally:
            if peer.closed is None:
                await peer.shut(1000, "")
