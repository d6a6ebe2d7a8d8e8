"""The Moonshine recogniser: a stretch of speech in, its text out. Knows nothing of streams.

Paper: "Moonshine: Speech Recognition for Live Transcription and Voice Commands" (2410.15608). The guards against
empty and looping output are ours: the model sometimes ends at once on clear speech, and loops or invents on noise.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from antiphon.local.runtime import onnx_session
from antiphon.local.spoken_digits import DIGITS

RATE = 16_000
START, END = 1, 2
FIRST_TEXT_TOKEN = 3
HEADS, HEAD_SIZE = 8, 52
TOKENS_PER_SECOND = 6.5
SHORTEST = RATE // 5
LONGEST = 30 * RATE
"""Samples. Longer audio is cut here; ``stt.py`` cuts at pauses long before."""
LONG_PHRASE = 4
"""Words of a phrase that nobody says twice and a half."""
DIGITS_IN_A_ROW = 6
"""The same digits as often as they are in numbers that people read out: "four one five, five five five"."""


class Transcript(msgspec.Struct, frozen=True):
    """``confidence``: geometric mean of the token probabilities, 0 to 1."""

    text: str
    confidence: float


class Moonshine:
    """One loaded recogniser. ``transcribe`` may be called from several threads."""

    def __init__(self, folder: Path, threads: int = 1) -> None:
        self._encoder = onnx_session(folder / "encoder.onnx", threads)
        self._cross = onnx_session(folder / "cross.onnx", threads)
        self._decoder = onnx_session(folder / "decoder.onnx", threads)
        self._pieces = read_pieces((folder / "tokenizer.bin").read_bytes())
        self._cross_names = [o.name.replace("present", "past_key_values") for o in self._cross.get_outputs()]
        self._past_names = [o.name.replace("present", "past_key_values") for o in self._decoder.get_outputs()[1:]]

    def transcribe(self, pcm: bytes) -> Transcript:
        """``pcm``: int16 mono at 16 kHz holding speech (the model invents text for silence)."""
        audio = np.frombuffer(pcm[: len(pcm) & ~1], "<i2")[:LONGEST].astype(np.float32) / 32768.0
        if len(audio) < SHORTEST:
            audio = np.pad(audio, (0, SHORTEST - len(audio)))
        hidden = self._encoder.run(None, {"input_values": audio[None]})[0]
        feed = dict(zip(self._cross_names, self._cross.run(None, {"encoder_hidden_states": hidden}), strict=True))
        feed |= dict.fromkeys(self._past_names, np.zeros((1, HEADS, 0, HEAD_SIZE), np.float32))
        tokens: list[int] = []
        scores: list[float] = []
        token, limit = START, int(len(audio) / RATE * TOKENS_PER_SECOND) + 3
        while len(tokens) < limit:
            feed["input_ids"] = np.array([[token]], np.int64)
            logits, *past = self._decoder.run(None, feed)
            scored = logits[0, -1].copy()
            if not tokens:
                scored[END] = -np.inf
            token = int(scored.argmax())
            scores.append(log_probability(scored, token))
            feed |= dict(zip(self._past_names, past, strict=True))
            if token == END:
                break
            tokens.append(token)
        return Transcript(tidy(self._text(tokens)), float(np.exp(np.mean(scores))))

    def _text(self, tokens: list[int]) -> str:
        joined = b"".join(self._pieces[t] for t in tokens if FIRST_TEXT_TOKEN <= t < len(self._pieces))
        return joined.decode("utf-8", "ignore").replace("\u2581", " ")


def log_probability(logits: NDArray[np.float32], token: int) -> float:
    """Natural logarithm of the softmax of one token."""
    top = float(logits.max())
    return float(logits[token]) - top - float(np.log(np.exp(logits - top).sum()))


def read_pieces(data: bytes) -> list[bytes]:
    """The tokenizer file: for each token its length (one byte, or two with the high bit set) and its bytes."""
    pieces: list[bytes] = []
    at = 0
    while at < len(data):
        length = data[at]
        at += 1
        if length >= 128:
            length = data[at] * 128 + length - 128
            at += 1
        pieces.append(data[at : at + length])
        at += length
    return pieces


def tidy(text: str) -> str:
    """Plain text on one line, loops cut: a word said more than three times, or a phrase more than twice, is said once (of
    digits: only what fills more than ``DIGITS_IN_A_ROW``). A long phrase whose third time is cut off by the end of the
    text counts as well: there the model ran out of tokens."""
    words = text.split()
    for size in range(1, 9):
        allowed = 3 if size == 1 else 2
        words = _cut_loops(words, size, allowed)
    return " ".join(words)


def _cut_loops(words: list[str], size: int, allowed: int) -> list[str]:
    plain = [word.lower().strip(".,!?") for word in words]
    kept: list[str] = []
    at = 0
    while at < len(words):
        phrase = plain[at : at + size]
        repeats = 1
        while len(phrase) == size and plain[at + repeats * size : at + (repeats + 1) * size] == phrase:
            repeats += 1
        rest = plain[at + repeats * size :]
        if size >= LONG_PHRASE and repeats == allowed and 0 < len(rest) < size and rest == phrase[: len(rest)]:
            return kept + words[at : at + size]
        digits = all(word in DIGITS or word in DIGITS.values() for word in phrase)
        most = max(allowed, DIGITS_IN_A_ROW // size) if digits else allowed
        take = size if repeats > most else size * repeats if repeats > 1 else 1
        kept += words[at : at + take]
        at += size * repeats if repeats > 1 else 1
    return kept
