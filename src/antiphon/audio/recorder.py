"""A call's recording: a stereo file (caller left, agent right) at ``PLAY_RATE``, both sides on one time line.

A name that ends in ``.opus``, ``.ogg`` or ``.oga`` makes Ogg Opus, any other WAV. What the caller is about to hear is kept
in memory until its time has passed, so that a pause can take it back. The file is written a few times a second: after
a crash it is whole but for the last second. A full disk is reported once and ends the recording, never the call.
"""

from __future__ import annotations

import contextlib

import numpy as np
from numpy.typing import NDArray

from antiphon.audio.frames import EAR_RATE, PLAY_RATE
from antiphon.audio.ogg import OggOpusWriter
from antiphon.audio.opus import load_opus
from antiphon.audio.resample import Resampler
from antiphon.audio.wav import WavWriter

_WINDOW = 4 * PLAY_RATE
_SETTLED = 0.5
_EVERY = 0.5
_OPUS = (".opus", ".ogg", ".oga")


def need_codec(path: str) -> None:
    """Raises ``ConfigurationError`` where a recording of this name takes a library that is not here."""
    if _is_opus(path):
        load_opus()


def _is_opus(path: str) -> bool:
    return path.lower().endswith(_OPUS)


class Recorder:
    """``begin``: the time of the file's first sample. ``failure`` is set once when writing failed."""

    def __init__(self, path: str, begin: float) -> None:
        """Raises ``OSError`` when the file cannot be made, ``ConfigurationError`` where it takes an Opus library and there
        is none."""
        self.failure: str | None = None
        writer = OggOpusWriter if _is_opus(path) else WavWriter
        self._file: WavWriter | OggOpusWriter | None = writer(path, PLAY_RATE, 2)
        self._begin = begin
        self._window: NDArray[np.int16] = np.zeros((_WINDOW, 2), dtype=np.int16)
        self._first = 0
        self._last = 0
        self._next_write = begin + _EVERY
        self._caller = Resampler(EAR_RATE, PLAY_RATE)
        self._caller_next = -1
        self._caller_at = 0.0

    def caller(self, at: float, samples: NDArray[np.int16]) -> None:
        """Microphone sound at ``EAR_RATE``, captured at ``at``."""
        if self._file is None:
            return
        if self._caller_next < 0 or abs(at - self._caller_at) > 0.02:
            self._caller.reset()
            self._caller_next, self._caller_at = self._index(at), at
        self._caller_at += samples.size / EAR_RATE
        made = self._caller.process(samples)
        self._put(0, self._caller_next, made)
        self._caller_next += made.size

    def agent(self, at: float, samples: NDArray[np.int16]) -> None:
        """Sound at ``PLAY_RATE`` that is due at ``at``."""
        if self._file is not None:
            self._put(1, self._index(at), samples)

    def cut(self, at: float) -> None:
        """The agent's sound from ``at`` on was taken back."""
        index = max(0, self._index(at) - self._first)
        self._window[index:, 1] = 0

    def write(self, now: float, *, everything: bool = False) -> None:
        """Put on disk what can change no more, a few times a second."""
        if self._file is None or (now < self._next_write and not everything):
            return
        self._next_write = now + _EVERY
        until = max(self._last, self._index(now)) if everything else self._index(now - _SETTLED)
        while self._file is not None and self._first < until:
            self._shift(min(until - self._first, _WINDOW))
        if self._file is not None:
            try:
                self._file.commit()
            except OSError as error:
                self._fail(error)

    def close(self, now: float) -> None:
        """Complete the file."""
        self.write(now, everything=True)
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.close()
            self._file = None

    def _index(self, at: float) -> int:
        return round((at - self._begin) * PLAY_RATE)

    def _put(self, side: int, index: int, samples: NDArray[np.int16]) -> None:
        if index < self._first:
            samples = samples[self._first - index :]
            index = self._first
        over = index + samples.size - self._first - _WINDOW
        while over > 0 and self._file is not None:
            self._shift(min(over, _WINDOW))
            over = index + samples.size - self._first - _WINDOW
        if samples.size and self._file is not None:
            offset = index - self._first
            self._window[offset : offset + samples.size, side] = samples
            self._last = max(self._last, index + samples.size)

    def _shift(self, count: int) -> None:
        """Write the window's first ``count`` samples and move on."""
        file = self._file
        if file is None:
            return
        try:
            file.write(self._window[:count])
        except OSError as error:
            self._fail(error)
            return
        self._first += count
        self._window[: _WINDOW - count] = self._window[count:].copy()
        self._window[_WINDOW - count :] = 0

    def _fail(self, error: OSError) -> None:
        self.failure = f"The recording stopped: {error.strerror or error}."
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.close()
            self._file = None
