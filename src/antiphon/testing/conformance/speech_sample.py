"""A stretch of speech and its words, to be recognised."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

import msgspec

from antiphon.audio.frames import EAR_RATE, AudioFrame, Symbol
from antiphon.testing.speech import WORD_SECONDS, symbolic_frames

FRAME = 0.02


class SpeechSample(msgspec.Struct, frozen=True):
    """``frames``: at ``EAR_RATE``, silence around the words included. ``speech``: seconds, from where to where it is talked."""

    text: str
    frames: tuple[AudioFrame, ...]
    speech: tuple[float, float]

    @classmethod
    def symbolic(cls, text: str) -> SpeechSample:
        """For scripted recognisers: a length and a meaning, no sound."""
        total = len(text.split()) * WORD_SECONDS
        symbol = Symbol(kind="speech", text=text, total=total)
        frames = tuple(symbolic_frames(symbol, rate=EAR_RATE, frame_seconds=FRAME))
        return cls(text=text, frames=frames, speech=(0.0, total))

    @classmethod
    def pcm(cls, text: str, data: bytes, rate: int) -> SpeechSample:
        """From int16 mono sound of any rate, all of it speech."""
        import numpy as np

        from antiphon.audio.resample import resample

        sound = resample(np.frombuffer(data, dtype="<i2"), rate, EAR_RATE)
        size = round(FRAME * EAR_RATE)
        frames = tuple(
            AudioFrame.pcm(sound[at : at + size].tobytes(), EAR_RATE) for at in range(0, sound.size - size + 1, size)
        )
        return cls(text=text, frames=frames, speech=(0.0, len(frames) * FRAME))

    @classmethod
    def wav(cls, text: str, path: str | os.PathLike[str]) -> SpeechSample:
        """From a WAV file, its first channel."""
        from antiphon.audio.wav import read_wav

        sound, rate = read_wav(os.fspath(path))
        return cls.pcm(text, sound.tobytes(), rate)

    def marked(self, at: float) -> Iterator[AudioFrame]:
        """Its frames as the plane would send them, the first captured at ``at``."""
        for number, frame in enumerate(self.frames):
            begins = number * FRAME
            spoken = self.speech[0] <= begins < self.speech[1]
            yield msgspec.structs.replace(frame, at=at + begins, speech=spoken)


def silence(seconds: float, at: float) -> Iterator[AudioFrame]:
    """Nothing, frame by frame."""
    samples = round(FRAME * EAR_RATE)
    for number in range(round(seconds / FRAME)):
        yield AudioFrame(
            data=bytes(2 * samples),
            rate=EAR_RATE,
            samples=samples,
            at=at + number * FRAME,
            speech=False,
            symbol=Symbol(kind="silence", total=seconds),
        )


def words_of(text: str) -> list[str]:
    """The words of a transcript, without what is only written."""
    return re.findall(r"[^\W_]+", text.casefold())
