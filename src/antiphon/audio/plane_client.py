"""A client's end of a plane that is a process: messages out and in, and the news that it is gone.

``connect_plane`` reaches a plane that somebody else started and that listens; its lines outlive this connection.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any, cast

from antiphon.audio import driver
from antiphon.audio.framing import frame
from antiphon.audio.plane_frames import from_plane
from antiphon.audio.seam import AnyFromPlane, AnyToPlane, LineDown, LineError
from antiphon.errors import AudioError

logger = logging.getLogger("antiphon")

Deliver = Callable[[Sequence[AnyFromPlane]], None]
_READY_WITHIN = 5.0
_CLOSE_WITHIN = 1.5
_MOST_UNSENT = 128 * 1024 * 1024


class PlaneClient(asyncio.Protocol):
    """One connection. All methods belong to the loop that it is made on."""

    lost = "The connection to the media plane is lost."
    """What each line is told when it is."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._unpacker = from_plane()
        self._deliver: dict[str, Deliver] = {}
        self._outgoing: list[AnyToPlane] = []
        self._flushing = False
        self._ready: asyncio.Future[None] = self._loop.create_future()
        self._gone: asyncio.Future[None] = self._loop.create_future()
        self._closing = False

    @property
    def alive(self) -> bool:
        """Whether it still takes messages."""
        return not self._closing and not self._gone.done()

    async def ready(self, seconds: float) -> None:
        """Until the plane can be used. Raises ``AudioError``."""
        try:
            await asyncio.wait_for(asyncio.shield(self._ready), seconds)
        except TimeoutError:
            await self.aclose()
            raise AudioError(f"The media plane did not answer within {seconds:g} s.") from None
        except AudioError:
            await self.aclose()
            raise

    # --- PlaneLink -----------------------------------------------------------------------------------------------------

    def send(self, message: AnyToPlane) -> None:
        if self._transport is None or self._closing or self._gone.done():
            raise AudioError("The media plane is gone.")
        self._outgoing.append(message)
        if not self._flushing:
            self._flushing = True
            self._loop.call_soon(self._flush)

    def subscribe(self, line: str, deliver: Deliver) -> None:
        self._deliver[line] = deliver

    def unsubscribe(self, line: str) -> None:
        self._deliver.pop(line, None)

    async def aclose(self) -> None:
        """Disconnect. Lines that are open wait in the plane for another owner."""
        self._flush()
        self._closing = True
        if self._transport is not None and not self._gone.done():
            self._transport.close()
            await asyncio.wait((self._gone,), timeout=_CLOSE_WITHIN)
            self._transport.abort()

    # --- asyncio.Protocol ----------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        by_line: dict[str, list[AnyFromPlane]] = {}
        message: Any
        for message in self._unpacker.feed(data):
            if message.line:
                by_line.setdefault(message.line, []).append(message)
            elif isinstance(message, LineError):
                self.lost = f"{message.error} {message.hint}".strip()
                if not self._ready.done():
                    self._ready.set_exception(AudioError(message.error, hint=message.hint))
            elif not self._ready.done():
                self._ready.set_result(None)
        for line, batch in by_line.items():
            self._give(line, batch)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._gone.done():
            self._gone.set_result(None)
        if not self._ready.done():
            self._ready.set_exception(AudioError("The media plane ended before it was ready."))
        if self._closing:
            return
        now = driver.now()
        for line in list(self._deliver):
            self._give(
                line,
                [
                    LineError(line=line, at=now, error=self.lost, fatal=True),
                    LineDown(line=line, at=now, reason="plane lost", certain=False),
                ],
            )

    def _give(self, line: str, batch: Sequence[AnyFromPlane]) -> None:
        """What one line's session makes of it must not end the connection, which is all lines'."""
        deliver = self._deliver.get(line)
        if deliver is None:
            return
        try:
            deliver(batch)
        except Exception:
            logger.exception("line %s: what the media plane said of it was not taken in", line)

    def _flush(self) -> None:
        self._flushing = False
        if self._transport is None or not self._outgoing or self._gone.done():
            return
        messages, self._outgoing = self._outgoing, []
        self._transport.write(frame(messages))
        if self._transport.get_write_buffer_size() > _MOST_UNSENT:
            self._transport.abort()


async def connect_plane(path: str) -> PlaneClient:
    """Connect to the plane that listens at ``path``. Raises ``AudioError`` when none does."""
    loop = asyncio.get_running_loop()
    try:
        _, client = await loop.create_unix_connection(PlaneClient, path)
    except OSError as error:
        raise AudioError(
            f"No media plane can be reached at {path}: {error.strerror or error}.",
            hint="It has ended, and its lines with it, or it was started without this socket: open a line on another plane.",
        ) from error
    await client.ready(_READY_WITHIN)
    return client
