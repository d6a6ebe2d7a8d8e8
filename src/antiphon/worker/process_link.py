"""A socket pair between two processes of a worker: framed messages. Belongs to one loop.

What is no message of the other side's ends the link: nobody can go on after it.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar, cast

import msgspec

from antiphon.audio.framing import TooLongError, Unframer, frame

logger = logging.getLogger("antiphon")

MOST_BYTES = 16 * 1024 * 1024
"""Of one message."""

T = TypeVar("T")


class ProcessLink(asyncio.Protocol, Generic[T]):
    """``reads``: the type (or union) of what comes; ``take``: gets each message; ``lost``: called once, when the other end is
    gone."""

    def __init__(self, reads: Any, take: Callable[[T], object], lost: Callable[[], object]) -> None:
        self._decoder = msgspec.msgpack.Decoder(reads)
        self._take, self._lost = take, lost
        self._transport: asyncio.Transport | None = None
        self._frames = Unframer(MOST_BYTES)
        self.open = False

    def send(self, message: msgspec.Struct) -> None:
        """Never blocks; dropped when the other end is gone."""
        if self.open and self._transport is not None:
            self._transport.write(frame(message))

    def close(self) -> None:
        """Send what waits, then close."""
        if self._transport is not None:
            self._transport.close()

    # --- asyncio.Protocol ----------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self.open = True

    def data_received(self, data: bytes) -> None:
        for message in self._messages(data):
            self._take(message)

    def _messages(self, data: bytes) -> Iterator[T]:
        try:
            for body in self._frames.feed(data):
                yield self._decoder.decode(body)
        except (msgspec.MsgspecError, TooLongError) as error:
            self._broken(str(error))

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
