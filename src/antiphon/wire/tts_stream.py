"""One reply's synthesis: texts in, labelled audio out; begun again on another socket as long as nothing of it was given out.

Owns which text the audio belongs to, deadlines and retries of a synthesis. Never: formats, sockets.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator

from antiphon.audio.frames import AudioFrame, TimedWord
from antiphon.errors import ModelError
from antiphon.models.speech_codec import ContextDone, SegmentDone, Sound, SpokenWord, TextUsage, TTSSignal, Words
from antiphon.models.tts import TTSStream
from antiphon.wire.faults import deadline_error
from antiphon.wire.tts import WireTTS
from antiphon.wire.tts_link import TTSContext
from antiphon.wire.whole_samples import WholeSamples


class WireTTSStream(TTSStream):
    """``WireTTS.stream``. It takes a socket when the first text is there. ``billed``: characters the service was given or,
    where it says so, bills."""

    def __init__(self, tts: WireTTS) -> None:
        self._tts = tts
        self._texts: list[str] = []
        self._ended = False
        self._closed = False
        self._wake = asyncio.Event()
        self._done = 0
        self._iterating = False
        self._context: TTSContext | None = None
        self._acquiring: asyncio.Task[TTSContext] | None = None
        self._cut = False
        self.billed = 0

    # --- the contract --------------------------------------------------------------------------------------------------

    def push_text(self, text: str) -> None:
        self._texts.append(text)
        self._wake.set()

    def end_input(self) -> None:
        self._ended = True
        self._wake.set()

    def __aiter__(self) -> AsyncIterator[AudioFrame]:
        return self._iterate()

    async def aclose(self) -> None:
        self._closed = True
        self._wake.set()
        if self._acquiring is not None:
            self._acquiring.cancel()
        context, self._context = self._context, None
        if context is not None:
            context.signals.put_nowait(ContextDone(context.name))
            await context.release()

    # --- attempts ------------------------------------------------------------------------------------------------------

    async def _iterate(self) -> AsyncIterator[AudioFrame]:
        if self._iterating:
            raise RuntimeError("a stream can be iterated once")
        self._iterating = True
        loop = asyncio.get_running_loop()
        attempt, trouble = 0, -1.0
        try:
            while not self._closed:
                await self._text_or_end()
                if self._closed or (self._ended and self._done >= len(self._texts)):
                    return
                given = False
                try:
                    spoken = self._speak()
                    try:
                        async for frame in spoken:
                            given = given or frame.samples > 0
                            yield frame
                    finally:
                        await spoken.aclose()
                    return
                except ModelError as error:
                    if self._cut:
                        raise
                    if given or trouble < 0:
                        attempt, trouble = 0, loop.time()
                    wait = self._tts.retry.wait(error, attempt=attempt, elapsed=loop.time() - trouble)
                    if wait is None:
                        raise
                    attempt += 1
                    if wait > 0:
                        await self._tts.sleep(wait)
        finally:
            await self.aclose()

    async def _text_or_end(self) -> None:
        while not (self._closed or self._ended or len(self._texts) > self._done):
            self._wake.clear()
            await self._wake.wait()

    # --- one attempt ---------------------------------------------------------------------------------------------------

    async def _speak(self) -> AsyncGenerator[AudioFrame, None]:
        """Speak, in one context, what has not been spoken yet."""
        self._cut = False
        acquiring = self._acquiring = asyncio.create_task(self._tts.pool.context(), name="tts-acquire")
        try:
            await asyncio.wait([acquiring])
        finally:
            acquiring.cancel()
        if self._closed or acquiring.cancelled():
            return
        context = self._context = acquiring.result()
        writing = asyncio.create_task(self._write(context, self._done), name="tts-write")
        try:
            async for frame in self._read(context):
                yield frame
        finally:
            writing.cancel()
            await asyncio.wait([writing])
            if self._context is context:
                self._context = None
            await context.release()

    async def _write(self, context: TTSContext, begin: int) -> None:
        """Texts into the context as they come."""
        sent = begin
        while True:
            while sent < len(self._texts):
                context.speak(self._texts[sent])
                self.billed += len(self._texts[sent])
                sent += 1
            context.signals.put_nowait(None)
            if self._ended:
                context.end()
                return
            self._wake.clear()
            await self._wake.wait()

    async def _read(self, context: TTSContext) -> AsyncGenerator[AudioFrame, None]:
        rules, whole = context.link.codec.rules, WholeSamples()
        samples = begin = 0
        words: list[SpokenWord] = []
        while True:
            signal = await self._next(context, first=samples == begin)
            if isinstance(signal, Sound):
                data = whole.feed(signal.pcm)
                if not data:
                    continue
                samples += len(data) // 2
                self._cut = True
                yield self._frame(data, samples, begin, words, rules.boundaries)
            elif isinstance(signal, Words):
                words.extend(signal.words)
            elif isinstance(signal, SegmentDone):
                if words:
                    yield self._frame(b"", samples, begin, words, True)
                self._done += 1
                self._cut = False
                begin = samples
            elif isinstance(signal, TextUsage):
                self.billed = signal.characters
            elif isinstance(signal, ContextDone):
                if words:
                    yield self._frame(b"", samples, begin, words, rules.boundaries)
                if not rules.boundaries:
                    self._done = len(self._texts)
                return

    def _frame(self, data: bytes, samples: int, begin: int, words: list[SpokenWord], labelled: bool) -> AudioFrame:
        """Audio with the timed words that are known by now."""
        rate = self._tts.sample_rate
        start = begin / rate
        timed = tuple(TimedWord(w.text, max(0.0, w.start - start), max(0.0, w.end - start)) for w in words)
        words.clear()
        segment = self._done if labelled or len(self._texts) == 1 else -1
        return AudioFrame(data=data, rate=rate, samples=len(data) // 2, segment=segment, words=timed)

    async def _next(self, context: TTSContext, *, first: bool) -> TTSSignal:
        """The next signal, within the deadline of whatever is due."""
        loop, deadlines = asyncio.get_running_loop(), self._tts.deadlines
        limit = deadlines.first if first else deadlines.between
        due: float | None = None
        while True:
            if due is None and self._awaited(context, first):
                due = loop.time() + limit
            try:
                async with asyncio.timeout_at(due):
                    signal = await context.signals.get()
            except TimeoutError:
                await context.link.aclose()  # it takes text and answers nothing: no other synthesis should meet it
                raise deadline_error(self._tts.service, "audio", limit) from None
            if isinstance(signal, ModelError):
                raise signal
            if signal is not None:
                return signal

    def _awaited(self, context: TTSContext, first: bool) -> bool:
        """Whether the service owes audio, or the end of it."""
        outstanding = context.link.codec.rules.boundaries or first
        return self._ended or (outstanding and len(self._texts) > self._done)
