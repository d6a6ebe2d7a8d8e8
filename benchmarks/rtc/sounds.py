"""What callers and agents say in the WebRTC benchmark: speech without a break, or silence with a tone every two seconds."""

from __future__ import annotations

import math
import wave
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

CLIPS = Path(__file__).parents[2] / "examples" / "coffee" / "callers"
CYCLE = 2.0
"""Seconds from tone to tone."""

TONE_AT, TONE = 1.0, 0.1
_LOUD = 3000
_QUIET_FOR = 0.5


def speech(rate: int) -> NDArray[np.int16]:
    """The callers' sentences, end to end; ``rate``: a multiple or a part of 16 kHz, roughly resampled."""
    clips = []
    for path in sorted(CLIPS.glob("*.wav")):
        with wave.open(str(path)) as file:
            clips.append(np.frombuffer(file.readframes(file.getnframes()), dtype="<i2"))
    sound = np.concatenate(clips).astype(np.float64)
    at = np.arange(sound.size * rate // 16_000) * 16_000 / rate
    return np.interp(at, np.arange(sound.size), sound).astype(np.int16)


def tone(rate: int) -> NDArray[np.int16]:
    return (12_000 * np.sin(np.arange(round(TONE * rate)) * 2 * math.pi * 1000 / rate)).astype(np.int16)


def cycle(rate: int) -> NDArray[np.int16]:
    """``CYCLE`` seconds of silence with one tone at ``TONE_AT``."""
    sound = np.zeros(round(CYCLE * rate), dtype=np.int16)
    mark = tone(rate)
    sound[round(TONE_AT * rate) : round(TONE_AT * rate) + mark.size] = mark
    return sound


class Onsets:
    """Finds where a tone begins after quiet."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._quiet = 0.0

    def feed(self, samples: NDArray[np.int16]) -> bool:
        """Whether one begins in this block."""
        loud = bool(np.abs(samples.astype(np.int32)).max(initial=0) > _LOUD)
        begins = loud and self._quiet >= _QUIET_FOR
        self._quiet = 0.0 if loud else self._quiet + samples.size / self._rate
        return begins
