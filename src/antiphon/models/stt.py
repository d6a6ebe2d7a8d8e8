"""The contract of speech-to-text."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from typing import Literal

import msgspec

from antiphon.audio.frames import AudioFrame, TimedWord
from antiphon.models.capabilities import STTCapabilities


class STTEvent(msgspec.Struct, frozen=True):
    """What a recogniser says.

    ``kind``: ``partial`` (may change), ``final`` (the segment's text), ``turn_start``, ``turn_likely`` (the
    turn may be over: worth preparing a reply) and ``turn_end`` (a service with its own end-of-turn). ``segment`` names the stretch of speech; a later event with the same
    segment and a higher ``revision`` replaces the earlier one. ``start`` and ``end`` are seconds on the
    capture clock of the frames (0 = unknown). ``seconds``: audio billed with this event.

    ``reconnected``: the service's connection was lost and replaced. ``text`` says why, ``seconds`` how much audio was sent a
    second time, ``lost`` how many seconds of audio no connection ever took.
    """

    kind: Literal["partial", "final", "turn_start", "turn_likely", "turn_end", "reconnected"]
    text: str = ""
    segment: str = ""
    revision: int = 0
    language: str = ""
    confidence: float = 1.0
    start: float = 0.0
    end: float = 0.0
    words: tuple[TimedWord, ...] = ()
    speaker: str = ""
    seconds: float = 0.0
    lost: float = 0.0


class STTStream(ABC):
    """One running recognition. Ends when its iterator ends; a failure raises ``ModelError`` from the iterator."""

    @abstractmethod
    def push(self, frame: AudioFrame) -> None:
        """Take caller audio (``EAR_RATE`` mono). Never blocks. Frames carry ``speech`` and ``flush`` marks."""

    @abstractmethod
    def end_input(self) -> None:
        """No more audio: give what is left as finals, then end."""

    @abstractmethod
    def __aiter__(self) -> AsyncIterator[STTEvent]: ...

    @abstractmethod
    async def aclose(self) -> None:
        """Stop at once and free everything. May be called at any time, more than once."""


class STT(ABC):
    """A speech-to-text model. One object serves any number of streams."""

    capabilities: STTCapabilities = STTCapabilities()
    provider: str = ""
    model: str = ""
    on_core: bool = False
    """True for models whose coroutines never block: they run on the core loop. A user's run on the user's loop."""
    meters: bool = False
    """True for models that say themselves what they used (``models.metering``): the session does not count it again."""

    @abstractmethod
    def stream(self, *, language: str = "") -> STTStream:
        """Start recognising. ``language``: BCP 47 tag, empty for the model's default."""

    async def prewarm(self) -> None:
        """Load or connect ahead of need."""

    async def aclose(self) -> None:
        """Free what the model object itself holds."""
