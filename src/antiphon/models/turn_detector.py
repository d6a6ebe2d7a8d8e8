"""The contract of end-of-turn models: has the caller finished, or only paused?

Three kinds: one that looks at the last seconds of audio when a pause is to be judged (``TurnDetector``), one that reads
text alone (the same, ``audio_seconds = 0``), and one that listens all the time (``StreamingTurnDetector``).
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import msgspec

from antiphon.audio.frames import AudioFrame


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
        probability that the turn is over at this frame's end, or ``None`` where there is nothing new to say. Must return
        within the frame's own time; raises ``ModelError`` when the stream cannot go on."""

    async def aclose(self) -> None:
        """Free everything."""


class StreamingTurnDetector(TurnDetector):
    """Listens all the time and always has a score ready: the session feeds each caller's audio to a stream of its own and
    takes the newest score when a pause is to be judged."""

    @abstractmethod
    def stream(self, *, language: str = "") -> TurnStream:
        """Begin to listen to one caller. ``language``: BCP 47 tag or empty."""

    async def predict(self, evidence: TurnEvidence) -> float:
        """The score of audio that is all there already (a benchmark's clip)."""
        stream, last = self.stream(language=evidence.language), 0.0
        try:
            for frame in evidence.audio:
                score = stream.push(frame)
                last = last if score is None else score
        finally:
            await stream.aclose()
        return last
