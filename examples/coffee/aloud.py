"""The call through this machine's loudspeaker, both sides, where there is one. Nobody waits for it."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
from numpy.typing import NDArray

from antiphon.audio.frames import PLAY_RATE

LONGEST_WAIT = 2 * PLAY_RATE
"""Samples that may wait for the device on each side; what is more is dropped: the device is slower than the call."""


class Loudspeaker:
    """Mixes the two sides of a call and plays them, mono at ``PLAY_RATE``."""

    def __init__(self, library: Any) -> None:
        self._lock = threading.Lock()
        self._sides = {"caller": np.zeros(0, np.float32), "agent": np.zeros(0, np.float32)}
        self._stream = library.RawOutputStream(
            samplerate=PLAY_RATE, channels=1, dtype="int16", callback=self._fill, blocksize=PLAY_RATE // 50
        )
        self._stream.start()

    def play(self, side: str, samples: NDArray[np.int16], rate: int) -> None:
        """Add sound of one side (``caller`` or ``agent``)."""
        count = samples.size * PLAY_RATE // rate
        at = np.arange(count) * (rate / PLAY_RATE)
        sound = np.interp(at, np.arange(samples.size), samples).astype(np.float32)
        with self._lock:
            if self._sides[side].size < LONGEST_WAIT:
                self._sides[side] = np.concatenate([self._sides[side], sound])

    def close(self) -> None:
        self._stream.abort(ignore_errors=True)
        self._stream.close(ignore_errors=True)

    def _fill(self, data: Any, count: int, time: Any, status: Any) -> None:
        mix = np.zeros(count, np.float32)
        with self._lock:
            for side, waiting in self._sides.items():
                part = waiting[:count]
                mix[: part.size] += part
                self._sides[side] = waiting[count:]
        data[:] = np.clip(mix, -32768, 32767).astype("<i2").tobytes()


def open_loudspeaker() -> Loudspeaker | None:
    """The system's default loudspeaker, or ``None`` where there is no library or no device."""
    try:
        import sounddevice

        return Loudspeaker(sounddevice)
    except (ImportError, OSError):
        return None
    except sounddevice.PortAudioError:
        return None
