"""A stream's worker: one task fills a queue that the stream's user empties; closing cancels the task at once."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")
Emit = Callable[[T], Awaitable[None]]


class _End:
    def __init__(self, error: BaseException | None) -> None:
        self.error = error


class Pump(Generic[T]):
    """Runs ``work(emit)`` once somebody iterates. ``ahead``: how many items may wait unread."""

    def __init__(self, work: Callable[[Emit[T]], Awaitable[None]], *, ahead: int = 64) -> None:
        self._work = work
        self._ready: asyncio.Queue[T | _End] = asyncio.Queue(ahead)
        self._task: asyncio.Task[None] | None = None
        self._closed = False

    def start(self) -> None:
        """Begin before anybody iterates (a stream that must take input in time)."""
        if self._task is None and not self._closed:
            self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        error: BaseException | None = None
        try:
            await self._work(self._ready.put)
        except asyncio.CancelledError:
            raise
        except Exception as raised:
            error = raised
        await self._ready.put(_End(error))

    async def items(self) -> AsyncIterator[T]:
        """What the work emitted. Raises what the work raised; ends quietly when closed."""
        self.start()
        try:
            while not self._closed:
                item = await self._ready.get()
                if isinstance(item, _End):
                    if item.error is not None and not self._closed:
                        raise item.error
                    return
                yield item
        finally:
            await self.aclose()

    async def aclose(self) -> None:
        self._closed = True
        task, self._task = self._task, None
        if task is not None and not task.done():
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait([task])
        while not self._ready.empty():
            self._ready.get_nowait()
        self._ready.put_nowait(_End(None))
