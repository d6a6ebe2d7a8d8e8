"""Echo cancellation for legs without their own: WebRTC's AEC3 through the pywebrtc-audio package (Apache-2.0).

Owns the far end's time line: the agent's sound lies ready by its due time, and each microphone block is cleaned
against the sound that was due while it was captured. The canceller finds the device's delay itself.
"""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from antiphon.audio.frames import EAR_RATE, PLAY_RATE
from antiphon.audio.resample import Resampler
from antiphon.errors import AudioError

_BLOCK = EAR_RATE // 100
_KEPT = 2 * EAR_RATE


class EchoCanceller:
    """Cleans one line's microphone. Raises ``AudioError`` when the package is absent."""

    def __init__(self) -> None:
        try:
            pywebrtc_audio: Any = importlib.import_module("pywebrtc_audio")
        except ImportError as error:
            raise AudioError(
                "No echo cancellation: the agent may hear itself.",
                hint="Run: pip install 'antiphon[console]', or use a headset.",
            ) from error
        self._canceller: Any = pywebrtc_audio.EchoCanceller(sample_rate=EAR_RATE, num_channels=1)
        self._resampler = Resampler(PLAY_RATE, EAR_RATE)
        self._far: NDArray[np.int16] = np.zeros(_KEPT, dtype=np.int16)
        self._far_at = 0.0
        self._far_end = self._write_at = 0.0
        self._rest: NDArray[np.int16] = np.zeros(_BLOCK, dtype=np.int16)
        self._raw: NDArray[np.int16] = np.zeros(0, dtype=np.int16)

    def far(self, at: float, samples: NDArray[np.int16]) -> None:
        """The agent's sound at ``PLAY_RATE``, due at ``at``."""
        if abs(at - self._far_end) > 0.005:
            self._resampler.reset()
            self._far_end = at
            self._write_at = at
        self._far_end += samples.size / PLAY_RATE
        made = self._resampler.process(samples)
        self._put(self._write_at, made)
        self._write_at += made.size / EAR_RATE

    def near(self, at: float, samples: NDArray[np.int16]) -> NDArray[np.int16]:
        """Microphone sound captured at ``at``, as many samples cleaned, 10 ms later in the stream."""
        raw = np.concatenate((self._raw, samples))
        whole = raw.size // _BLOCK * _BLOCK
        first = at - self._raw.size / EAR_RATE
        self._raw = raw[whole:]
        clean = self._rest
        if whole:
            cleaned = self._canceller.process(np.ascontiguousarray(raw[:whole]), self._get(first, whole))
            clean = np.concatenate((clean, cleaned))
        self._rest = clean[samples.size :]
        return clean[: samples.size]

    def _put(self, at: float, samples: NDArray[np.int16]) -> None:
        index = round((at - self._far_at) * EAR_RATE)
        over = index + samples.size - _KEPT
        if over > 0:
            kept = self._far[over:].copy() if over < _KEPT else self._far[:0]
            self._far[:] = 0
            self._far[: kept.size] = kept
            self._far_at += over / EAR_RATE
            index -= over
        if index < 0:
            samples, index = samples[-index:], 0
        self._far[index : index + samples.size] = samples

    def _get(self, at: float, count: int) -> NDArray[np.int16]:
        index = round((at - self._far_at) * EAR_RATE)
        block = np.zeros(count, dtype=np.int16)
        first, last = max(index, 0), min(index + count, _KEPT)
        if last > first:
            block[first - index : last - index] = self._far[first:last]
        return block
