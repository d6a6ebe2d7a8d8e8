"""The plane on the core's own loop, by the loop's time: for the virtual clock and for tests.

Not for live calls: anything that blocks the loop blocks the sound.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import cast

from antiphon.audio.plane import LegLookup, Plane, registered_legs
from antiphon.audio.seam import AnyFromPlane, AnyToPlane, FromPlane
from antiphon.errors import AudioError
from antiphon.models.vad import VADModel

Deliver = Callable[[Sequence[AnyFromPlane]], None]


class InlinePlane:
    """Make it on the loop that it shall run on. ``vad_model`` and ``legs`` as for ``Plane``."""

    def __init__(self, vad_model: VADModel | None = None, *, legs: LegLookup = registered_legs) -> None:
        self.plane = Plane(vad_model, legs)
        self._loop = asyncio.get_running_loop()
        self._deliver: dict[str, Deliver] = {}
        self._timer: asyncio.TimerHandle | asyncio.Handle | None = None
        self._due = float("inf")
        self._closed = False

    async def start(self) -> None:
        """Nothing to wait for; the other forms have it."""

    def send(self, message: AnyToPlane) -> None:
        if self._closed:
            raise AudioError("The media plane is closed.")
        self.plane.receive((message,))
        self._wake(self._loop.time())

    def subscribe(self, line: str, deliver: Deliver) -> None:
        self._deliver[line] = deliver

    def unsubscribe(self, line: str) -> None:
        self._deliver.pop(line, None)

    async def aclose(self) -> None:
        if not self._closed:
            self._closed = True
            if self._timer is not None:
                self._timer.cancel()
            self._give(self.plane.close(self._loop.time()))

    def poke(self) -> None:
        """A leg in this process has news (a test made its caller do something): look at once."""
        for line in self._deliver:
            self.plane.touch(line)
        self._wake(self._loop.time())

    def _wake(self, at: float) -> None:
        if self._closed or at >= self._due:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._due = at
        now = self._loop.time()
        self._timer = self._loop.call_soon(self._advance) if at <= now else self._loop.call_at(at, self._advance)

    def _advance(self) -> None:
        self._timer, self._due = None, float("inf")
        out, wake = self.plane.advance(self._loop.time())
        self._give(out)
        if wake is not None:
            self._wake(wake)

    def _give(self, messages: Sequence[FromPlane]) -> None:
        by_line: dict[str, list[AnyFromPlane]] = {}
        for message in messages:
            by_line.setdefault(message.line, []).append(cast("AnyFromPlane", message))
        for line, batch in by_line.items():
            if deliver := self._deliver.get(line):
                self._loop.call_soon(deliver, batch)
