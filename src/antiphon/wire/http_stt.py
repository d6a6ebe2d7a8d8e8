"""A recogniser of whole utterances behind HTTP: joins a provider's codec with the wire.

Owns: one request per utterance and its retries. Never: formats (the codec), sockets (``wire.http``), where an utterance
ends (``antiphon.models.stream_adapters``).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from antiphon.audio.frames import EAR_RATE, AudioFrame, TimedWord
from antiphon.errors import ModelError
from antiphon.models.speech_codec import TranscriptionCodec
from antiphon.models.stream_adapters import BatchSTT
from antiphon.models.stt import STTEvent
from antiphon.wire.faults import Service, without_key
from antiphon.wire.retry import RetryPolicy, Sleep, pause
from antiphon.wire.stt import RETRY

if TYPE_CHECKING:
    from antiphon.wire.http import Deadlines, HttpPool

MAX_ANSWER = 4 * 1024 * 1024


class HttpSTT(BatchSTT):
    """``StreamingSTT(HttpSTT(...))`` is a recogniser for a session. ``key``: the API key. ``pool``: sockets to share."""

    def __init__(
        self,
        codec: TranscriptionCodec,
        service: Service,
        *,
        key: str = "",
        deadlines: Deadlines | None = None,
        retry: RetryPolicy = RETRY,
        pool: HttpPool | None = None,
        sleep: Sleep = pause,
    ) -> None:
        self.provider, self.model = service.name, service.model
        self.service, self.codec, self.retry, self.sleep = service, codec, retry, sleep
        self.headers = codec.authorise(key) if key else {}
        self._key = key
        self._deadlines, self._pool, self._owns_pool = deadlines, pool, pool is None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.provider}/{self.model} at {self.service.base_url})"

    @property
    def pool(self) -> HttpPool:
        """The sockets, made on first use."""
        from antiphon.wire.http import HttpPool

        if self._pool is None:
            self._pool = HttpPool(decompress=False)
        return self._pool

    async def recognize(self, frames: tuple[AudioFrame, ...], *, language: str = "") -> STTEvent:
        from antiphon.wire.http import Deadlines, open_stream

        request = self.codec.request(_pcm(frames, self.codec.rate), language)
        headers = {"Accept": "application/json", "Accept-Encoding": "identity", **self.headers}
        loop = asyncio.get_running_loop()
        began, attempt = loop.time(), 0
        while True:
            try:
                async with open_stream(
                    self.pool,
                    self.service,
                    request,
                    headers=headers,
                    deadlines=self._deadlines or Deadlines(),
                    fault=self.codec.fault,
                ) as stream:
                    heard = self.codec.read(await stream.body(MAX_ANSWER))
                    break
            except ModelError as error:
                wait = self.retry.wait(error, attempt=attempt, elapsed=loop.time() - began)
                if wait is None:
                    raise without_key(error, self._key) from None
            attempt += 1
            if wait > 0:
                await self.sleep(wait)
        return STTEvent(
            kind="final",
            text=heard.text,
            language=heard.language or language,
            confidence=heard.confidence,
            words=tuple(TimedWord(w.text, w.start, w.end) for w in heard.words),
            speaker=heard.speaker,
        )

    async def prewarm(self) -> None:
        """Open a connection for the first utterance. Raises ``ModelError``, also for a key that the service does not know."""
        from antiphon.wire.http import Deadlines, probe

        try:
            await probe(
                self.pool,
                self.service,
                self.codec.probe(),
                headers=self.headers,
                deadlines=self._deadlines or Deadlines(),
                fault=self.codec.fault,
            )
        except ModelError as error:
            raise without_key(error, self._key) from None

    async def aclose(self) -> None:
        if self._owns_pool and self._pool is not None:
            await self._pool.aclose()


def _pcm(frames: tuple[AudioFrame, ...], rate: int) -> bytes:
    pcm = b"".join(frame.data or bytes(2 * frame.samples) for frame in frames)
    if rate == EAR_RATE:
        return pcm
    import numpy as np

    from antiphon.audio.resample import Resampler

    resampler = Resampler(EAR_RATE, rate)
    samples = np.frombuffer(pcm, dtype="<i2")
    return np.concatenate((resampler.process(samples), resampler.flush())).astype("<i2").tobytes()
