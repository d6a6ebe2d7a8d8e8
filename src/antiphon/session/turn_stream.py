"""Turn scores of a detector that listens all the time: audio to its stream, the newest score kept for the next pause.

The stream runs on the detector's own lane. It owns the stream and its restart after a failure; it decides nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress

from antiphon.audio.frames import AudioFrame
from antiphon.errors import ModelError
from antiphon.models.turn_detector import StreamingTurnDetector
from antiphon.session.lanes import Inlet, Lane, across

RESTART_AFTER = 5.0
"""Seconds after which a stream that failed is begun again."""
WAITING = 256
"""Frames that may wait for a stream that is behind; more are dropped, the oldest first."""


class TurnScores:
    """``home``: the detector's lane. ``report``: told of a failure. ``lost``: told how many frames a stream that was behind
    has missed."""

    def __init__(
        self,
        detector: StreamingTurnDetector,
        *,
        lane: Lane,
        home: Lane,
        language: str,
        report: Callable[[str], None],
        lost: Callable[[int], None],
    ) -> None:
        self.detector = detector
        self._home, self._language, self._report, self._lost = home, language, report, lost
        self._inlet: Inlet[AudioFrame] | None = None
        self._score, self._heard = 0.0, -1.0
        self._news = asyncio.Event()
        self._task = lane.loop.create_task(self._run(), name="antiphon:turn-scores")

    def push(self, frame: AudioFrame) -> None:
        if self._inlet is not None:
            self._inlet.put(frame)

    async def newest(self, after: float) -> float:
        """The newest score, made of audio up to ``after`` (capture clock) at least; waits for it."""
        while self._heard < after:
            if self._inlet is None:
                raise ModelError("The end-of-turn detector's stream has failed.")
            self._news.clear()
            await self._news.wait()
        return self._score

    async def aclose(self) -> None:
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task

    async def _run(self) -> None:
        while True:
            inlet = self._inlet = Inlet(self._home, limit=WAITING)
            try:
                async for score, heard in across(lambda audio=inlet: self._listen(audio), home=self._home):  # type: ignore[misc]
                    self._score, self._heard = score, heard
                    self._news.set()
            except Exception as exc:
                self._report(f"{type(exc).__name__}: {exc}")
            finally:
                self._inlet = None
                if inlet.dropped:
                    self._lost(inlet.dropped)
                self._news.set()
            await asyncio.sleep(RESTART_AFTER)

    async def _listen(self, audio: Inlet[AudioFrame]) -> AsyncIterator[tuple[float, float]]:
        """On the detector's lane: scores, each with the capture time up to which it has heard."""
        stream = self.detector.stream(language=self._language)
        try:
            async for frame in audio:
                score = stream.push(frame)
                if score is not None:
                    yield score, frame.at + frame.duration
        finally:
            await stream.aclose()
