"""The plane as a thread of this process: console, tests, notebooks.

Sets ``sys.setswitchinterval(0.0005)``: without it, Python code beside the plane makes every tick 5 ms late. No thread
survives a neighbour that holds the interpreter inside one C call (a large ``json.loads``, a regular expression over
hundreds of kB); where that matters the plane is a process.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from typing import cast

from antiphon.audio import driver
from antiphon.audio.outbox import Outbox
from antiphon.audio.plane import LegLookup, Plane, registered_legs
from antiphon.audio.seam import AnyFromPlane, AnyToPlane, FromPlane, LineDown, LineError
from antiphon.errors import AudioError
from antiphon.models.vad import VADModel

Deliver = Callable[[Sequence[AnyFromPlane]], None]
_CLOSE_WITHIN = 2.0


class ThreadPlane:
    """``make_vad`` runs in the plane's thread as it starts (loading a model takes a while); ``None``: no verdicts.

    ``send`` may be called from any thread; ``subscribe`` on the loop that shall get the messages.
    """

    def __init__(self, make_vad: Callable[[], VADModel] | None = None, *, legs: LegLookup = registered_legs) -> None:
        self._make_vad, self._legs = make_vad, legs
        self._lock = threading.Condition()
        self._inbox: list[AnyToPlane] = []
        self._outboxes: dict[asyncio.AbstractEventLoop, Outbox] = {}
        self._deliver: dict[str, tuple[asyncio.AbstractEventLoop, Deliver]] = {}
        self._closing = False
        self._ready = threading.Event()
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="antiphon-plane", daemon=True)

    async def start(self) -> None:
        """Start the thread and wait until its model is loaded. Raises what loading raised."""
        driver.prompt_switching()
        self._thread.start()
        await asyncio.get_running_loop().run_in_executor(None, self._ready.wait)
        if self._failure is not None:
            raise self._failure

    @property
    def alive(self) -> bool:
        """Whether it still takes messages."""
        return not self._closing and self._failure is None

    def send(self, message: AnyToPlane) -> None:
        with self._lock:
            if self._closing or self._failure is not None:
                raise AudioError("The media plane is closed.")
            self._inbox.append(message)
            self._lock.notify()

    def subscribe(self, line: str, deliver: Deliver) -> None:
        loop = asyncio.get_running_loop()
        with self._lock:
            self._deliver[line] = (loop, deliver)

    def unsubscribe(self, line: str) -> None:
        with self._lock:
            self._deliver.pop(line, None)

    async def aclose(self) -> None:
        with self._lock:
            self._closing = True
            self._lock.notify()
        if self._thread.is_alive():
            await asyncio.get_running_loop().run_in_executor(None, self._thread.join, _CLOSE_WITHIN)

    def _run(self) -> None:
        driver.raise_priority()
        try:
            plane = Plane(self._make_vad() if self._make_vad else None, self._legs)
        except Exception as error:
            self._failure = error
            self._ready.set()
            return
        self._ready.set()
        wake: float | None = None
        try:
            while True:
                with self._lock:
                    if not self._inbox and not self._closing:
                        wait = None if wake is None else wake - driver.now()
                        if wait is None or wait > 0:
                            self._lock.wait(wait)
                    messages, self._inbox = self._inbox, []
                    closing = self._closing
                plane.receive(messages)
                out, wake = plane.advance(driver.now())
                self._give(out)
                if closing:
                    break
            self._give(plane.close(driver.now()))
        except Exception as error:
            self._die(error)

    def _give(self, messages: Sequence[FromPlane]) -> None:
        if not messages:
            return
        with self._lock:
            by_loop: dict[asyncio.AbstractEventLoop, list[FromPlane]] = {}
            for message in messages:
                if message.line in self._deliver:
                    by_loop.setdefault(self._deliver[message.line][0], []).append(message)
            for loop, batch in by_loop.items():
                outbox = self._outboxes.setdefault(loop, Outbox())
                waiting = len(outbox) > 0
                outbox.add(batch)
                if not waiting:
                    try:
                        loop.call_soon_threadsafe(self._hand_over, loop)
                    except RuntimeError:
                        del self._outboxes[loop]

    def _hand_over(self, loop: asyncio.AbstractEventLoop) -> None:
        with self._lock:
            outbox = self._outboxes.get(loop)
            messages = outbox.take() if outbox else []
        by_line: dict[str, list[AnyFromPlane]] = {}
        for message in messages:
            by_line.setdefault(message.line, []).append(cast("AnyFromPlane", message))
        for line, batch in by_line.items():
            target = self._deliver.get(line)
            if target is not None:
                target[1](batch)

    def _die(self, error: Exception) -> None:
        """A fault in the plane itself: every line is told."""
        with self._lock:
            self._failure = error
            lines = list(self._deliver)
        now = driver.now()
        text = f"The media plane failed: {type(error).__name__}: {error}"
        out: list[FromPlane] = []
        for line in lines:
            out.append(LineError(line=line, at=now, error=text, fatal=True))
            out.append(LineDown(line=line, at=now, reason="plane failed", certain=False))
        self._give(out)
