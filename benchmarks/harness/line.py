"""One call as a framework on asyncio sees it: audio arrives, audio is taken, in real time, on the framework's loop."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field

from harness.core import TICK, Caller, Lateness, Marks, Speaker


@dataclass
class Line:
    """``audio``: the caller's blocks as they come due. An adapter sets ``ready`` when it takes them and ends after
    ``stop``. ``fresh``: a reply is on the air and has not sounded yet, where the framework says so."""

    marks: Marks
    caller: Caller
    speaker: Speaker
    reply_seconds: float
    audio: asyncio.Queue[bytes | None] = field(default_factory=asyncio.Queue)
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    lateness: Lateness = field(default_factory=Lateness)
    fresh: bool = False

    async def room(self, seconds: float) -> None:
        """Wait until no more than this much is queued at the speaker."""
        while self.speaker.queued_seconds > seconds:
            waiter = asyncio.get_running_loop().create_future()
            self.speaker.on_room.append(lambda waiter=waiter: waiter.done() or waiter.set_result(None))
            await waiter


class Metronome:
    """Gives a line its blocks and plays its speaker, every 20 ms, on the loop that the framework uses too.

    A transport in Python does as much; after a stall what was missed comes in a burst, as from a socket.
    """

    def __init__(self, line: Line, phase: float) -> None:
        self._line, self._loop = line, asyncio.get_running_loop()
        self._line.caller.begin(time.monotonic() + 0.02 + phase)
        self._handle = self._loop.call_later(0.02 + phase, self._run)

    def _run(self) -> None:
        line, now = self._line, time.monotonic()
        line.lateness.tick(now)
        while line.caller.due <= now + 0.0005:
            line.audio.put_nowait(line.caller.block())
            line.speaker.advance()
        self._handle = self._loop.call_later(max(0.0, line.caller.due - time.monotonic()), self._run)

    def stop(self) -> None:
        self._handle.cancel()
        self._line.audio.put_nowait(None)


__all__ = ["TICK", "Line", "Metronome"]
