"""Audio as it travels between transport, plane, models and user code: plain data, no arrays.

A frame is a stretch of mono signed 16-bit little-endian PCM. Marks that belong to a moment of the
sound travel inside the frames, so that they pass through user nodes unharmed.
"""

from __future__ import annotations

from typing import Literal

import msgspec

EAR_RATE = 16_000
"""Hz. What voice activity detection, end-of-turn models and STT receive."""

PLAY_RATE = 24_000
"""Hz. The rate of the playback ledger: every speech position is a count of samples at this rate."""


class TimedWord(msgspec.Struct, frozen=True, array_like=True):
    """A word and when it sounds, in seconds from the first sample of its segment."""

    text: str
    start: float
    end: float


class Symbol(msgspec.Struct, frozen=True):
    """What a symbolic frame stands for: the simulator's audio has a length and a meaning, no samples.

    ``kind``: ``speech`` (``text`` is being said), ``noise`` or ``silence``. ``start`` and ``total`` are
    seconds: where in the utterance this frame begins, and how long the whole utterance is.
    """

    kind: Literal["speech", "noise", "silence"]
    text: str = ""
    start: float = 0.0
    total: float = 0.0


class AudioFrame(msgspec.Struct, frozen=True):
    """A stretch of mono audio.

    ``data``: int16 little-endian PCM, empty for a symbolic frame. ``rate``: Hz. ``samples``: length in
    samples (``len(data) // 2`` unless symbolic). ``at``: seconds, when its first sample was captured
    (input only). ``speech``: the plane's voice-activity verdict (input only; ``None`` = not judged).
    ``flush``: input, a zero-length mark "the caller has probably finished: give the final transcript now".
    ``segment``: output, index of the text segment this audio speaks (-1 = unknown). ``words``: output,
    timed words that begin in this frame, times relative to the segment's first sample.
    """

    data: bytes
    rate: int
    samples: int
    at: float = 0.0
    speech: bool | None = None
    flush: bool = False
    segment: int = -1
    words: tuple[TimedWord, ...] = ()
    symbol: Symbol | None = None

    @classmethod
    def pcm(cls, data: bytes, rate: int, *, at: float = 0.0, speech: bool | None = None) -> AudioFrame:
        """A frame around int16 mono PCM."""
        return cls(data=data, rate=rate, samples=len(data) // 2, at=at, speech=speech)

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return self.samples / self.rate


FLUSH = AudioFrame(data=b"", rate=EAR_RATE, samples=0, flush=True)
