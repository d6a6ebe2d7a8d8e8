"""Detectors of speech, several sessions to a call: Silero (a neural network, ONNX) and plain loudness.

Silero VAD v5 and v6 (MIT, github.com/snakers4/silero-vad): a window of 512 samples at 16 kHz behind 64 samples of
context, with a recurrent state of 2 x 128 floats. Owns no session: the caller keeps the states.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from antiphon.audio.frames import EAR_RATE
from antiphon.errors import ConfigurationError, ModelMissingError

_CONTEXT = 64
_CELLS = 128


class SileroVAD:
    """``path``: the ``silero_vad.onnx`` file. One state row holds the recurrent cells and the context."""

    window = 512

    def __init__(self, path: str) -> None:
        if not os.path.isfile(path):
            raise ModelMissingError(f"No voice activity model at {path!r}.", hint="Run: antiphon models pull")
        try:
            import onnxruntime
        except ImportError as error:
            raise ConfigurationError(
                "onnxruntime is not installed.", hint="Run: pip install 'antiphon[local]'"
            ) from error
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.add_session_config_entry("session.inter_op.allow_spinning", "0")
        self._session: Any = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self._rate = np.array(EAR_RATE, dtype=np.int64)

    def initial_state(self) -> NDArray[np.float32]:
        return np.zeros(2 * _CELLS + _CONTEXT, dtype=np.float32)

    def predict(
        self, windows: NDArray[np.float32], states: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        count = len(windows)
        cells = states[:, : 2 * _CELLS].reshape(count, 2, _CELLS).transpose(1, 0, 2)
        sound = np.concatenate((states[:, 2 * _CELLS :], windows), axis=1)
        chance, new_cells = self._session.run(
            None, {"input": sound, "state": np.ascontiguousarray(cells), "sr": self._rate}
        )
        new_states = np.empty_like(states)
        new_states[:, : 2 * _CELLS] = new_cells.transpose(1, 0, 2).reshape(count, 2 * _CELLS)
        new_states[:, 2 * _CELLS :] = windows[:, -_CONTEXT:]
        return chance[:, 0], new_states


class EnergyVAD:
    """Everything louder than ``threshold`` dBFS is speech: for places without a model, and for tests."""

    window = 512

    def __init__(self, threshold: float = -40.0) -> None:
        self._mean_square = 10.0 ** (threshold / 10.0)

    def initial_state(self) -> NDArray[np.float32]:
        return np.zeros(1, dtype=np.float32)

    def predict(
        self, windows: NDArray[np.float32], states: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        loud = np.mean(windows * windows, axis=1) >= self._mean_square
        return loud.astype(np.float32), states
