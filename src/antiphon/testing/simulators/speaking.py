"""What the simulated voices say: audio whose length follows the text and whose samples name its words.

Owns text -> audio and word times. Tests read the words back with ``spoken``.
"""

from __future__ import annotations

from array import array
from zlib import crc32

import msgspec

from antiphon.testing.simulators.recording import RecordedWord

CHARACTER = 0.06
"""Seconds a character lasts."""


class Spoken(msgspec.Struct, frozen=True):
    """``pcm``: int16 little-endian mono. ``words``: in seconds from its first sample."""

    pcm: bytes
    words: tuple[RecordedWord, ...]


def speak(text: str, rate: int) -> Spoken:
    """The audio of a text: each word is a run of one sample value of its own, a zero between two words."""
    samples = array("h")
    words = []
    for word in text.split():
        start = len(samples) / rate
        length = max(2, round((len(word) + 1) * CHARACTER * rate))
        samples.extend([value_of(word)] * (length - 1))
        samples.append(0)
        words.append(RecordedWord(word, start, len(samples) / rate))
    return Spoken(samples.tobytes(), tuple(words))


def value_of(word: str) -> int:
    """The sample value that stands for a word."""
    return crc32(word.encode()) % 30_000 + 1


def spoken(pcm: bytes, vocabulary: str) -> str:
    """The words of simulated audio, among those of ``vocabulary``; a word that was cut still counts."""
    known = {value_of(word): word for word in vocabulary.split()}
    found = []
    last = 0
    for sample in array("h", pcm):
        if sample != last and sample:
            found.append(known.get(sample, "?"))
        last = sample
    return " ".join(found)
