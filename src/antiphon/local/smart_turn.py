"""Smart Turn v3.2: has the caller finished? Judges the last 8 s of a turn's sound.

The model takes the log-mel spectrogram of Whisper ("Robust Speech Recognition via Large-Scale Weak Supervision",
2212.04356): 80 bands, 25 ms windows every 10 ms, computed here with numpy.
"""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from antiphon.local.runtime import onnx_session

RATE = 16_000
SECONDS = 8
WINDOW, HOP, BANDS = 400, 160, 80


class SmartTurn:
    """One loaded detector. ``score`` may be called from several threads."""

    def __init__(self, file: Path, threads: int = 1) -> None:
        self._session = onnx_session(file, threads)

    def score(self, pcm: bytes) -> float:
        """Probability that the turn has ended. ``pcm``: int16 mono at 16 kHz; older than 8 s is left out."""
        samples = np.frombuffer(pcm[: len(pcm) & ~1], "<i2")[-SECONDS * RATE :].astype(np.float32) / 32768.0
        samples = np.pad(samples, (SECONDS * RATE - len(samples), 0))
        features = log_mel(samples)
        return float(self._session.run(None, {"input_features": features[None]})[0].ravel()[0])


def log_mel(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """(samples,) floats in [-1, 1] -> (80, frames), as Whisper's feature extractor gives it."""
    samples = (samples - samples.mean()) / np.sqrt(samples.var() + 1e-7)
    padded = np.pad(samples, WINDOW // 2, mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP][:-1]
    power = np.abs(np.fft.rfft(windows * hann(), axis=1)).astype(np.float32) ** 2
    bands = np.log10(np.maximum(power @ mel_filters(), 1e-10)).T
    bands = np.maximum(bands, bands.max() - 8.0)
    return np.asarray((bands + 4.0) / 4.0, np.float32)


@functools.cache
def hann() -> NDArray[np.float32]:
    """The periodic Hann window."""
    return (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)).astype(np.float32)


@functools.cache
def mel_filters() -> NDArray[np.float32]:
    """(201, 80) triangular filters on Slaney's mel scale, each of equal area, 0 to 8 kHz."""
    edges = mel_to_hz(np.linspace(0.0, hz_to_mel(RATE / 2), BANDS + 2))
    bins = np.linspace(0.0, RATE / 2, WINDOW // 2 + 1)[:, None]
    left, centre, right = edges[:-2], edges[1:-1], edges[2:]
    triangles = np.minimum((bins - left) / (centre - left), (right - bins) / (right - centre))
    return np.asarray(np.maximum(triangles, 0.0) * (2.0 / (right - left)), np.float32)


def hz_to_mel(hz: float) -> float:
    """Slaney's scale: linear to 1 kHz (200/3 Hz each), then 27 steps for a factor of 6.4."""
    return hz * 3 / 200 if hz < 1000 else 15 + 27 * float(np.log(hz / 1000) / np.log(6.4))


def mel_to_hz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    """The inverse of ``hz_to_mel``."""
    return np.where(mel < 15, mel * 200 / 3, 1000 * np.exp(np.log(6.4) * (mel - 15) / 27))
