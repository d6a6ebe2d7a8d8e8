"""A voice behind one HTTP request for each text: joins a provider's codec with the wire.

Owns: one request per text, its retries, its end. Never: formats (the codec), sockets (``wire.http``).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import TYPE_CHECKING

from antiphon.audio.frames import AudioFrame, TimedWord
from antiphon.errors import ModelError
from antiphon.models.capabilities import TTSCapabilities
from antiphon.models.endings import ServiceError, failure_of
from antiphon.models.speech_codec import Sound, SpeechRequestCodec, TTSSignal, Words
from antiphon.models.tts import TTS, TTSStream
from antiphon.wire.faults import Service, without_key
from antiphon.wire.retry import RetryPolicy, Sleep, pause
from antiphon.wire.tts import RETRY, sayable
from antiphon.wire.whole_samples import WholeSamples

if TYPE_CHECKING:
    from antiphon.wire.http import Deadlines, HttpPool


class HttpTTS(TTS):
    """A voice that a service offers over HTTP. ``key``: the API key. ``pool``: sockets to share with other models."""

    on_core = True

    def __init__(
        self,
        codec: SpeechRequestCodec,
        service: Service,
        *,
        key: str = "",
        capabilities: TTSCapabilities | None = None,
        deadlines: Deadlines | None = None,
        retry: RetryPolicy = RETRY,
        pool: HttpPool | None = None,
        sleep: Sleep = pause,
    ) -> None:
        self.provider, self.model = service.name, service.model
        self.service, self.codec, self.retry, self.sleep = service, codec, retry, sleep
        self.capabilities = capabilities or TTSCapabilities()
        self.sample_rate = codec.rate
        self.headers = codec.authorise(key) if key else {}
        self._key = key
        self._deadlines, self._pool, self._owns_pool = deadlines, pool, pool is None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.provider}/{self.model} at {self.service.base_url})"

    @property
    def deadlines(self) -> Deadlines:
        from antiphon.wire.http import Deadlines

        return self._deadlines or Deadlines(first=5.0, between=3.0)

    @property
    def key(self) -> str:
        return self._key

    @property
    def pool(self) -> HttpPool:
        from antiphon.wire.http import HttpPool

        if self._pool is None:
            self._pool = HttpPool(decompress=False)
        return self._pool

    def stream(self) -> TTSStream:
        return HttpTTSStream(self)

    async def prewarm(self) -> None:
        """Open a connection for the first text. Raises ``ModelError``, also for a key that the service does not know."""
        from antiphon.wire.http import probe

        try:
            await probe(
                self.pool,
                self.service,
                self.codec.probe(),
                headers=self.headers,
                deadlines=self.deadlines,
                fault=self.codec.fault,
            )
        except ModelError as error:
            raise without_key(error, self._key) from None

    async def aclose(self) -> None:
        if self._owns_pool and self._pool is not None:
            await self._pool.aclose()


class HttpTTSStream(TTSStream):
    """One reply: text after text, each its own request. A task of its own reads, so that ``aclose`` frees it at once."""

    def __init__(self, tts: HttpTTS) -> None:
        self._tts = tts
        self._texts: asyncio.Queue[str | None] = asyncio.Queue()
        self._frames: asyncio.Queue[AudioFrame | Exception | None] = asyncio.Queue(64)
        self._task: asyncio.Task[None] | None = None
        self._closed = False

    def push_text(self, text: str) -> None:
        self._texts.put_nowait(sayable(text))

    def end_input(self) -> None:
        self._texts.put_nowait(None)

    async def __aiter__(self) -> AsyncIterator[AudioFrame]:
        if self._closed:
            return
        if self._task is not None:
            raise RuntimeError("a stream can be iterated once")
        self._task = asyncio.get_running_loop().create_task(self._run(), name=f"tts {self._tts.model}")
        try:
            while not self._closed and (item := await self._frames.get()) is not None:
                if isinstance(item, Exception):
                    raise item
                yield item
        finally:
            await self.aclose()

    async def aclose(self) -> None:
        self._closed = True
        if self._task is not None and not self._task.done():
            self._task.cancel()
            await asyncio.wait([self._task])
        while not self._frames.empty():
            self._frames.get_nowait()
        self._frames.put_nowait(None)

    async def _run(self) -> None:
        segment = 0
        try:
            while (text := await self._texts.get()) is not None:
                await self._text(text, segment)
                segment += 1
            await self._frames.put(None)
        except Exception as error:
            await self._frames.put(error)

    async def _text(self, text: str, segment: int) -> None:
        """One text's audio; asked for again as long as nothing of it has come."""
        tts, loop = self._tts, asyncio.get_running_loop()
        began, attempt = loop.time(), 0
        while True:
            given = False
            try:
                async with aclosing(self._once(text, segment)) as frames:
                    async for frame in frames:
                        given = True
                        await self._frames.put(frame)
                return
            except ModelError as error:
                wait = None if given else tts.retry.wait(error, attempt=attempt, elapsed=loop.time() - began)
                if wait is None:
                    raise without_key(error, tts.key) from None
            attempt += 1
            if wait > 0:
                await tts.sleep(wait)

    async def _once(self, text: str, segment: int) -> AsyncGenerator[AudioFrame, None]:
        from antiphon.wire.http import open_stream

        tts, decoder, whole = self._tts, self._tts.codec.decoder(), WholeSamples()
        request = tts.codec.request(text)
        headers = {"Accept": "*/*", "Accept-Encoding": "identity", **tts.headers}
        async with open_stream(
            tts.pool, tts.service, request, headers=headers, deadlines=tts.deadlines, fault=tts.codec.fault
        ) as stream:
            async with aclosing(stream.chunks()) as chunks:
                async for chunk in chunks:
                    for frame in self._frames_of(decoder.feed(chunk), whole, segment):
                        yield frame
            for frame in self._frames_of(decoder.end(), whole, segment):
                yield frame

    def _frames_of(self, signals: list[TTSSignal], whole: WholeSamples, segment: int) -> list[AudioFrame]:
        frames, rate = [], self._tts.sample_rate
        for signal in signals:
            data, words = b"", tuple[TimedWord, ...]()
            if isinstance(signal, ServiceError):
                failure = failure_of(self._tts.service.name, signal)
                raise ModelError(failure.message, hint=failure.hint, retryable=failure.retryable)
            if isinstance(signal, Sound):
                data = whole.feed(signal.pcm)
            elif isinstance(signal, Words):
                words = tuple(TimedWord(w.text, w.start, w.end) for w in signal.words)
            if data or words:
                frames.append(AudioFrame(data, rate, len(data) // 2, segment=segment, words=words))
        return frames
