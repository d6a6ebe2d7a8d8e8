"""The voice that sessions use: text segments in, frames out, spoken by a host."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing

from antiphon.audio.frames import AudioFrame
from antiphon.local.catalog import load_catalog
from antiphon.local.hosts import Host, load
from antiphon.local.piper import Speech
from antiphon.local.pump import Emit, Pump
from antiphon.local.requests import Sound, Speak
from antiphon.models.capabilities import TTSCapabilities
from antiphon.models.tts import TTS, TTSStream

FRAME = 0.1
"""Seconds of sound in a frame."""


class LocalTTSStream(TTSStream):
    """One reply. Segments are spoken one after the other."""

    def __init__(self, host: Host, model: str, voice: str) -> None:
        self._host = host
        self._model = model
        self._voice = voice
        self._texts: asyncio.Queue[str | None] = asyncio.Queue()
        self._pump: Pump[AudioFrame] = Pump(self._speak)

    def push_text(self, text: str) -> None:
        self._texts.put_nowait(text)

    def end_input(self) -> None:
        self._texts.put_nowait(None)

    def __aiter__(self) -> AsyncIterator[AudioFrame]:
        return self._pump.items()

    async def aclose(self) -> None:
        await self._pump.aclose()

    async def _speak(self, emit: Emit[AudioFrame]) -> None:
        segment = 0
        while (text := await self._texts.get()) is not None:
            position = 0
            request = Speak(model=self._model, text=text, voice=self._voice)
            async with aclosing(self._host.ask(request)) as replies:
                async for reply in replies:
                    if isinstance(reply, Sound):
                        for frame in frames(reply.speech, reply.rate, segment, position):
                            await emit(frame)
                        position += len(reply.speech.pcm) // 2
            segment += 1


def frames(speech: Speech, rate: int, segment: int, position: int) -> Iterator[AudioFrame]:
    """A stretch of sound as frames of ``FRAME`` seconds (the last may be longer, up to twice). ``position``: samples
    of the segment before it."""
    size = int(FRAME * rate)
    total = len(speech.pcm) // 2
    count = max(1, total // size)
    for n in range(count):
        begin, end = n * size, total if n == count - 1 else (n + 1) * size
        first, last = (position + begin) / rate, (position + end) / rate
        words = tuple(w for w in speech.words if first <= w.start < last)
        yield AudioFrame(speech.pcm[2 * begin : 2 * end], rate, end - begin, segment=segment, words=words)


class LocalTTS(TTS):
    """A Piper voice with word times, or one of Kokoro's without."""

    provider = "local"
    on_core = True

    def __init__(self, host: Host, model: str = "piper-joe", *, voice: str = "") -> None:
        kokoro = load_catalog()[model].runtime == "kokoro"
        self.model = model
        self.sample_rate = 24_000 if kokoro else 22_050
        self.capabilities = TTSCapabilities(streaming=True, word_times=not kokoro)
        self._voice = voice
        self._host = host

    def stream(self) -> TTSStream:
        return LocalTTSStream(self._host, self.model, self._voice)

    async def prewarm(self) -> None:
        await load(self._host, self.model)
