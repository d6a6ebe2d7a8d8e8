"""Symbolic speech: which words lie in which stretch of a symbolic utterance. It knows nothing of who speaks or hears."""

from __future__ import annotations

import math
from collections.abc import Iterator

from antiphon.audio.frames import AudioFrame, Symbol, TimedWord

WORD_SECONDS = 0.3
"""How long one word lasts where a script does not say otherwise: about 200 words a minute."""


def spread(text: str, total: float) -> tuple[TimedWord, ...]:
    """The words of ``text``, each as long as the others, over ``total`` seconds."""
    words = text.split()
    each = total / len(words) if words else 0.0
    return tuple(TimedWord(word, n * each, (n + 1) * each) for n, word in enumerate(words))


def spoken_seconds(text: str, word_seconds: float = WORD_SECONDS) -> float:
    """How long ``text`` takes to say."""
    return len(text.split()) * word_seconds


def words_in(symbol: Symbol, seconds: float) -> tuple[TimedWord, ...]:
    """Words of a symbolic frame of this length that *begin* in it, times relative to the utterance."""
    if symbol.kind != "speech" or not symbol.total:
        return ()
    end = symbol.start + seconds
    return tuple(w for w in spread(symbol.text, symbol.total) if symbol.start - 1e-6 <= w.start < end - 1e-6)


def whole_words_until(symbol: Symbol, seconds: float) -> tuple[str, ...]:
    """Words that have been said completely when a symbolic frame of this length ends."""
    if symbol.kind != "speech" or not symbol.total:
        return ()
    words = symbol.text.split()
    if not words:
        return ()
    each = symbol.total / len(words)
    return tuple(words[: min(len(words), math.floor((symbol.start + seconds) / each + 1e-3))])


def symbolic_frames(symbol: Symbol, *, rate: int, frame_seconds: float, segment: int = -1) -> Iterator[AudioFrame]:
    """An utterance cut into symbolic frames of at most ``frame_seconds``, from ``symbol.start`` to its end."""
    total = round(symbol.total * rate)
    done = round(symbol.start * rate)
    size = max(1, round(frame_seconds * rate))
    while done < total:
        samples = min(size, total - done)
        part = Symbol(kind=symbol.kind, text=symbol.text, start=done / rate, total=symbol.total)
        yield AudioFrame(data=b"", rate=rate, samples=samples, segment=segment, symbol=part)
        done += samples
