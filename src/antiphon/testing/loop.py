"""The virtual clock: an event loop whose time jumps instead of passing.

It owns when timers fire and in which order. Nothing ever sleeps: when no callback is ready, time jumps to the next
timer. Timers due at the same instant fire in an order drawn from ``seed`` (0: in the order they were set), callbacks
of ``call_soon`` keep theirs. Real sockets and executor threads still work: while there are any, the loop gives them a
moment of real time before it jumps. It never reads a real clock for anything that code under test can see.
"""

from __future__ import annotations

import asyncio
import heapq
import random
import selectors
import time
from asyncio import events
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

from antiphon.errors import AntiphonError

T = TypeVar("T")

START = 1_000.0
"""Seconds on the virtual clock when a loop is made: not 0, so that "unset" and "at the start" never look alike."""

MAX_ROUNDS = 50_000
"""Rounds of the loop at one instant after which somebody spins."""


class SimulationStuckError(AntiphonError):
    """The simulation cannot go on: everybody waits for nothing, or somebody spins."""


class _Timer(events.TimerHandle):
    """A timer with its place: the instant (whatever floats make of it, 1 ns is one instant) and a rank within it."""

    __slots__ = ("place",)
    place: tuple[float, float, int]

    def __lt__(self, other: object) -> bool:
        return self.place < other.place if isinstance(other, _Timer) else NotImplemented


class _JumpingSelector(selectors.BaseSelector):
    """Where the loop would wait for I/O or a timer, moves the clock instead."""

    def __init__(self) -> None:
        self.real = selectors.DefaultSelector()
        self.loop: VirtualLoop | None = None

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self.real.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self.real.unregister(fileobj)

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self.real.modify(fileobj, events, data)

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self.real.get_map()

    def close(self) -> None:
        self.real.close()

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        assert self.loop is not None
        return self.loop._wait(timeout)


