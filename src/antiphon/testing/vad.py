"""A voice activity detector for simulated PCM: loud is speech."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


class LoudnessVAD:
    """``threshold``: root mean square, as a fraction of full scale, above which a window is speech."""

    window = 512

    def __init__(self, threshold: float = 0.02) -> None:
        self._threshold = threshold

    def initial_state(self) -> NDArray[np.float32]:
        return np.zeros(1, dtype=np.float32)

    def predict(
        self, windows: NDArray[np.float32], states: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        loud = np.sqrt(np.mean(windows * windows, axis=1)) > self._threshold
        return loud.astype(np.float32), states
