"""A thread with an event loop, shared by all legs of one transport in a process: for sockets, handshakes and SDKs that want
asyncio.

Begins with the first leg and ends after the last. Nothing in it waits for the plane, and the plane never waits for it.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Coroutine
from typing import Any, ClassVar, Self

_END_WITHIN = 2.0
_log = logging.getLogger(__name__)


class LoopThread:
    """Users hold it by ``acquire`` and ``release``; between the two its loop runs. Each subclass has a thread of its own."""

    name: ClassVar[str]
    _lock = threading.Lock()
    _running: ClassVar[Any] = None

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._users = 0
        self._tasks: set[asyncio.Task[Any]] = set()
        self._thread = threading.Thread(target=self._run, name=f"antiphon-{self.name}", daemon=True)

    @classmethod
    def acquire(cls) -> Self:
        """The running one, or a new one."""
        with cls._lock:
            running: Self | None = cls._running
            if running is None:
                running = cls._running = cls()
                running._thread.start()
            running._users += 1
            return running

    def release(self) -> None:
        """After the last release the thread closes what is left and ends, by itself."""
        with self._lock:
            self._users -= 1
            if self._users:
                return
            type(self)._running = None
        self.loop.call_soon_threadsafe(self.loop.stop)

    def call(self, act: Callable[..., object], *arguments: object) -> None:
        """Do it soon in the thread; callable from any thread."""
        self.loop.call_soon_threadsafe(act, *arguments)

    # --- in the thread -------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """The thread has begun: what a subclass imports and starts."""

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run a coroutine to its end; the thread's end cancels it."""
        task = self.loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            _log.error("A task of the %s thread failed.", self.name, exc_info=task.exception())

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.begin()
        self.loop.run_forever()
        try:
            self.loop.run_until_complete(self._end())
        finally:
            self.loop.close()

    async def _end(self) -> None:
        """Give what is closing time to finish, then cancel it."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_END_WITHIN)
        rest = asyncio.all_tasks() - {asyncio.current_task()}
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)
        await self.loop.shutdown_default_executor()
