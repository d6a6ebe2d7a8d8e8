"""Sample-rate conversion of a stream: windowed-sinc polyphase filters in numpy.

Owns the filter tables (shared by all streams of the same pair of rates) and a stream's history. Output is aligned
with input (output sample k sounds at k / to_rate), whatever the chunk sizes; it lags by the filter's half width until
``flush``. Design after Kaiser: 70 dB stop band that begins at the lower Nyquist frequency, flat to 82 % of it.
"""

from __future__ import annotations

from functools import lru_cache
from math import gcd

import numpy as np
from numpy.typing import NDArray

from antiphon.errors import AudioError

_ZERO_CROSSINGS = 24
_KAISER_BETA = 6.76
_CUTOFF = 0.91
_MOST_PHASES = 1024


@lru_cache(maxsize=64)
def _table(up: int, down: int, phases: int) -> tuple[NDArray[np.float32], int]:
    """Filter rows by phase (with one more row, so that neighbours can be interpolated) and the half width."""
    scale = min(1.0, up / down)
    half = int(np.ceil(_ZERO_CROSSINGS / scale))
    taps = np.arange(-half + 1, half + 1, dtype=np.float64)
    fractions = np.arange(phases + 1, dtype=np.float64)[:, None] / phases
    distance = taps[None, :] - fractions
    window = np.i0(_KAISER_BETA * np.sqrt(np.clip(1.0 - (distance / half) ** 2, 0.0, 1.0))) / np.i0(_KAISER_BETA)
    rows = np.sinc(distance * scale * _CUTOFF) * window
    rows /= rows.sum(axis=1, keepdims=True)
    return rows.astype(np.float32), half


def resampled_length(samples: int, from_rate: int, to_rate: int) -> int:
    """Samples at ``to_rate`` that a whole stream of ``samples`` at ``from_rate`` becomes."""
    return -(-samples * to_rate // from_rate)


class Resampler:
    """Converts one mono stream from ``from_rate`` to ``to_rate`` Hz. Equal rates pass through."""

    def __init__(self, from_rate: int, to_rate: int) -> None:
        if from_rate <= 0 or to_rate <= 0:
            raise AudioError(f"Cannot resample from {from_rate} Hz to {to_rate} Hz.", hint="Give positive rates in Hz.")
        common = gcd(from_rate, to_rate)
        self.from_rate, self.to_rate = from_rate, to_rate
        self._up, self._down = to_rate // common, from_rate // common
        self._phases = min(self._up, _MOST_PHASES)
        self._rows, self._half = _table(self._up, self._down, self._phases)
        self.reset()

    def reset(self) -> None:
        """Forget the stream: the next sample is the first of a new one."""
        self._taken = 0
        self._made = 0
        self._history: NDArray[np.float32] = np.zeros(self._half - 1, dtype=np.float32)
        self._first = -(self._half - 1)

    def process(self, samples: NDArray[np.int16]) -> NDArray[np.int16]:
        """The output that these samples complete. ``(n,) int16`` in and out."""
        if self._up == self._down or samples.size == 0:
            return samples
        self._taken += samples.size
        self._history = np.concatenate((self._history, samples.astype(np.float32)))
        ready = (self._taken - 1 - self._half) * self._up // self._down + 1
        return self._make(ready)

    def flush(self) -> NDArray[np.int16]:
        """The rest of the stream, as if silence followed; the resampler starts anew."""
        if self._up == self._down or self._taken == 0:
            return np.zeros(0, dtype=np.int16)
        self._history = np.concatenate((self._history, np.zeros(self._half + 1, dtype=np.float32)))
        rest = self._make(resampled_length(self._taken, self._down, self._up))
        self.reset()
        return rest

    def _make(self, until: int) -> NDArray[np.int16]:
        count = until - self._made
        if count <= 0:
            return np.zeros(0, dtype=np.int16)
        at = np.arange(self._made, until, dtype=np.int64) * self._down
        base = at // self._up - (self._half - 1) - self._first
        if self._up == 1:
            made = np.einsum("ij,j->i", self._windows(int(base[0]), self._down, count), self._rows[0])
            return self._keep(until, made)
        windows = self._windows(0, 1, self._history.size - 2 * self._half + 1)
        if self._phases == self._up:
            made = np.einsum("ij,ij->i", windows[base], self._rows[at % self._up])
        else:
            position = (at % self._up) * (self._phases / self._up)
            low = position.astype(np.int64)
            part = (position - low).astype(np.float32)
            chosen = windows[base]
            made = np.einsum("ij,ij->i", chosen, self._rows[low]) * (1 - part)
            made += np.einsum("ij,ij->i", chosen, self._rows[low + 1]) * part
        return self._keep(until, made)

    def _windows(self, first: int, step: int, count: int) -> NDArray[np.float32]:
        """``count`` views of the history, as long as the filter and ``step`` apart."""
        item = self._history.itemsize
        shape, strides = (count, 2 * self._half), (step * item, item)
        return np.ndarray(shape, dtype=np.float32, buffer=self._history, offset=first * item, strides=strides)

    def _keep(self, until: int, made: NDArray[np.float32]) -> NDArray[np.int16]:
        """Let go of history that no later output needs."""
        self._made = until
        keep_from = until * self._down // self._up - (self._half - 1) - self._first
        if keep_from > 0:
            self._history = self._history[keep_from:].copy()
            self._first += keep_from
        return to_int16(made)


def to_int16(samples: NDArray[np.floating]) -> NDArray[np.int16]:
    """Round and saturate to int16."""
    rounded: NDArray[np.int16] = np.clip(np.rint(samples), -32768, 32767).astype(np.int16)
    return rounded


def resample(samples: NDArray[np.int16], from_rate: int, to_rate: int) -> NDArray[np.int16]:
    """A whole recording at once."""
    if from_rate == to_rate:
        return samples
    stream = Resampler(from_rate, to_rate)
    return np.concatenate((stream.process(samples), stream.flush()))
