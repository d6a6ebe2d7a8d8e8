"""A socket pair between two processes of a worker: messages as msgpack, each behind its length. Belongs to one loop.

What is no message of the other side's ends the link: nobody can go on after it.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import struct
from collections.abc import Callable
from typing import Any, Generic, TypeVar, cast

import msgspec

logger = logging.getLogger("antiphon")

MOST_BYTES = 16 * 1024 * 1024
"""Of one message."""

T = TypeVar("T")
_encoder = msgspec.msgpack.Encoder()


def pack(message: msgspec.Struct) -> bytes:
    """One message, ready to be written."""
    body = _encoder.encode(message)
    return struct.pack("<I", len(body)) + body


class ProcessLink(asyncio.Protocol, Generic[T]):
    """``reads``: the type (or union) of what comes; ``take``: gets each message; ``lost``: called once, when the other end is
    gone."""

    def __init__(self, reads: Any, take: Callable[[T], object], lost: Callable[[], object]) -> None:
        self._decoder = msgspec.msgpack.Decoder(reads)
        self._take, self._lost = take, lost
        self._transport: asyncio.Transport | None = None
        self._bytes = bytearray()
        self.open = False

    def send(self, message: msgspec.Struct) -> None:
        """Never blocks; dropped when the other end is gone."""
        if self.open and self._transport is not None:
            self._transport.write(pack(message))

    def close(self) -> None:
        """Send what waits, then close."""
        if self._transport is not None:
            self._transport.close()

    # --- asyncio.Protocol ----------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self.open = True

    def data_received(self, data: bytes) -> None:
        self._bytes += data
        while len(self._bytes) >= 4:
            (size,) = struct.unpack_from("<I", self._bytes)
            if size > MOST_BYTES:
                self._broken(f"{size} bytes at once")
                return
            if len(self._bytes) - 4 < size:
                return
            body = bytes(self._bytes[4 : 4 + size])
            del self._bytes[: 4 + size]
            try:
                message: T = self._decoder.decode(body)
            except msgspec.MsgspecError as error:
                self._broken(str(error))
                return
            self._take(message)

    def connection_lost(self, exc: Exception | None) -> None:
        self.open = False
        self._lost()

    def _broken(self, why: str) -> None:
        logger.error("the link to another process of this worker carries what is no message: %s", why)
        if self._transport is not None:
            self._transport.abort()


async def open_link(
    sock: socket.socket, reads: Any, take: Callable[[T], object], lost: Callable[[], object]
) -> ProcessLink[T]:
    """A link over one end of a socket pair, on the running loop."""
    _, link = await asyncio.get_running_loop().create_connection(lambda: ProcessLink(reads, take, lost), sock=sock)
    return link
