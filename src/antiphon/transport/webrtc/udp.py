"""A UDP socket that the network's loop reads while a path is looked for, and the plane's tick once it is found.

A wake of the loop for every packet costs several times what the tick's look does (``benchmarks/webrtc_network.py``). When a packet
arrived is known from the kernel's stamp on it, whoever reads it and however late.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import sys
from typing import Any, NamedTuple

from antiphon.audio import driver

_SO_TIMESTAMPNS = 35
_TIMESPEC = struct.Struct("@ll")
_ROOM = 2048
"""Bytes; a longer datagram is cut, and too long for anything that reads it."""
_MOST_AT_ONCE = 128
_OLDEST = 1.0


class Datagram(NamedTuple):
    """``age``: seconds since it arrived."""

    data: bytes
    address: Any
    age: float


class UdpTransport(asyncio.DatagramTransport):
    """Takes over ``sock`` (bound, not blocking). The loop reads it between ``watch`` and ``leave``."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, sock: socket.socket, protocol: asyncio.DatagramProtocol
    ) -> None:
        super().__init__({"sockname": sock.getsockname()})
        self._loop, self._sock, self._protocol = loop, sock, protocol
        self._closing = self._watched = False
        if sys.platform == "linux":
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        protocol.connection_made(self)
        self.watch()

    def watch(self) -> None:
        """Let the loop read."""
        if not self._watched and not self._closing:
            self._watched = True
            self._loop.add_reader(self._sock, self._readable)

    def leave(self) -> None:
        """Let the loop not read: somebody polls."""
        if self._watched:
            self._watched = False
            self._loop.remove_reader(self._sock)

    def poll(self) -> list[Datagram]:
        """What has arrived, at most 128; from any thread."""
        found: list[Datagram] = []
        with contextlib.suppress(OSError):
            while len(found) < _MOST_AT_ONCE:
                data, marks, _, address = self._sock.recvmsg(_ROOM, 64)
                found.append(Datagram(data, address, _age(marks)))
        return found

    def sendto(self, data: Any, addr: Any = None) -> None:
        """Send, or drop what does not go (no room, no route); from any thread. Whoever waits for an answer sees none."""
        with contextlib.suppress(OSError):
            self._sock.sendto(data, addr)

    def try_send(self, data: bytes, address: Any) -> bool:
        """``sendto`` that says whether it went."""
        try:
            self._sock.sendto(data, address)
        except OSError:
            return False
        return True

    def is_closing(self) -> bool:
        return self._closing

    def close(self) -> None:
        if not self._closing:
            self.leave()
            self._closing = True
            self._loop.call_soon(self._closed)

    def abort(self) -> None:
        self.close()

    def _closed(self) -> None:
        self._sock.close()
        self._protocol.connection_lost(None)

    def _readable(self) -> None:
        for datagram in self.poll():
            self._protocol.datagram_received(datagram.data, datagram.address)


def _age(marks: list[tuple[int, int, bytes]]) -> float:
    for level, kind, data in marks:
        if level == socket.SOL_SOCKET and kind == _SO_TIMESTAMPNS and len(data) == _TIMESPEC.size:
            seconds, nanoseconds = _TIMESPEC.unpack(data)
            age: float = driver.wall() - seconds - nanoseconds * 1e-9
            return min(_OLDEST, max(0.0, age))
    return 0.0
