"""From verdicts about stretches of sound to the edges of speech, and the energy gate before the detector.

Edges carry sample times. Pure: a stretch may have any length, so that symbolic sound needs no windows.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from antiphon.models.vad import VADOptions

LOOK_BACK = 0.1
"""Seconds by which speech may have begun before the detector's first stretch of it."""

_HANG = 8
_MARGIN = 6.0
_EPSILON = 1e-6


class Edge(NamedTuple):
    """Speech began or ended at ``at`` (sample time, seconds)."""

    edge: Literal["start", "end"]
    at: float


class EdgeDetector:
    """Reports a start after ``min_speech`` of speech and an end after ``min_silence`` without."""

    def __init__(self, options: VADOptions) -> None:
        self.options = options
        self.speaking_since: float | None = None
        """When the current speech began; ``None`` between speeches."""
        self.voiced_until = 0.0
        """End of the newest stretch that was speech."""
        self._candidate: float | None = None

    @property
    def voiced(self) -> bool:
        """Speech is going on and the last stretch was speech."""
        return self.speaking_since is not None and self._candidate is None

    def judge(self, probability: float, start: float, end: float, loud_since: float | None = None) -> Edge | None:
        """``probability`` of speech in the stretch from ``start`` to ``end``; ``loud_since``: since when the sound stands out
        from the room without a break, where that is known."""
        options = self.options
        if probability >= (options.activation if self.speaking_since is None else options.deactivation):
            self.voiced_until = end
        if self.speaking_since is None:
            if probability < (options.activation if self._candidate is None else options.deactivation):
                self._candidate = None
                return None
            if self._candidate is None:
                self._candidate = start
            if end - self._candidate >= options.min_speech - _EPSILON:
                began = self._candidate
                if loud_since is not None and loud_since < began + (end - start):
                    began = max(loud_since, began - LOOK_BACK)
                self.speaking_since, self._candidate = began, None
                return Edge("start", self.speaking_since)
            return None
        if probability >= options.deactivation:
            self._candidate = None
            return None
        if self._candidate is None:
            self._candidate = start
        if end - self._candidate >= options.min_silence - _EPSILON:
            edge = Edge("end", self._candidate)
            self.speaking_since = self._candidate = None
            return edge
        return None

    def next_edge(self) -> float | None:
        """The earliest time at which the next edge can come if the sound goes on as it is."""
        if self._candidate is None:
            return None
        wait = self.options.min_speech if self.speaking_since is None else self.options.min_silence
        return self._candidate + wait


class EnergyGate:
    """Lets a window through to the detector if it, or one shortly before it, was loud enough."""

    def __init__(self, threshold: float) -> None:
        """``threshold``: dBFS that opens the gate; it closes a few windows after the sound fell 6 dB below."""
        self.threshold = threshold
        self._left = 0

    def passes(self, level: float) -> bool:
        """``level``: dBFS of the window."""
        if level >= self.threshold:
            self._left = _HANG
        elif self._left:
            self._left = _HANG if level >= self.threshold - _MARGIN else self._left - 1
        return self._left > 0
