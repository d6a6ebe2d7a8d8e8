"""Lanes: the event loops a session's code runs on, and safe ways across.

C, the core lane, must never wait for U, the user's lane. Everything that crosses is posted; streams cross with
a bounded number of items under way. In a shared loop (notebooks, the virtual clock) both lanes are the same loop.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import AsyncIterator, Callable
from typing import Any, Generic, TypeVar

from antiphon.models.metering import metered_alike

T = TypeVar("T")


class Lane:
    """One event loop, as seen from anywhere. What is posted runs in the context variables that held where the lane was
    made: whose hook or tool posts it is nothing to it."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._context = contextvars.copy_context()

    def context(self) -> contextvars.Context:
        """A fresh copy of them, for a task that is made on the lane."""
        return self._context.copy()

    def here(self) -> bool:
        """Whether the caller runs on this lane."""
        return _running() is self.loop

    def post(self, call: Callable[..., object], *args: Any) -> None:
        """Run ``call`` on this lane, soon, in the order of posting. Dropped when the loop is gone."""
        try:
            if self.here():
                self.loop.call_soon(call, *args, context=self.context())
            else:
                self.loop.call_soon_threadsafe(call, *args, context=self.context())
        except RuntimeError:  # the loop is closed: nobody is left to tell
            return

    def run(self, call: Callable[..., object], *args: Any) -> None:
        """Run ``call`` on this lane: at once from the lane itself, else as ``post``. Keeps the order of what is done
        through it."""
        if self.here():
            call(*args)
        else:
            self.post(call, *args)


def _running() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


class Inlet(Generic[T]):
    """A bounded stream into a lane: anybody puts, one consumer on ``lane`` iterates.

    ``put`` never blocks. Beyond ``limit`` waiting items the oldest is dropped and counted, which is right for live
    audio; streams that must not lose anything are paced by their producer.
    """

    def __init__(self, lane: Lane, *, limit: int = 0) -> None:
        self.lane = lane
        self.limit = limit
        self.dropped = 0
        self._items: list[T] = []
        self._ended = False
        self._wake = asyncio.Event()

    def put(self, item: T) -> None:
        self.lane.run(self._put, item)

    def end(self) -> None:
        self.lane.run(self._end)

    def _put(self, item: T) -> None:
        if self._ended:
            return
        if self.limit and len(self._items) >= self.limit:
            self._items.pop(0)
            self.dropped += 1
        self._items.append(item)
        self._wake.set()

    def _end(self) -> None:
        self._ended = True
        self._wake.set()

    def __aiter__(self) -> AsyncIterator[T]:
        return self

    async def __anext__(self) -> T:
        while not self._items:
            if self._ended:
                raise StopAsyncIteration
            self._wake.clear()
            await self._wake.wait()
        return self._items.pop(0)


class _End:
    def __init__(self, error: BaseException | None) -> None:
        self.error = error


async def across(make: Callable[[], AsyncIterator[T]], *, home: Lane, limit: int = 32) -> AsyncIterator[T]:
    """Iterate, here, a stream that is made and runs on ``home``, with at most ``limit`` items under way.

    Errors of the stream are raised here. When this iterator is closed the stream's task is cancelled on its lane
    and not waited for: the caller must not depend on the other lane.
    """
    if home.here():
        local = make()
        try:
            async for one in local:
                yield one
        finally:
            close = getattr(local, "aclose", None)
            if close is not None:
                await close()
        return

    make = metered_alike(make)
    here = Lane(asyncio.get_running_loop())
    inlet: Inlet[T | _End] = Inlet(here)
    credit = [limit]
    gate: list[asyncio.Event] = []
    task: list[asyncio.Task[None]] = []
    closed = [False]

    async def pump() -> None:
        error: BaseException | None = None
        stream = make()
        try:
            async for item in stream:
                while credit[0] <= 0:
                    gate[0].clear()
                    await gate[0].wait()
                credit[0] -= 1
                inlet.put(item)
        except asyncio.CancelledError:
            raise
        except BaseException as exc:
            error = exc
        finally:
            close = getattr(stream, "aclose", None)
            if close is not None:
                await close()
            inlet.put(_End(error))

    def begin() -> None:
        if not closed[0]:
            gate.append(asyncio.Event())
            task.append(home.loop.create_task(pump(), name="antiphon:node"))

    def give() -> None:
        credit[0] += 1
        gate[0].set()

    def stop() -> None:
        closed[0] = True
        for one in task:
            one.cancel()

    home.post(begin)
    try:
        async for item in inlet:
            if isinstance(item, _End):
                if item.error is not None:
                    raise item.error
                return
            home.post(give)
            yield item
    finally:
        home.post(stop)
