"""Streaming from batch models: one that transcribes a whole utterance, one that speaks a whole sentence."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import AsyncIterator

import msgspec

from antiphon.audio.frames import AudioFrame
from antiphon.models.capabilities import STTCapabilities, TTSCapabilities
from antiphon.models.stt import STT, STTEvent, STTStream
from antiphon.models.tts import TTS, TTSStream

LEAD = 0.3
"""Seconds of audio before detected speech that belong to the utterance."""
LONGEST = 30.0
"""Seconds after which a running utterance is transcribed all the same."""


class BatchSTT(ABC):
    """A recogniser of whole utterances."""

    provider: str = ""
    model: str = ""
    on_core: bool = False

    @abstractmethod
    async def recognize(self, frames: tuple[AudioFrame, ...], *, language: str = "") -> STTEvent:
        """One utterance, ``EAR_RATE`` mono. Raises ``ModelError``."""

    async def prewarm(self) -> None:
        """Load or connect ahead of need."""

    async def aclose(self) -> None:
        return None


class BatchTTS(ABC):
    """A voice that speaks a whole text at once."""

    provider: str = ""
    model: str = ""
    sample_rate: int = 24_000
    on_core: bool = False

    @abstractmethod
    async def synthesize(self, text: str) -> AudioFrame:
        """The audio of one text. Raises ``ModelError``."""

    async def prewarm(self) -> None:
        """Load or connect ahead of need."""

    async def aclose(self) -> None:
        return None


class StreamingSTT(STT):
    """A batch recogniser as a stream: the plane's voice-activity marks cut the utterances."""

    capabilities = STTCapabilities(partials=False, flush=True)

    def __init__(self, batch: BatchSTT) -> None:
        self.batch = batch
        self.provider, self.model, self.on_core = batch.provider, batch.model, batch.on_core

    def stream(self, *, language: str = "") -> STTStream:
        return _UtteranceStream(self.batch, language)

    async def prewarm(self) -> None:
        await self.batch.prewarm()

    async def aclose(self) -> None:
        await self.batch.aclose()


class _UtteranceStream(STTStream):
    def __init__(self, batch: BatchSTT, language: str) -> None:
        self._batch, self._language = batch, language
        self._lead: deque[AudioFrame] = deque()
        self._frames: list[AudioFrame] = []
        self._ready: asyncio.Queue[tuple[AudioFrame, ...] | None] = asyncio.Queue()
        self._closed = False

    def push(self, frame: AudioFrame) -> None:
        if frame.flush:
            self._cut()
        elif frame.speech or self._frames:
            if not self._frames:
                self._frames.extend(self._lead)
                self._lead.clear()
            self._frames.append(frame)
            if frame.speech is False or sum(f.duration for f in self._frames) > LONGEST:
                self._cut()
        else:
            self._lead.append(frame)
            while sum(f.duration for f in self._lead) > LEAD:
                self._lead.popleft()

    def _cut(self) -> None:
        if self._frames:
            self._ready.put_nowait(tuple(self._frames))
            self._frames = []

    def end_input(self) -> None:
        self._cut()
        self._ready.put_nowait(None)

    async def __aiter__(self) -> AsyncIterator[STTEvent]:
        while not self._closed and (frames := await self._ready.get()) is not None:
            event = await self._batch.recognize(frames, language=self._language)
            end = frames[-1].at + frames[-1].duration
            yield msgspec.structs.replace(
                event, kind="final", start=frames[0].at, end=end, seconds=sum(f.duration for f in frames)
            )

    async def aclose(self) -> None:
        self._closed = True
        self._ready.put_nowait(None)


class StreamingTTS(TTS):
    """A batch voice as a stream: segment by segment, the next one made while the last one sounds."""

    capabilities = TTSCapabilities(streaming=False)

    def __init__(self, batch: BatchTTS) -> None:
        self.batch = batch
        self.provider, self.model, self.on_core = batch.provider, batch.model, batch.on_core
        self.sample_rate = batch.sample_rate

    def stream(self) -> TTSStream:
        return _SegmentStream(self.batch)

    async def prewarm(self) -> None:
        await self.batch.prewarm()

    async def aclose(self) -> None:
        await self.batch.aclose()


class _SegmentStream(TTSStream):
    def __init__(self, batch: BatchTTS) -> None:
        self._batch = batch
        self._texts: asyncio.Queue[str | None] = asyncio.Queue()
        self._closed = False

    def push_text(self, text: str) -> None:
        self._texts.put_nowait(text)

    def end_input(self) -> None:
        self._texts.put_nowait(None)

    async def __aiter__(self) -> AsyncIterator[AudioFrame]:
        segment = 0
        while not self._closed and (text := await self._texts.get()) is not None:
            yield msgspec.structs.replace(await self._batch.synthesize(text), segment=segment)
            segment += 1

    async def aclose(self) -> None:
        self._closed = True
        self._texts.put_nowait(None)
