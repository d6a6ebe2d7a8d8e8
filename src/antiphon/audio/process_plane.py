"""The core's end of a plane that is a process: starts it, talks with it, notices its death, leaves nothing behind.

The plane's process shares nothing with this one but a socket pair and the monotonic clock: no computation here can
make its sound late. Its legs are made inside it, by the transport's name.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any, cast

from antiphon.audio import driver
from antiphon.audio.plane_frames import from_plane, pack
from antiphon.audio.seam import AnyFromPlane, AnyToPlane, LineDown, LineError
from antiphon.errors import AudioError

Deliver = Callable[[Sequence[AnyFromPlane]], None]
_START_WITHIN = 30.0
_CLOSE_WITHIN = 1.5
_MOST_UNSENT = 128 * 1024 * 1024


class ProcessPlane(asyncio.Protocol):
    """``vad_path``: the detector's model file (empty: no verdicts). All methods belong to one loop."""

    def __init__(self, vad_path: str = "") -> None:
        self._vad_path = vad_path
        self._loop = asyncio.get_running_loop()
        self._process: subprocess.Popen[bytes] | None = None
        self._transport: asyncio.Transport | None = None
        self._unpacker = from_plane()
        self._deliver: dict[str, Deliver] = {}
        self._outgoing: list[AnyToPlane] = []
        self._flushing = False
        self._ready: asyncio.Future[None] = self._loop.create_future()
        self._gone: asyncio.Future[None] = self._loop.create_future()
        self._closing = False

    @property
    def pid(self) -> int:
        """Process id of the plane (0: not running)."""
        return self._process.pid if self._process is not None else 0

    @property
    def alive(self) -> bool:
        """Whether it still takes messages."""
        return not self._closing and not self._gone.done()

    async def start(self) -> None:
        """Start the process and wait until its model is loaded. Raises ``AudioError``."""
        ours, theirs = socket.socketpair()
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        command = [sys.executable, "-P", "-m", "antiphon.audio.plane_main", str(theirs.fileno()), self._vad_path]
        try:
            self._process = subprocess.Popen(  # noqa: ASYNC220  (returns as soon as the child exists)
                command,
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                env=environment,
                start_new_session=True,
            )
        except OSError as error:
            ours.close()
            raise AudioError(f"The media plane cannot be started: {error}.") from error
        finally:
            theirs.close()
        await self._loop.create_connection(lambda: self, sock=ours)
        try:
            await asyncio.wait_for(asyncio.shield(self._ready), _START_WITHIN)
        except TimeoutError:
            await self.aclose()
            raise AudioError(f"The media plane did not start within {_START_WITHIN:g} s.") from None
        except AudioError:
            await self.aclose()
            raise

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
        process, transport = self._process, self._transport
        if process is None:
            return
        self._flush()
        self._closing = True
        if transport is not None and not self._gone.done():
            with contextlib.suppress(OSError, RuntimeError):
                transport.write_eof()
            await asyncio.wait((self._gone,), timeout=_CLOSE_WITHIN)
            transport.abort()
        try:
            await self._loop.run_in_executor(None, process.wait, 0.3)
        except subprocess.TimeoutExpired:
            process.kill()
            await self._loop.run_in_executor(None, process.wait)
        self._process = None

    # --- asyncio.Protocol --------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        by_line: dict[str, list[AnyFromPlane]] = {}
        message: Any
        for message in self._unpacker.feed(data):
            if message.line:
                by_line.setdefault(message.line, []).append(message)
            elif not self._ready.done():
                if isinstance(message, LineError):
                    self._ready.set_exception(AudioError(message.error, hint=message.hint))
                else:
                    self._ready.set_result(None)
        for line, batch in by_line.items():
            if deliver := self._deliver.get(line):
                deliver(batch)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._gone.done():
            self._gone.set_result(None)
        if not self._ready.done():
            self._ready.set_exception(AudioError("The media plane ended while it started."))
        if self._closing:
            return
        now = driver.now()
        for line, deliver in list(self._deliver.items()):
            text = "The media plane's process ended; its calls are lost."
            deliver(
                [
                    LineError(line=line, at=now, error=text, fatal=True),
                    LineDown(line=line, at=now, reason="plane lost", certain=False),
                ]
            )
        if self._process is not None:
            self._loop.run_in_executor(None, self._process.wait)

    def _flush(self) -> None:
        self._flushing = False
        if self._transport is None or not self._outgoing or self._gone.done():
            return
        messages, self._outgoing = self._outgoing, []
        self._transport.write(pack(messages))
        if self._transport.get_write_buffer_size() > _MOST_UNSENT:
            self._transport.abort()
