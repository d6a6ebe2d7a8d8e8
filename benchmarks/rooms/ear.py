"""What a caller makes of the agent's sound: when there was some, when it began, which word of a count it was."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rooms.script import FIRST_PITCH, NUMBERS, PITCH_STEP

RATE = 16_000
LEVEL = 300.0
"""Mean level above which a frame is somebody's voice."""
APART = 0.5
"""Seconds of quiet between two sounds that are not the same."""
OFF_BY = 0.3
"""Part of a step that a pitch may be wrong."""


def pitch_of(samples: NDArray[np.int16]) -> float:
    """Of a tone, by its rising zero crossings; 0 where there are too few."""
    wave = samples.astype(np.float64)
    at = np.flatnonzero((wave[:-1] < 0) & (wave[1:] >= 0))
    if at.size < 3:
        return 0.0
    exact = at + wave[at] / (wave[at] - wave[at + 1])
    return float(RATE * (at.size - 1) / (exact[-1] - exact[0]))


def word_of(samples: NDArray[np.int16]) -> int:
    """Which number is being said (see ``script.NUMBERS``); -1: none."""
    place = (pitch_of(samples) - FIRST_PITCH) / PITCH_STEP
    number = round(place)
    return number if abs(place - number) < OFF_BY and 0 <= number < len(NUMBERS) else -1


class Ear:
    """Fed frame by frame. ``loud``: when the frames with sound came; ``onsets``: those of them that came after quiet;
    ``words``: (when, number) of the frames that were one, where the frame before was the same. Monotonic seconds."""

    def __init__(self) -> None:
        self.loud: list[float] = []
        self.onsets: list[float] = []
        self.words: list[tuple[float, int]] = []
        self._word = -1

    def feed(self, at: float, samples: NDArray[np.int16]) -> None:
        if float(np.abs(samples.astype(np.int32)).mean()) < LEVEL:
            self._word = -1
            return
        if not self.loud or at - self.loud[-1] > APART:
            self.onsets.append(at)
        self.loud.append(at)
        word = word_of(samples)
        if word >= 0 and word == self._word:
            self.words.append((at, word))
        self._word = word
