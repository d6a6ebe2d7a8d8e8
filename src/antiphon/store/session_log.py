"""One session's log on its way to a store: appends from the core loop, batches for the store's thread.

Owns: the order of what waits, and who waits for it. Never: a file, a lease.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from threading import Condition
from typing import Any, NamedTuple

import msgspec

from antiphon.errors import StoreError
from antiphon.models.log import Lane
from antiphon.models.store import Lease

BARRIER = 0.3
"""Seconds a barrier waits for the disk unless told otherwise."""
MAX_WAITING = 20_000
"""Entries that may wait while the store cannot write. With more the log is lost: it would have a gap."""


class Waiting(NamedTuple):
    """An entry that is not written yet. ``position``: of the newest fact, itself included; ``since``: stopwatch."""

    seq: int
    position: int
    lane: Lane
    at: float
    body: msgspec.Struct | dict[str, Any]
    since: float


class SqliteSessionLog:
    """``lock``: the store's, which guards all fields. ``wake``: tells its thread that something waits (``True``: at once).
    ``stopwatch``: the store's. ``left``: told when the log is closed."""

    def __init__(
        self,
        lease: Lease,
        *,
        lock: Condition,
        wake: Callable[[bool], None],
        stopwatch: Callable[[], float],
        left: Callable[[SqliteSessionLog], None],
        on_error: Callable[[StoreError], None] | None,
        max_waiting: int = MAX_WAITING,
    ) -> None:
        self.lease = lease
        self.error: StoreError | None = None
        self.dropped = 0
        self.position = self.durable = lease.position
        self.waiting: deque[Waiting] = deque()
        self.tried = -1
        """The last entry of a commit that failed: it may have been written all the same."""
        self._lock, self._wake, self._stopwatch, self._left = lock, wake, stopwatch, left
        self._on_error = on_error
        self._max = max_waiting
        self._seq = self._stored = lease.seq
        self._told = ""
        self._barriers: list[tuple[int, asyncio.AbstractEventLoop, asyncio.Future[None]]] = []
        self._closed = False

    # --- for the session -----------------------------------------------------------------------------------------

    def append(self, lane: Lane, at: float, body: msgspec.Struct | dict[str, Any]) -> int:
        # A struct is frozen and may be encoded later; a dict belongs to the caller, who may change it.
        held = body if isinstance(body, msgspec.Struct) else msgspec.to_builtins(body)
        with self._lock:
            self._seq += 1
            self.position += lane == "fact"
            if len(self.waiting) >= self._max:
                said = f"More than {self._max} entries of session {self.lease.session} wait for the store."
                self.fail(StoreError(said, hint="The call goes on without a log.", reason="behind"))
            if self._closed or self.error is not None:
                self.dropped += 1
            else:
                self.waiting.append(Waiting(self._seq, self.position, lane, at, held, self._stopwatch()))
                self._wake(lane == "fact")
            return self._seq

    async def until_durable(self, position: int, timeout: float = BARRIER) -> None:
        future = self._barrier(position)
        if future is not None:
            async with asyncio.timeout(timeout):
                await future

    async def aclose(self) -> None:
        """Wait until what was appended is durable, at most 2 s, then take nothing more. The lease stays."""
        with self._lock:
            seq = self._seq
        with suppress(StoreError, TimeoutError):
            await self.until_stored(seq, 2.0)
        with self._lock:
            self._closed = True
            self.dropped += len(self.waiting)
            self.waiting.clear()
        self._left(self)

    async def until_stored(self, seq: int, timeout: float) -> None:
        """As ``until_durable``, for the entry ``seq`` of either lane."""
        future = self._barrier(seq, by_seq=True)
        if future is not None:
            async with asyncio.timeout(timeout):
                await future

    def _barrier(self, at: int, *, by_seq: bool = False) -> asyncio.Future[None] | None:
        with self._lock:
            if (self._stored if by_seq else self.durable) >= at:
                return None
            if self.error is not None:
                raise self.error
            loop = asyncio.get_running_loop()
            seq = at if by_seq else next((w.seq for w in self.waiting if w.position >= at), self._seq + 1)
            future: asyncio.Future[None] = loop.create_future()
            self._barriers.append((seq, loop, future))
            self._wake(True)
            return future

    # --- for the store's thread, which holds the lock ------------------------------------------------------------

    def stored(self, seq: int) -> None:
        """Everything up to ``seq`` is durable."""
        while self.waiting and self.waiting[0].seq <= seq:
            self.durable = self.waiting.popleft().position
        self._stored = max(self._stored, seq)
        self._told = ""
        reached = [barrier for barrier in self._barriers if barrier[0] <= seq]
        self._barriers = [barrier for barrier in self._barriers if barrier[0] > seq]
        self._settle(reached, None)

    def fail(self, error: StoreError) -> None:
        """Nothing more of this session can be stored."""
        if self.error is None:
            self.error = error
            self.dropped += len(self.waiting)
            self.waiting.clear()
            barriers, self._barriers = self._barriers, []
            self._settle(barriers, error)
            self.tell(error)

    def tell(self, error: StoreError) -> None:
        """Of a trouble, once until it is over."""
        if self._told != error.reason:
            self._told = error.reason
            if self._on_error is not None:
                with suppress(Exception):
                    self._on_error(error)

    @staticmethod
    def _settle(
        barriers: list[tuple[int, asyncio.AbstractEventLoop, asyncio.Future[None]]], error: StoreError | None
    ) -> None:
        def settle(future: asyncio.Future[None]) -> None:
            if not future.done():
                future.set_exception(error) if error is not None else future.set_result(None)

        for _, loop, future in barriers:
            with suppress(RuntimeError):  # the loop is closed: nobody waits
                loop.call_soon_threadsafe(settle, future)
