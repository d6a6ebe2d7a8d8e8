"""The contract of text-to-speech."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator

from antiphon.audio.frames import AudioFrame
from antiphon.models.capabilities import TTSCapabilities


class TTSStream(ABC):
    """One running synthesis of a reply, text segment by text segment.

    The iterator yields ``AudioFrame`` at ``TTS.sample_rate`` with ``segment`` set to the index of the
    pushed text (0, 1, ...) and, where the voice has them, ``words``. A failure raises ``ModelError``.
    """

    @abstractmethod
    def push_text(self, text: str) -> None:
        """Add one speakable segment (a clause or a sentence). Never blocks."""

    @abstractmethod
    def end_input(self) -> None:
        """No more text: the iterator ends after the last segment's audio."""

    @abstractmethod
    def __aiter__(self) -> AsyncIterator[AudioFrame]: ...

    @abstractmethod
    async def aclose(self) -> None:
        """Cancel at once and free everything. May be called at any time, more than once."""


class TTS(ABC):
    """A text-to-speech voice. One object serves any number of streams at once."""

    capabilities: TTSCapabilities = TTSCapabilities()
    provider: str = ""
    model: str = ""
    sample_rate: int = 24_000
    on_core: bool = False
    meters: bool = False

    @abstractmethod
    def stream(self) -> TTSStream:
        """Start a synthesis."""

    async def prewarm(self) -> None:
        """Load or connect ahead of need."""

    async def aclose(self) -> None:
        """Free what the model object itself holds."""
