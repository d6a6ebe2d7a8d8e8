"""Notices that an event loop stands still, and says which line of whose code it stands on.

Owns: probing loops from a thread of its own, reading their stacks. Never: the loops' work.
A probe is posted into the loop; a loop that is merely idle answers at once, one that is blocked does not, and its
thread's stack is looked at meanwhile.
"""

from __future__ import annotations

import asyncio
import sys
import sysconfig
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import FrameType

import antiphon
from antiphon.telemetry.records import Stall

Clock = Callable[[], float]
Place = tuple[str, str]
"""(``file:line``, function)."""

_PACKAGE = str(Path(antiphon.__file__).parent)
_INSTALLED = tuple({sysconfig.get_path("purelib"), sysconfig.get_path("platlib")})
_STANDARD = tuple({sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib")})


def user_line(frame: FrameType | None) -> Place:
    """The innermost line of the user's own code in a stack; else of an installed package; else of anything."""
    best: tuple[int, Place] = (3, ("", ""))
    while frame is not None:
        file = frame.f_code.co_filename
        rank = 0 if not _is_framework(file) else 2
        if rank == 0 and file.startswith(_INSTALLED):
            rank = 1
        if rank < best[0]:
            best = (rank, (f"{file}:{frame.f_lineno}", frame.f_code.co_qualname))
        if rank == 0:
            break
        frame = frame.f_back
    return best[1]


def _is_framework(file: str) -> bool:
    if file.startswith(("<", _PACKAGE)):
        return True
    return file.startswith(_STANDARD) and not file.startswith(_INSTALLED)


class WatchedLoop:
    """One loop under watch: the pure part, told the time. ``post`` sends a probe into the loop (which calls
    ``answered``), ``sample`` reads where its thread stands, ``running`` names the tool or hook in it."""

    def __init__(
        self,
        name: str,
        *,
        post: Callable[[], None],
        sample: Callable[[], Place],
        running: Callable[[], str],
        threshold: float,
    ) -> None:
        self.name = name
        self._post = post
        self._sample = sample
        self._running = running
        self._threshold = threshold
        self._sent: float | None = None
        self._answered: float | None = None
        self._places: Counter[tuple[Place, str]] = Counter()

    def answered(self, now: float) -> None:
        """The loop has run the probe (called in the loop)."""
        self._answered = now

    def check(self, now: float) -> Stall | None:
        """Look at the loop. Returns a stall when one has just ended."""
        if self._sent is not None and self._answered is None:
            if now - self._sent >= self._threshold:
                self._places[(self._sample(), self._running())] += 1
            return None
        stall = self.finish(self._answered if self._answered is not None else now)
        self._sent, self._answered = now, None
        self._post()
        return stall

    def finish(self, now: float) -> Stall | None:
        """The stall that lasted until ``now``, if there was one (also one that has not ended)."""
        if self._sent is None or now - self._sent < self._threshold:
            self._places.clear()
            return None
        ((where, function), running) = self._places.most_common(1)[0][0] if self._places else (("", ""), "")
        stall = Stall(
            loop=self.name,
            running=running,
            where=where,
            function=function,
            seconds=round(now - self._sent, 3),
            at=self._sent,
        )
        self._places.clear()
        self._sent = None
        return stall


class StallMonitor:
    """Watches event loops from a daemon thread and calls ``on_stall`` (in that thread) for each stall of at least
    ``threshold`` seconds. ``clock``: seconds; a stall's ``at`` is on it. Costs each loop one callback per ``interval``.
    """

    def __init__(
        self,
        on_stall: Callable[[Stall], None],
        *,
        threshold: float = 0.1,
        interval: float = 0.05,
        clock: Clock = time.monotonic,
    ) -> None:
        self._on_stall = on_stall
        self._threshold = threshold
        self._interval = interval
        self._clock = clock
        self._loops: dict[str, WatchedLoop] = {}
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def watch(
        self,
        name: str,
        loop: asyncio.AbstractEventLoop,
        thread_id: int,
        running: Callable[[], str] | None = None,
    ) -> None:
        """Watch ``loop``, which runs in the thread ``thread_id`` (``threading.get_ident()`` there). ``running`` names
        what runs in it now; without one it is the name of the loop's current task."""

        def sample() -> Place:
            return user_line(sys._current_frames().get(thread_id))

        def post() -> None:
            # A closed loop is watched no longer by whoever closed it; until then it is silent.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(lambda: watched.answered(self._clock()))

        watched = WatchedLoop(
            name,
            post=post,
            sample=sample,
            running=running or (lambda: _task_name(loop)),
            threshold=self._threshold,
        )
        with self._lock:
            self._loops[name] = watched

    def unwatch(self, name: str) -> None:
        """Watch it no longer; a stall that still lasts is reported as it is."""
        with self._lock:
            watched = self._loops.pop(name, None)
        if watched is not None:
            self._report(watched.finish(self._clock()))

    def check(self) -> None:
        """One look at every loop (the thread does this every ``interval``)."""
        with self._lock:
            loops = list(self._loops.values())
        for watched in loops:
            self._report(watched.check(self._clock()))

    def start(self) -> None:
        """Begin to watch, in a thread."""
        if self._thread is None:
            self._stop.clear()
            self._thread = threading.Thread(target=self._run, name="antiphon-stalls", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End the thread; stalls that still last are reported."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(1.0)
            self._thread = None
        for name in list(self._loops):
            self.unwatch(name)

    def _run(self) -> None:
        while not self._stop.wait(self._interval):
            with suppress(Exception):
                self.check()

    def _report(self, stall: Stall | None) -> None:
        if stall is not None:
            self._on_stall(stall)


def _task_name(loop: asyncio.AbstractEventLoop) -> str:
    task = asyncio.current_task(loop)
    return task.get_name() if task is not None else ""
