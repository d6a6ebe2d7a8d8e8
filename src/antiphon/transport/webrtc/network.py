"""The network thread: one event loop for the sockets and handshakes of all WebRTC legs of a process.

Begins with the first leg and ends after the last. Its ticker drives what waits for time; nothing in it waits for the plane,
and the plane never waits for it: what takes long to import (cryptography, aioice) is imported here.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Protocol

from antiphon.audio import driver

if TYPE_CHECKING:
    from antiphon.transport.webrtc.dtls import Certificate

TICK = 0.05
"""Seconds between two looks at what waits for time."""

_END_WITHIN = 2.0
_RENEW_AFTER = 7 * 24 * 3600.0
_log = logging.getLogger(__name__)


class Timed(Protocol):
    """Something with timers of its own."""

    def advance(self, now: float) -> None: ...


class Network:
    """Users hold it by ``acquire`` and ``release``; between the two its loop runs."""

    _lock = threading.Lock()
    _running: Network | None = None

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._users = 0
        self._timed: list[Timed] = []
        self._tasks: set[asyncio.Task[Any]] = set()
        self._next = 0.0
        self._certificate: Certificate | None = None
        self._made_at = 0.0
        self._thread = threading.Thread(target=self._run, name="antiphon-webrtc", daemon=True)

    @classmethod
    def acquire(cls) -> Network:
        """The running one, or a new one."""
        with cls._lock:
            network = cls._running
            if network is None:
                network = cls._running = cls()
                network._thread.start()
            network._users += 1
            return network

    def release(self) -> None:
        """After the last release the thread closes what is left and ends, by itself."""
        with self._lock:
            self._users -= 1
            if self._users:
                return
            Network._running = None
        self.loop.call_soon_threadsafe(self.loop.stop)

    def call(self, act: Callable[..., object], *arguments: object) -> None:
        """Do it soon in the network thread; callable from any thread."""
        self.loop.call_soon_threadsafe(act, *arguments)

    # --- in the network thread -----------------------------------------------------------------------------------------

    @property
    def certificate(self) -> Certificate:
        """This process's; a new one each week."""
        from antiphon.transport.webrtc.dtls import Certificate

        if self._certificate is None or driver.now() - self._made_at > _RENEW_AFTER:
            self._certificate, self._made_at = Certificate(), driver.now()
        return self._certificate

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run a coroutine to its end; the network's end cancels it."""
        task = self.loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def watch(self, timed: Timed) -> None:
        """Let ``timed`` have its ``advance`` until ``forget``."""
        self._timed.append(timed)

    def forget(self, timed: Timed) -> None:
        with contextlib.suppress(ValueError):
            self._timed.remove(timed)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            _log.error("A task of the WebRTC network failed.", exc_info=task.exception())

    def _run(self) -> None:
        import antiphon.transport.webrtc.peer_connection  # noqa: F401  (so that the first offer finds it)

        asyncio.set_event_loop(self.loop)
        self._next = driver.now()
        self.loop.call_soon(self._tick)
        self.loop.run_forever()
        try:
            self.loop.run_until_complete(self._end())
        finally:
            self.loop.close()

    def _tick(self) -> None:
        now = driver.now()
        for timed in list(self._timed):
            try:
                timed.advance(now)
            except Exception:
                _log.exception("A timer of the WebRTC network failed.")
                self.forget(timed)
        self._next = max(self._next + TICK, now)
        self.loop.call_later(max(0.0, self._next - now), self._tick)

    async def _end(self) -> None:
        """Give what is closing time to finish, then cancel it."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_END_WITHIN)
        rest = asyncio.all_tasks() - {asyncio.current_task()}
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)
        await self.loop.shutdown_default_executor()
