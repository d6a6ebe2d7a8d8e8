"""The contract of end-of-turn models: has the caller finished, or only paused?

Three kinds: one that looks at the last seconds of audio when a pause is to be judged (``TurnDetector``), one that reads
text alone (the same, ``audio_seconds = 0``), and one that listens all the time (``StreamingTurnDetector``).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator

import msgspec

from antiphon.audio.frames import EAR_RATE, AudioFrame

_FRAME = EAR_RATE // 50
"""Samples of a frame of 20 ms."""


class TurnEvidence(msgspec.Struct, frozen=True):
    """What a detector may look at. ``audio``: the last seconds before the pause, ``EAR_RATE`` mono, oldest first;
    ``text``: the turn's words so far (may be empty); ``language``: BCP 47 tag or empty; ``asked``: what the agent said
    before; ``silence``: seconds since the last speech, all of them in ``audio``; ``expects``: what the caller was asked
    for (``digits``, ``spelling``, ``email``, ``yes_no``; ``open``: nothing in particular)."""

    audio: tuple[AudioFrame, ...] = ()
    text: str = ""
    language: str = ""
    asked: str = ""
    silence: float = 0.2
    expects: str = "open"


class TurnDetector(ABC):
    """Scores one pause."""

    provider: str = ""
    model: str = ""
    on_core: bool = False
    """True for models whose coroutines never block: they run on the core loop. A user's run on the user's loop."""
    audio_seconds: float = 8.0
    """How much audio before the pause the model wants, in seconds (0 = none)."""

    @abstractmethod
    async def predict(self, evidence: TurnEvidence) -> float:
        """Probability in [0, 1] that the caller's turn has ended. Raises ``ModelError`` when it cannot tell. A score that
        takes longer than a second counts as none."""

    async def prewarm(self) -> None:
        """Load ahead of need."""

    async def aclose(self) -> None:
        """Free what the detector itself holds."""


class TurnStream(ABC):
    """One caller, heard from the first sound to the last."""

    @abstractmethod
    def push(self, frame: AudioFrame) -> float | None:
        """Take the next audio, ``EAR_RATE`` mono, speech and silence alike (``frame.speech`` says which). Returns the
        probability that the turn is over at this frame's end, or ``None`` while there is none for this moment: a score counts
        only for the sound up to it, so give one in each silence, changed or not. Must return within the frame's own time; raises ``ModelError`` when the stream cannot go on."""

    async def aclose(self) -> None:
        """Free everything."""


class StreamingTurnDetector(TurnDetector):
    """Listens all the time and always has a score ready: the session feeds each caller's audio to a stream of its own and
    takes the newest score when a pause is to be judged."""

    @abstractmethod
    def stream(self, *, language: str = "") -> TurnStream:
        """Begin to listen to one caller. ``language``: BCP 47 tag or empty."""

    async def predict(self, evidence: TurnEvidence) -> float:
        """The score of audio that is all there already (a benchmark's clip), given in frames of 20 ms as a call gives it.
        Without marks of its own, all but the ``silence`` at its end counts as speech."""
        stream, last = self.stream(language=evidence.language), 0.0
        spoken = sum(frame.samples for frame in evidence.audio) - round(evidence.silence * EAR_RATE)
        try:
            for frame in evidence.audio:
                for piece in _in_frames(frame, spoken):
                    score = stream.push(piece)
                    last = last if score is None else score
                spoken -= frame.samples
        finally:
            await stream.aclose()
        return last


def _in_frames(frame: AudioFrame, spoken: int) -> Iterator[AudioFrame]:
    """Pieces of at most 20 ms; ``spoken``: samples of speech from the frame's first on, where it is not marked."""
    if not frame.data:
        yield frame
        return
    for first in range(0, frame.samples, _FRAME):
        data = frame.data[2 * first : 2 * (first + _FRAME)]
        speech = first < spoken if frame.speech is None else frame.speech
        yield AudioFrame.pcm(data, frame.rate, at=frame.at + first / frame.rate, speech=speech)
