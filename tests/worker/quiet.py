"""Noise cancelling of the tests: what is imported in the media process by its path."""

from __future__ import annotations

import numpy as np
from livekit import rtc
from numpy.typing import NDArray


class Quiet:
    """Takes away what is below ``floor``; here: everything."""

    def __init__(self, rate: int, floor: int = 32_768) -> None:
        self.frame, self.floor = rate * 20 // 1000, floor

    def process(self, samples: NDArray[np.int16]) -> NDArray[np.int16]:
        assert samples.size == self.frame
        return np.where(np.abs(samples.astype(np.int32)) < self.floor, 0, samples).astype(np.int16)


class Broken:
    def __init__(self, rate: int) -> None:
        self.left = 20

    def process(self, samples: NDArray[np.int16]) -> NDArray[np.int16]:
        self.left -= 1
        if self.left < 0:
            raise ValueError("out of beans")
        return samples


class TheirQuiet(rtc.FrameProcessor[rtc.AudioFrame]):
    """The same by LiveKit's own contract."""

    enabled = True

    def _process(self, frame: rtc.AudioFrame) -> rtc.AudioFrame:
        return rtc.AudioFrame(bytes(len(frame.data) * 2), frame.sample_rate, 1, frame.samples_per_channel)

    def _close(self) -> None: ...
