"""Audio frames as the bytes that the local models take."""

from __future__ import annotations

import numpy as np

from antiphon.audio.frames import EAR_RATE, AudioFrame
from antiphon.errors import AudioError


def to_ear(frame: AudioFrame) -> bytes:
    """int16 mono at ``EAR_RATE``. Frames from the plane already are; others are resampled (linearly).

    Raises ``AudioError`` for audio that has no samples in it, only a meaning, and for a rate that is no rate.
    """
    if frame.symbol is not None:
        raise AudioError(
            "The local models cannot hear symbolic audio.", hint="Use the simulator's scripted models with it."
        )
    if frame.rate <= 0:
        raise AudioError(f"{frame.rate} Hz is not a sample rate.")
    data = frame.data[: len(frame.data) & ~1]
    if frame.rate == EAR_RATE or not data:
        return data
    samples = np.frombuffer(data, "<i2").astype(np.float32)
    count = int(len(samples) * EAR_RATE / frame.rate)
    at = np.arange(count) * (frame.rate / EAR_RATE)
    return bytes(np.interp(at, np.arange(len(samples)), samples).astype("<i2").tobytes())


def loudness(pcm: bytes) -> float:
    """Root mean square of int16 samples, 0 to 1."""
    if len(pcm) < 2:
        return 0.0
    samples = np.frombuffer(pcm, "<i2").astype(np.float32) / 32768.0
    return float(np.sqrt(np.mean(samples * samples)))
