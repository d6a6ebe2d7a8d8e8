"""A LiveKit voice: text segments in, audio with segment and word times out.

Each segment is a synthesis of its own: its audio belongs to it for certain (history says what was heard), and the plugin
does not hold the last sentence back to see whether more comes. Owns: their audio as frames of ours. Never: sockets, retries.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import numpy as np

from antiphon.audio.frames import AudioFrame, TimedWord
from antiphon.models.capabilities import TTSCapabilities
from antiphon.models.tts import TTS, TTSStream
from antiphon.providers.livekit.plugin import enter, once, prewarm, told
from antiphon.providers.livekit.stt import words_of

WORDS = "lk.timed_transcripts"
"""Where their frames carry word times."""


class LiveKitTTS(TTS):
    """A voice of a plugin, streaming or not. ``theirs``: the plugin's object."""

    def __init__(self, theirs: Any) -> None:
        self.theirs = theirs
        self.provider = theirs.provider
        self.capabilities = TTSCapabilities(
            streaming=theirs.capabilities.streaming, word_times=theirs.capabilities.aligned_transcript
        )
        self._follow()

    def _follow(self) -> None:
        self.model, self.sample_rate = self.theirs.model, self.theirs.sample_rate

    def stream(self) -> TTSStream:
        self._follow()
        return _Stream(self.theirs)

    async def prewarm(self) -> None:
        await prewarm(self.theirs)

    async def aclose(self) -> None:
        await self.theirs.aclose()


class _Stream(TTSStream):
    def __init__(self, theirs: Any) -> None:
        self._theirs = theirs
        self._texts: asyncio.Queue[str | None] = asyncio.Queue()
        self._running: Any = None
        self._closed = False

    def push_text(self, text: str) -> None:
        self._texts.put_nowait(text)

    def end_input(self) -> None:
        self._texts.put_nowait(None)

    async def __aiter__(self) -> AsyncIterator[AudioFrame]:
        segment = 0
        try:
            await enter()
            while not self._closed and (text := await self._texts.get()) is not None:
                self._running = self._begin(text)
                words: tuple[TimedWord, ...] = ()
                async for audio in self._running:
                    words += tuple(words_of(audio.frame.userdata.get(WORDS) or (), 0.0))
                    if audio.frame.samples_per_channel:
                        yield _our_frame(audio.frame, segment, words)
                        words = ()
                await self._end()
                segment += 1
        except Exception as exc:
            raise told(exc, self._theirs) from None
        finally:
            await self.aclose()

    def _begin(self, text: str) -> Any:
        if not self._theirs.capabilities.streaming:
            return self._theirs.synthesize(text, conn_options=once())
        running = self._theirs.stream(conn_options=once())
        running.push_text(text)
        running.end_input()
        return running

    async def _end(self) -> None:
        running, self._running = self._running, None
        if running is not None:
            await running.aclose()

    async def aclose(self) -> None:
        self._closed = True
        self._texts.put_nowait(None)
        await self._end()


def _our_frame(frame: Any, segment: int, words: tuple[TimedWord, ...]) -> AudioFrame:
    data = bytes(frame.data)
    if frame.num_channels > 1:
        channels = np.frombuffer(data, np.int16).reshape(-1, frame.num_channels)
        data = channels.mean(axis=1).astype(np.int16).tobytes()
    return AudioFrame(data, frame.sample_rate, len(data) // 2, segment=segment, words=words)
