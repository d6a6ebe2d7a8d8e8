"""Levels of sound: gain ramps, fades, looped background, loudness. Pure functions on int16 and float32 blocks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from antiphon.audio.resample import to_int16

__all__ = ["SILENCE_DBFS", "Loop", "fade_out", "loudness", "ramp", "to_int16"]

SILENCE_DBFS = -100.0
"""What a block of zeros is said to measure."""


def loudness(samples: NDArray[np.int16]) -> float:
    """Root mean square of int16 samples in dBFS (a full-scale square wave is 0)."""
    if samples.size == 0:
        return SILENCE_DBFS
    block = samples.astype(np.float32)
    mean = float(np.dot(block, block)) / samples.size
    return max(SILENCE_DBFS, 10.0 * float(np.log10(mean / 32768.0**2 + 1e-12)))


def ramp(samples: NDArray[np.float32], gain: float, target: float, step: float) -> float:
    """Scale in place from ``gain`` towards ``target``, changing by ``step`` a sample at most. Returns the gain that
    the next block begins with."""
    if gain == target:
        if gain != 1.0:
            samples *= np.float32(gain)
        return gain
    direction = step if target > gain else -step
    course = gain + direction * np.arange(1, samples.size + 1, dtype=np.float32)
    course = np.minimum(course, target) if direction > 0 else np.maximum(course, target)
    samples *= course
    return float(course[-1]) if samples.size else gain


def fade_out(samples: NDArray[np.int16]) -> NDArray[np.int16]:
    """The block with a linear fade to silence over its whole length."""
    course = np.linspace(1.0, 0.0, samples.size + 1, dtype=np.float32)[1:]
    return (samples * course).astype(np.int16)


class Loop:
    """A recording repeated for ever (background sound)."""

    def __init__(self, samples: NDArray[np.int16], gain: float) -> None:
        self._samples = samples
        self._at = 0
        self.gain = gain

    def take(self, count: int) -> NDArray[np.float32]:
        """The next ``count`` samples, scaled."""
        index = (self._at + np.arange(count)) % self._samples.size
        self._at = (self._at + count) % self._samples.size
        return self._samples[index].astype(np.float32) * np.float32(self.gain)

    def back(self, count: int) -> None:
        """The last ``count`` samples were not heard: give them again."""
        self._at = (self._at - count) % self._samples.size
