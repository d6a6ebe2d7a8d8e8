"""What a leg without acknowledgements knows: sound handed over is heard when its due time has come."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from antiphon.audio.frames import AudioFrame


class Played(NamedTuple):
    """A frame and when its first sample was due (seconds)."""

    due: float
    frame: AudioFrame


class PacedOutput:
    """Keeps what is still to come, hands out what has passed. ``delay``: seconds from due time to the ear."""

    def __init__(self, rate: int, delay: float = 0.0) -> None:
        self.delay = delay
        self._rate = rate
        self._coming: deque[Played] = deque()
        self._passed = 0

    def play(self, due: float, frame: AudioFrame) -> None:
        self._coming.append(Played(due, frame))

    def flush(self, now: float) -> int:
        """Take back everything that is not due yet; returns the samples dropped."""
        dropped = 0
        while self._coming:
            due, frame = self._coming[-1]
            keep = min(frame.samples, max(0, round((now - due) * self._rate)))
            if keep == frame.samples:
                break
            dropped += frame.samples - keep
            self._coming.pop()
            if keep:
                self._coming.append(Played(due, _head(frame, keep)))
                break
        return dropped

    def drop(self, samples: int) -> int:
        """Take back the last ``samples`` samples, whenever they are due; returns how many there were."""
        dropped = 0
        while self._coming and dropped < samples:
            due, frame = self._coming.pop()
            keep = max(0, frame.samples - (samples - dropped))
            dropped += frame.samples - keep
            if keep:
                self._coming.append(Played(due, _head(frame, keep)))
        return dropped

    def heard(self, now: float) -> int:
        """Samples whose time has come since the start."""
        count = self._passed
        for due, frame in self._coming:
            ended = round((now - self.delay - due) * self._rate)
            if ended <= 0:
                break
            count += min(ended, frame.samples)
        return count

    def take(self, now: float) -> list[Played]:
        """The frames that have wholly passed, once each."""
        gone: list[Played] = []
        while self._coming:
            due, frame = self._coming[0]
            if round((now - self.delay - due) * self._rate) < frame.samples:
                break
            gone.append(self._coming.popleft())
            self._passed += frame.samples
        return gone


def _head(frame: AudioFrame, samples: int) -> AudioFrame:
    return AudioFrame(frame.data[: 2 * samples], frame.rate, samples, segment=frame.segment, symbol=frame.symbol)
