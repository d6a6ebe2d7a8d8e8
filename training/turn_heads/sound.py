"""Lines and rooms that the recordings lack: a telephone band, noise, and the room before the caller speaks.

Owns sound only; every change is drawn from the generator that is passed in.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from antiphon.audio.frames import EAR_RATE

PHONE_SHARE, NOISE_SHARE, ROOM_SHARE = 0.5, 0.7, 0.5
"""How many of the recordings are changed in each way."""
SNR = (5.0, 25.0)
"""dB."""
ROOM = (0.3, 4.0)
"""Seconds of the room in front of the turn."""
FRAME = 480

Samples = NDArray[np.int16]


def telephone(sound: NDArray[np.float64]) -> NDArray[np.float64]:
    """300 to 3400 Hz, and mu-law's eight bits (ITU-T G.711)."""
    spectrum = np.fft.rfft(sound)
    pitch = np.fft.rfftfreq(len(sound), 1 / EAR_RATE)
    spectrum[(pitch < 300) | (pitch > 3400)] = 0
    band = np.fft.irfft(spectrum, len(sound))
    band *= 0.5 / max(np.abs(band).max(), 1e-9)
    coded = np.round(127 * np.sign(band) * np.log1p(255 * np.abs(band)) / np.log(256)) / 127
    return np.asarray(np.sign(coded) * (256.0 ** np.abs(coded) - 1) / 255)


def another_line(samples: Samples, chance: np.random.Generator) -> Samples:
    """The recording as another line would have carried it: telephone or not, white or brown noise or none."""
    sound = samples / 32768.0
    if chance.random() < PHONE_SHARE:
        sound = telephone(sound)
    if chance.random() < NOISE_SHARE:
        noise = chance.standard_normal(len(sound))
        if chance.random() < 0.5:
            noise = np.cumsum(noise)
            noise -= np.convolve(noise, np.ones(400) / 400, "same")
        wanted = (sound**2).mean() * 10 ** (-chance.uniform(*SNR) / 10)
        sound = sound + noise * np.sqrt(wanted / max((noise**2).mean(), 1e-12))
    return np.asarray(np.clip(sound * 32768.0, -32768, 32767), np.int16)


def with_room(samples: Samples, chance: np.random.Generator) -> Samples:
    """For some: quiet frames of the recording in front of it, where a call has its room and a file begins with the voice."""
    frames = samples[: len(samples) // FRAME * FRAME].reshape(-1, FRAME)
    if not len(frames) or chance.random() >= ROOM_SHARE:
        return samples
    quiet = frames[
        np.argsort((frames.astype(np.float64) ** 2).mean(axis=1), kind="stable")[: max(4, len(frames) // 20)]
    ]
    count = int(chance.uniform(*ROOM) * EAR_RATE / FRAME)
    return np.concatenate([quiet[chance.integers(len(quiet), size=count)].ravel(), samples])
