"""An attempt: one stream of one model, read in a task of its own, so that whoever reads it can leave it at any time.

Owns the task, its watch, and its end. Never: which model is asked, and what is done when it fails.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import suppress
from typing import Generic, Protocol, TypeVar

from antiphon.errors import ModelError

T_co = TypeVar("T_co", covariant=True)
T = TypeVar("T")
U = TypeVar("U")

WAITING = 64
"""Items that may wait for the reader; then the model is read no further."""
CLOSE_WITHIN = 0.5
"""Seconds that a stream may take to close before it is left to itself."""


class Readable(Protocol[T_co]):
    """What streams of all kinds of models have in common."""

    def __aiter__(self) -> AsyncIterator[T_co]: ...

    def aclose(self) -> Awaitable[None]: ...


async def gives(stream: Readable[T], wanted: Callable[[T], object]) -> bool:
    """Whether a stream gives an item that is ``wanted``; it is closed in any case."""
    items = aiter(stream)
    try:
        async for item in items:
            if wanted(item):
                return True
        return False
    finally:
        close = getattr(items, "aclose", None)
        if close is not None:
            await close()
        await stream.aclose()


class Attempt(Generic[T, U]):
    """``open``: makes the stream; what it raises is the attempt's failure. ``accept``: called with each item as it comes;
    gives what the reader gets of it. ``waits``: whether the model owes something right now; where it does, and nothing
    comes for ``patience`` s (``None``: for ever), the attempt fails with ``overdue`` and is ``timed_out``."""

    def __init__(
        self,
        open: Callable[[], Readable[T]],
        *,
        accept: Callable[[T], Iterable[U]],
        waits: Callable[[], bool],
        patience: float | None,
        overdue: str,
        name: str,
    ) -> None:
        self._open, self._accept, self._waits = open, accept, waits
        self._patience, self._overdue = patience, overdue
        self._items: deque[U] = deque()
        self._ready = asyncio.Event()
        self._room = asyncio.Event()
        self._watch: asyncio.TimerHandle | None = None
        self._error: Exception | None = None
        self._ended = self._stopped = False
        self.timed_out = False
        self._loop = asyncio.get_running_loop()
        self._last, self._held = self._loop.time(), False
        self._task = self._loop.create_task(self._run(), name=f"antiphon:attempt:{name}")

    async def next(self) -> U | None:
        """The next item; ``None`` when the stream has ended. Raises what the stream raised."""
        while not self._items:
            if self._error is not None:
                raise self._error
            if self._ended:
                return None
            self._ready.clear()
            await self._ready.wait()
        item = self._items.popleft()
        self._room.set()
        return item

    def fail(self, error: Exception) -> None:
        """It has failed, whatever it says: the reader gets what has come, then this."""
        if self._error is None and not self._ended:
            self._error = error
            self._watch_off()
            self._stop()
            self._ready.set()

    def owes(self) -> None:
        """The model was given something to answer: watch it, unless it is watched."""
        if self._watch is None and self._patience is not None and self._waits():
            self._watch = self._loop.call_later(self._patience, self._late)

    def _late(self) -> None:
        self.timed_out = True
        self.fail(ModelError(self._overdue))

    @property
    def silent_for(self) -> float:
        """Seconds for which the model has given nothing, though it could have; 0 when it has ended."""
        return 0.0 if self._task.done() or self._held else self._loop.time() - self._last

    async def aclose(self) -> None:
        """Stop it. Returns within ``CLOSE_WITHIN`` s, whatever the stream does."""
        self._watch_off()
        self._stop()
        await asyncio.wait({self._task}, timeout=CLOSE_WITHIN)
        self._task.cancel()

    def _stop(self) -> None:
        """Unless it ends already: another cancellation would interrupt the stream's own closing."""
        if not self._stopped:
            self._stopped = True
            self._task.cancel()

    def _watch_off(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None

    async def _run(self) -> None:
        stream: Readable[T] | None = None
        try:
            stream = self._open()
            self.owes()
            async for item in stream:
                self._watch_off()
                self._items.extend(self._accept(item))
                self._ready.set()
                self._held = True
                while len(self._items) > WAITING:
                    self._room.clear()
                    await self._room.wait()
                self._last, self._held = self._loop.time(), False
                self.owes()
            self._ended = True
        except Exception as error:
            self._error = self._error or error
        finally:
            self._stopped = True
            self._watch_off()
            self._ready.set()
            if stream is not None:
                with suppress(Exception):  # what it says of its own end no longer matters
                    await stream.aclose()
