"""What the simulated recognisers know: recordings with their words, found again in whatever audio arrives.

Owns the matching, sample by sample, so that a recogniser hears a word exactly when its audio was received, on a first socket
or on a later one that gets the same audio again.
"""

from __future__ import annotations

import os
import random
from array import array
from collections.abc import Sequence

import msgspec

from antiphon.errors import AudioError

RATE = 16_000
BLOCK = 320
"""Bytes that are matched at a time: 10 ms."""
LOUD = 300
"""Sample values above which a recorded voice is taken to speak."""


class RecordedWord(msgspec.Struct, frozen=True):
    """A word and where it is, in seconds."""

    text: str
    start: float
    end: float


class Recording(msgspec.Struct, frozen=True):
    """``pcm``: int16 little-endian mono at 16 kHz."""

    pcm: bytes
    words: tuple[RecordedWord, ...]

    @classmethod
    def of(cls, *utterances: str, word: float = 0.3, pause: float = 1.2, lead: float = 0.3) -> Recording:
        """Synthetic speech: each word is noise of its own, ``word`` seconds long; ``pause`` seconds of silence follow an
        utterance."""
        dice = random.Random("\n".join(utterances))
        pcm = bytearray(_silence(lead))
        words = []
        for utterance in utterances:
            for text in utterance.split():
                start = len(pcm) / 2 / RATE
                noise = array("h", (dice.randrange(-9_000, 9_000) or 1 for _ in range(round(word * RATE))))
                pcm += noise.tobytes()
                words.append(RecordedWord(text, start, len(pcm) / 2 / RATE))
            pcm += _silence(pause)
        return cls(bytes(pcm), tuple(words))

    @classmethod
    def wav(cls, path: str | os.PathLike[str], text: str, *, lead: float = 0.0, pause: float = 0.0) -> Recording:
        """A voice from a WAV file that says ``text``, whose words are spread evenly over what is loud; ``lead`` seconds of
        silence before it, ``pause`` behind. Raises ``AudioError`` for a file that cannot be read or is silent."""
        from antiphon.audio.wav import read_wav

        sound, _ = read_wav(os.fspath(path), RATE)
        loud = (abs(sound.astype("i4")) > LOUD).nonzero()[0]
        if not loud.size:
            raise AudioError(f"{os.fspath(path)} is silent.", hint="Give a recording of somebody who speaks.")
        words = text.split()
        begin = lead + float(loud[0]) / RATE
        each = float(loud[-1] - loud[0]) / RATE / max(1, len(words))
        block = BLOCK // 2
        pcm = _silence(lead) + sound.tobytes() + bytes(2 * (-sound.size % block)) + _silence(pause)
        timed = (RecordedWord(word, begin + n * each, begin + (n + 1) * each) for n, word in enumerate(words))
        return cls(pcm, tuple(timed))

    @property
    def seconds(self) -> float:
        return len(self.pcm) / 2 / RATE


class Listener:
    """One socket's audio. ``seconds``: of audio received. ``words``: heard so far, at the socket's times. ``voiced_at``: when
    the last sound ended."""

    def __init__(self, recordings: Sequence[Recording]) -> None:
        self._recordings = recordings
        self._rest = b""
        self._bytes = 0
        self._place: tuple[int, int] | None = None
        self._began = 0.0
        self._heard: set[tuple[int, int]] = set()
        self.words: list[RecordedWord] = []
        self.voiced_at = 0.0
        self.voiced_from: float | None = None

    @property
    def seconds(self) -> float:
        return self._bytes / 2 / RATE

    def feed(self, pcm: bytes) -> None:
        data = self._rest + pcm
        whole = len(data) - len(data) % BLOCK
        for at in range(0, whole, BLOCK):
            self._block(data[at : at + BLOCK])
        self._rest = data[whole:]

    def _block(self, block: bytes) -> None:
        start = self.seconds
        self._bytes += len(block)
        if not any(block):
            if self._place is not None and self._matches(block):
                self._move(len(block))
            else:
                self._place = None
            if start - self.voiced_at > 0.2:
                self.voiced_from = None
            return
        if self.voiced_from is None:
            self.voiced_from = start
        self.voiced_at = self.seconds
        if self._place is None or not self._matches(block):
            self._place = self._find(block)
            self._began = start
        if self._place is not None:
            self._move(len(block))

    def _matches(self, block: bytes) -> bool:
        assert self._place is not None
        which, at = self._place
        return self._recordings[which].pcm[at : at + len(block)] == block

    def _find(self, block: bytes) -> tuple[int, int] | None:
        for which, recording in enumerate(self._recordings):
            at = recording.pcm.find(block)
            if at >= 0:
                return which, at
        return None

    def _move(self, size: int) -> None:
        """Go on in the recording; words whose end was reached are heard, if their beginning was."""
        assert self._place is not None
        which, at = self._place
        self._place = which, at + size
        offset = self.seconds - (at + size) / 2 / RATE
        for number, word in enumerate(self._recordings[which].words):
            if (which, number) in self._heard or word.end > (at + size) / 2 / RATE + 1e-6:
                continue
            if word.start + offset >= self._began - 0.011:
                self._heard.add((which, number))
                self.words.append(RecordedWord(word.text, word.start + offset, word.end + offset))


def _silence(seconds: float) -> bytes:
    return bytes(2 * round(seconds * RATE))
