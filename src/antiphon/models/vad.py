"""Voice activity detection: its settings, and the contract of a detector inside the media plane."""

from __future__ import annotations

from typing import Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray


class VADOptions(msgspec.Struct, frozen=True):
    """``activation`` / ``deactivation``: probability thresholds (hysteresis). ``min_speech`` / ``min_silence``:
    seconds before an edge is reported. ``energy_gate``: dBFS below which a window counts as silence without
    asking the model."""

    activation: float = 0.5
    deactivation: float = 0.35
    min_speech: float = 0.05
    min_silence: float = 0.2
    energy_gate: float = -60.0


class VADModel(Protocol):
    """A detector that judges one 32 ms window of several sessions in one call."""

    window: int
    """Samples per window at 16 kHz."""

    def initial_state(self) -> NDArray[np.float32]:
        """The recurrent state of a fresh session."""
        ...

    def predict(
        self, windows: NDArray[np.float32], states: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """``windows``: (sessions, window) float32 in [-1, 1]; ``states``: the sessions' states, stacked on axis 0.
        Returns speech probabilities (sessions,) and the new states."""
        ...
