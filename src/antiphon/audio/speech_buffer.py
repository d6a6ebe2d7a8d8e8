"""The retained audio of one speech, at ``PLAY_RATE``: what the plane plays from, and resumes from at any sample.

Holds PCM and symbolic pieces alike. Bounded both ways: audio far ahead of what sounds is refused, audio long past is
let go. Never plays anything.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator

import msgspec
import numpy as np
from numpy.typing import NDArray

from antiphon.audio.frames import PLAY_RATE, AudioFrame, Symbol
from antiphon.audio.resample import Resampler, resampled_length

AHEAD = 300 * PLAY_RATE
"""Samples a speech may hold that have not been played yet (five minutes)."""

BEHIND = 30 * PLAY_RATE
"""Samples kept after they were played, so that speech can resume from an earlier word."""


class Piece(msgspec.Struct, frozen=True):
    """A stretch of a speech: ``pcm`` ((samples,) int16 at ``PLAY_RATE``) or a symbol."""

    start: int
    samples: int
    pcm: NDArray[np.int16] | None
    symbol: Symbol | None
    segment: int

    def cut(self, start: int, end: int) -> Piece:
        """The part between two positions of the speech."""
        if start <= self.start and end >= self.start + self.samples:
            return self
        first, last = max(start, self.start), min(end, self.start + self.samples)
        pcm = None if self.pcm is None else self.pcm[first - self.start : last - self.start]
        symbol = self.symbol
        if symbol is not None and first > self.start:
            symbol = msgspec.structs.replace(symbol, start=symbol.start + (first - self.start) / PLAY_RATE)
        return Piece(first, last - first, pcm, symbol, self.segment)


class SpeechBuffer:
    """Grows at the end by ``push``, is read anywhere by ``read``."""

    def __init__(self) -> None:
        self.end = 0
        """Samples pushed so far."""
        self.complete = False
        """No more audio will come."""
        self.refused = 0
        """Samples that did not fit."""
        self._pieces: list[Piece] = []
        self._starts: list[int] = []
        self._resampler: Resampler | None = None
        self._segment = -1
        self._symbolic_in = (0, 0, 0)

    def push(self, frame: AudioFrame, *, played: int = 0) -> None:
        """Add a frame; ``played`` is the position that sounds now, for the bounds."""
        if self.complete or frame.samples == 0:
            return
        room = played + AHEAD - self.end
        if resampled_length(frame.samples, frame.rate, PLAY_RATE) > room:
            self.refused += frame.samples
            return
        if frame.symbol is not None:
            self._push_symbol(frame)
        else:
            self._push_pcm(np.frombuffer(frame.data, dtype="<i2"), frame.rate, frame.segment)
        if played - BEHIND > 0:
            self._let_go(played - BEHIND)

    def finish(self) -> None:
        """There is no more audio."""
        if not self.complete:
            self._flush()
            self.complete = True

    def cut(self, end: int) -> None:
        """It ends at sample ``end``, or where it ends already; there is no more audio."""
        self.finish()
        while self._pieces and self._pieces[-1].start >= end:
            del self._pieces[-1], self._starts[-1]
        if self._pieces:
            last = self._pieces[-1]
            self._pieces[-1] = last.cut(last.start, end)
        self.end = min(self.end, end)

    def read(self, start: int, count: int) -> Iterator[Piece]:
        """Pieces of ``[start, start + count)`` that are there, in order."""
        end = min(start + count, self.end)
        index = max(0, bisect_right(self._starts, start) - 1)
        while index < len(self._pieces) and self._pieces[index].start < end:
            piece = self._pieces[index]
            if piece.start + piece.samples > start:
                yield piece.cut(start, end)
            index += 1

    def pcm(self, start: int = 0, count: int | None = None) -> NDArray[np.int16]:
        """The samples of a stretch; symbolic pieces are silence."""
        count = self.end if count is None else count
        blocks = [
            np.zeros(piece.samples, dtype=np.int16) if piece.pcm is None else piece.pcm
            for piece in self.read(start, count)
        ]
        if len(blocks) == 1:
            return blocks[0]
        return np.concatenate(blocks) if blocks else np.zeros(0, dtype=np.int16)

    def copy(self) -> SpeechBuffer:
        """A finished twin that shares the audio (a stored clip, played again)."""
        twin = SpeechBuffer()
        twin.end, twin.complete = self.end, True
        twin._pieces, twin._starts = list(self._pieces), list(self._starts)
        return twin

    def _push_pcm(self, samples: NDArray[np.int16], rate: int, segment: int) -> None:
        if self._resampler is not None and self._resampler.from_rate != rate:
            self._flush()
        self._segment = segment
        if rate != PLAY_RATE:
            self._resampler = self._resampler or Resampler(rate, PLAY_RATE)
            samples = self._resampler.process(samples)
        self._append(samples.size, samples, None, segment)

    def _push_symbol(self, frame: AudioFrame) -> None:
        self._flush()
        rate, taken, made = self._symbolic_in
        if rate != frame.rate:
            taken = made = 0
        taken += frame.samples
        whole = resampled_length(taken, frame.rate, PLAY_RATE)
        self._symbolic_in = (frame.rate, taken, whole)
        self._append(whole - made, None, frame.symbol, frame.segment)

    def _flush(self) -> None:
        if self._resampler is not None:
            rest = self._resampler.flush()
            self._append(rest.size, rest, None, self._segment)
            self._resampler = None

    def _append(self, count: int, pcm: NDArray[np.int16] | None, symbol: Symbol | None, segment: int) -> None:
        if count:
            self._starts.append(self.end)
            self._pieces.append(Piece(self.end, count, pcm, symbol, segment))
            self.end += count

    def _let_go(self, before: int) -> None:
        index = bisect_right(self._starts, before) - 1
        if index > 0:
            del self._pieces[:index], self._starts[:index]
