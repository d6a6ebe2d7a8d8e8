"""The end of a plane that is a process, for whoever starts it: waits for its model, ends it, leaves nothing behind.

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
from itertools import chain

from antiphon.audio.plane_client import PlaneClient
from antiphon.audio.seam import ClosePlane
from antiphon.errors import AudioError

_START_WITHIN = 30.0
_CLOSE_WITHIN = 1.5


class ProcessPlane(PlaneClient):
    """``vad_path``: the detector's model file (empty: no verdicts). ``listen``: path of a Unix socket that other processes
    connect to (``connect_plane``); with it the plane outlives this process for as long as it has lines. ``linger``: seconds
    that a line waits there for another owner (30), ``patience``: after which a client that reads nothing is cut off (15). All
    methods belong to one loop."""

    lost = "The media plane's process ended; its calls are lost."

    def __init__(
        self, vad_path: str = "", *, listen: str = "", linger: float | None = None, patience: float | None = None
    ) -> None:
        super().__init__()
        asked = {"--listen": listen or None, "--linger": linger, "--patience": patience}
        options = [(name, str(value)) for name, value in asked.items() if value is not None]
        self._arguments = [vad_path, *chain.from_iterable(options)]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Process id of the plane (0: not running)."""
        return self._process.pid if self._process is not None else 0

    async def start(self) -> None:
        """Start the process and wait until its model is loaded. Raises ``AudioError``."""
        ours, theirs = socket.socketpair()
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        command = [sys.executable, "-P", "-m", "antiphon.audio.plane_main", str(theirs.fileno()), *self._arguments]
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
        await self.ready(_START_WITHIN)

    async def leave(self) -> None:
        """Disconnect: the plane goes on by itself for as long as it has lines."""
        await super().aclose()

    async def aclose(self) -> None:
        """End the plane and its lines, whoever has them."""
        process, transport = self._process, self._transport
        if process is None:
            return
        if self.alive:
            self._outgoing.append(ClosePlane())
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

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if not self._closing and self._process is not None:
            self._loop.run_in_executor(None, _bury, self._process)


def _bury(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(subprocess.TimeoutExpired):  # it serves others still
        process.wait(5.0)
