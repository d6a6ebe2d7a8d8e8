"""Smart Turn v3.2 with our heads: has the caller finished? Judges the last seconds of a turn's sound.

The encoder hears a shorter window than the model as it is published, in exact arithmetic (``turn_graph``), and our heads
decide from its states (``turn_heads``); the published model's own verdict stays at hand as the head ``stock``.

The model takes the log-mel spectrogram of Whisper ("Robust Speech Recognition via Large-Scale Weak Supervision",
2212.04356): 80 bands, 25 ms windows every 10 ms, computed here with numpy.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from antiphon.local.runtime import onnx_session
from antiphon.local.turn_graph import OUTPUTS, encoder_graph
from antiphon.local.turn_heads import HEARD_SECONDS, SCORED_AT, Encoded, Heads, features, shipped_heads

RATE = 16_000
SECONDS = 8.0
WINDOW, HOP, BANDS = 400, 160, 80


class SmartTurn:
    """One loaded detector. ``score`` may be called from several threads."""

    def __init__(self, file: Path, threads: int = 1, heads: Heads | None = None) -> None:
        self._file = file
        self._threads = threads
        self._heads = heads or shipped_heads()
        self._encoder = onnx_session(encoder_graph(file, HEARD_SECONDS), threads)

    def score(self, pcm: bytes, head: str = "general", silence: float = SCORED_AT) -> float:
        """Probability that the turn has ended. ``pcm``: int16 mono at 16 kHz, of which the last ``silence`` seconds are
        silent; sound before the last 4 s is left out. ``head``: ``general``, ``digits`` (also spelling), or ``stock``:
        the model's own verdict on 8 s."""
        if head == "stock":
            return float(self._stock.run(None, {"input_features": log_mel(window(pcm, SECONDS))[None]})[0].ravel()[0])
        encoded = self.encode(pcm)
        return self._heads.named(head).probability(features(encoded, silence), encoded.verdict, silence)

    def encode(self, pcm: bytes) -> Encoded:
        """What the encoder says of the end of ``pcm``."""
        mel = log_mel(window(pcm, HEARD_SECONDS))[None]
        early, late, pooled, verdict = self._encoder.run([*OUTPUTS], {"input_features": mel})
        return Encoded(early[0], late[0], pooled[0], float(verdict.ravel()[0]))

    @functools.cached_property
    def _stock(self) -> Any:
        return onnx_session(self._file, self._threads)


def window(pcm: bytes, seconds: float) -> NDArray[np.float32]:
    """The last ``seconds`` of int16 sound as (samples,) floats in [-1, 1], filled up with silence in front."""
    length = round(seconds * RATE)
    samples = np.frombuffer(pcm[: len(pcm) & ~1], "<i2")[-length:].astype(np.float32) / 32768.0
    return np.pad(samples, (length - len(samples), 0))


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
