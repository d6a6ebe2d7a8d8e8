"""The contract of end-of-turn models: has the caller finished, or only paused?"""

from __future__ import annotations

from abc import ABC, abstractmethod

import msgspec

from antiphon.audio.frames import AudioFrame


class TurnEvidence(msgspec.Struct, frozen=True):
    """What a detector may look at. ``audio``: the last seconds before the pause, ``EAR_RATE`` mono, oldest
    first; ``text``: the turn's words so far (may be empty); ``language``: BCP 47 tag or empty."""

    audio: tuple[AudioFrame, ...] = ()
    text: str = ""
    language: str = ""


class TurnDetector(ABC):
    """Scores one pause."""

    provider: str = ""
    model: str = ""
    on_core: bool = False
    audio_seconds: float = 8.0
    """How much audio before the pause the model wants, in seconds (0 = none)."""

    @abstractmethod
    async def predict(self, evidence: TurnEvidence) -> float:
        """Probability in [0, 1] that the caller's turn has ended. Raises ``ModelError`` when it cannot tell."""

    async def prewarm(self) -> None:
        """Load ahead of need."""

    async def aclose(self) -> None:
        """Free what the detector itself holds."""