class VirtualLoop(asyncio.SelectorEventLoop):
    """An asyncio loop on virtual time.

    ``seed``: order of timers due at the same instant. ``limit``: virtual seconds after which a run is given up.
    ``io_patience``: real seconds that open sockets get before each jump. ``thread_patience``: real seconds in which
    executor threads may finish; virtual time stands still meanwhile, so that their results come at the same virtual
    instant in every run.
    """

    virtual = True
    """So that code which would start a thread of its own can tell."""

    def __init__(
        self, seed: int = 0, *, limit: float = 86_400.0, io_patience: float = 0.002, thread_patience: float = 10.0
    ) -> None:
        self._now = START
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)
        self._jumping.loop = self
        self._clock_resolution = 1e-12
        self._latest: dict[float, float] = {}
        self._seed = seed
        self._random = random.Random(seed)
        self._count = 0
        self._spins = 0
        self._quiet_polls = 0
        self._threads = 0
        self._thread_since = 0.0
        self._limit = START + limit
        self._io_patience = io_patience
        self._thread_patience = thread_patience
        self.jumps = 0
        """How often time has moved: a measure of the work a simulation is."""

    def time(self) -> float:
        return self._now

    @property
    def open_sockets(self) -> int:
        """Sockets and pipes that something on this loop waits for."""
        return len(self._jumping.get_map()) - 1  # one is the loop's own wake-up pipe

    def call_at(self, when: float, callback: Callable[..., object], *args: Any, context: Any = None) -> _Timer:  # type: ignore[override]
        self._check_closed()  # type: ignore[attr-defined]
        timer = _Timer(when, callback, args, self, context)
        self._count += 1
        instant = round(when, 9)
        timer.place = (instant, self._random.random() if self._seed else 0.0, self._count)
        self._latest[instant] = max(when, self._latest.get(instant, when))
        heapq.heappush(self._scheduled, timer)  # type: ignore[attr-defined]
        timer._scheduled = True  # type: ignore[attr-defined]
        return timer

    def call_later(self, delay: float, callback: Callable[..., object], *args: Any, context: Any = None) -> _Timer:  # type: ignore[override]
        return self.call_at(self._now + delay, callback, *args, context=context)

    def run_in_executor(self, executor: Any, func: Callable[..., T], *args: Any) -> asyncio.Future[T]:  # type: ignore[override]
        if not self._threads:
            self._thread_since = time.monotonic()
        self._threads += 1
        future = super().run_in_executor(executor, func, *args)
        future.add_done_callback(self._thread_done)
        return future

    def _thread_done(self, _: object) -> None:
        self._threads -= 1
        self._thread_since = time.monotonic()

    # --- where the loop would sleep ------------------------------------------------------------------------------

    def _wait(self, timeout: float | None) -> list[tuple[selectors.SelectorKey, int]]:
        """``timeout``: 0 = callbacks are ready, otherwise seconds to the next timer, ``None`` = there is none."""
        has_io = self.open_sockets > 0
        if timeout is not None and timeout <= 0:
            self._spins += 1
            if self._spins > MAX_ROUNDS:
                self._spins = 0
                raise SimulationStuckError(
                    f"Virtual time has stood still at {self._now - START:.3f} s for {MAX_ROUNDS:,} rounds.",
                    hint=f"Somebody loops without waiting:\n{waiting_tasks(self)}",
                )
            if has_io or self._threads or self._spins % 256 == 0:
                return self._jumping.real.select(0)
            return []
        self._spins = 0
        if self._threads and time.monotonic() - self._thread_since < self._thread_patience:
            return self._jumping.real.select(0.05)
        found = self._jumping.real.select(self._io_patience if has_io else 0)
        if found:
            self._quiet_polls = 0
            return found
        if timeout is None:
            if has_io and self._quiet_polls * self._io_patience < 2.0:
                self._quiet_polls += 1
                return []
            raise SimulationStuckError(
                f"Nothing will ever happen again: no timer is set at {self._now - START:.3f} s of virtual time.",
                hint=f"Still waiting:\n{waiting_tasks(self)}",
            )
        self._quiet_polls = 0
        first: _Timer = self._scheduled[0]  # type: ignore[attr-defined]
        # All of an instant are due at the latest of its times: no timer ever fires early.
        self._now = max(self._now, self._latest.get(first.place[0], first.when()))
        self.jumps += 1
        if len(self._latest) > 4_096:
            self._latest = {instant: at for instant, at in self._latest.items() if at > self._now}
        if self._now > self._limit:
            raise SimulationStuckError(
                f"The run was not over after {self._limit - START:.0f} s of virtual time.",
                hint=f"Raise limit=, or look at who goes on:\n{waiting_tasks(self)}",
            )
        return []


def waiting_tasks(loop: asyncio.AbstractEventLoop) -> str:
    """The loop's unfinished tasks, one a line: name, coroutine, and where it waits."""
    lines = []
    for task in sorted(asyncio.all_tasks(loop), key=lambda t: t.get_name()):
        coroutine = task.get_coro()
        name = getattr(coroutine, "__qualname__", repr(coroutine))
        stack = task.get_stack(limit=1)
        where = f"{stack[0].f_code.co_filename}:{stack[0].f_lineno}" if stack else "not started"
        lines.append(f"  {task.get_name()}: {name} at {where}")
    return "\n".join(lines) or "  (no task)"


@contextmanager
def virtual_loop(seed: int = 0, *, limit: float = 86_400.0) -> Iterator[VirtualLoop]:
    """A fresh loop, set as the current one; tasks left on it at the end are cancelled, and it is closed."""
    loop = VirtualLoop(seed, limit=limit)
    try:
        asyncio.set_event_loop(loop)
        yield loop
    finally:
        _wind_up(loop)
        asyncio.set_event_loop(None)


def run(main: Coroutine[Any, Any, T], seed: int = 0, *, limit: float = 86_400.0) -> T:
    """Run ``main`` on a fresh virtual loop and return its result; what it leaves behind is cancelled.

    Raises ``SimulationStuckError`` where a real loop would wait for ever.
    """
    with virtual_loop(seed, limit=limit) as loop:
        return loop.run_until_complete(main)


def _wind_up(loop: VirtualLoop) -> None:
    loop._limit = float("inf")
    left = asyncio.all_tasks(loop)
    for task in left:
        task.cancel()
    try:
        if left:
            with suppress(SimulationStuckError):  # a task that will not be cancelled is not waited for
                loop.run_until_complete(asyncio.wait(left, timeout=60.0))
        loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        loop.close()
