"""One reply's synthesis: texts in, labelled audio out, over as many contexts and sockets as it takes.

Owns which text the audio belongs to, deadlines and retries. A text of which audio was given out is never begun again here:
what the caller has heard of it, others know. Never: formats, sockets.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

from antiphon.audio.frames import AudioFrame, TimedWord
from antiphon.errors import ModelError
from antiphon.models.speech_codec import ContextDone, SegmentDone, Sound, SpokenWord, TextUsage, TTSSignal, Words
from antiphon.models.tts import TTSStream
from antiphon.wire.faults import deadline_error
from antiphon.wire.tts import WireTTS, sayable
from antiphon.wire.tts_link import TTSContext
from antiphon.wire.whole_samples import WholeSamples

logger = logging.getLogger("antiphon")


class WireTTSStream(TTSStream):
    """``WireTTS.stream``. It takes a socket when the first text is there."""

    def __init__(self, tts: WireTTS) -> None:
        self._tts = tts
        self._texts: list[str] = []
        self._ended = False
        self._closed = False
        self._wake = asyncio.Event()
        self._done = 0
        """Texts whose audio is complete."""
        self._cut = False
        """Whether some audio of the next text was given out."""
        self._iterating = False
        self._context: TTSContext | None = None
        self._acquiring: asyncio.Task[TTSContext] | None = None

    # --- the contract --------------------------------------------------------------------------------------------------

    def push_text(self, text: str) -> None:
        self._texts.append(sayable(text))
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
            context.put(ContextDone(context.name))
            await context.release()

    # --- attempts ------------------------------------------------------------------------------------------------------

    async def _iterate(self) -> AsyncIterator[AudioFrame]:
        if self._iterating:
            raise RuntimeError("a stream can be iterated once")
        self._iterating = True
        self._tts.usage.streams += 1
        loop = asyncio.get_running_loop()
        attempt, trouble = 0, -1.0
        try:
            while await self._more():
                done = self._done
                try:
                    async with aclosing(self._speak()) as spoken:
                        async for frame in spoken:
                            yield frame
                    if not self._closed and self._done == done:
                        raise ModelError(f"{self._tts.service.name} ended the synthesis without any audio.")
                    trouble = -1.0
                except ModelError as error:
                    if self._cut:
                        raise
                    if trouble < 0 or self._done > done:
                        attempt, trouble = 0, loop.time()
                    wait = self._tts.retry.wait(error, attempt=attempt, elapsed=loop.time() - trouble)
                    if wait is None:
                        raise
                    logger.warning("%s: a synthesis is begun again: %s", self._tts, error)
                    self._tts.usage.lost += 1
                    attempt += 1
                    if wait > 0:
                        await self._tts.sleep(wait)
        finally:
            await self.aclose()

    async def _more(self) -> bool:
        """Wait for a text that has not been spoken; false: there will be none."""
        while not self._closed and len(self._texts) <= self._done:
            if self._ended:
                return False
            self._wake.clear()
            await self._wake.wait()
        return not self._closed

    # --- one context ---------------------------------------------------------------------------------------------------

    async def _speak(self) -> AsyncGenerator[AudioFrame, None]:
        """Speak, in one context, what has not been spoken yet. The service may end a context before the last text has come:
        then another one follows."""
        context = await self._acquire()
        if context is None:
            return
        context.spoken = self._done
        writing = asyncio.create_task(self._write(context, self._done), name="tts-write")
        writing.add_done_callback(lambda task: _tell(context, task))
        try:
            async with aclosing(self._read(context)) as frames:
                async for frame in frames:
                    yield frame
        finally:
            writing.cancel()
            self._context = None
            try:
                await context.release()
            finally:
                await asyncio.wait([writing])

    async def _acquire(self) -> TTSContext | None:
        """A context; ``None`` where the stream was closed meanwhile."""
        acquiring = self._acquiring = asyncio.create_task(self._tts.pool.context(), name="tts-acquire")
        try:
            await asyncio.wait([acquiring])
        except asyncio.CancelledError:
            acquiring.cancel()
            raise
        finally:
            self._acquiring = None
        if acquiring.cancelled():
            return None
        self._context = acquiring.result()
        return self._context

    async def _write(self, context: TTSContext, sent: int) -> None:
        """Texts into the context as they come."""
        while True:
            for text in self._texts[sent:]:
                context.speak(text)
                self._tts.usage.characters += len(text)
            sent = len(self._texts)
            if self._ended:
                context.end()
            context.put(None)
            if self._ended:
                return
            self._wake.clear()
            await self._wake.wait()

    async def _read(self, context: TTSContext) -> AsyncGenerator[AudioFrame, None]:
        codec, whole = context.link.codec, WholeSamples()
        samples = begin = 0
        words: list[SpokenWord] = []
        while True:
            signal = await self._next(context, first=samples == begin)
            if isinstance(signal, Sound):
                data = whole.feed(signal.pcm)
                if data:
                    samples += len(data) // 2
                    self._cut = self._done < len(self._texts)
                    yield self._frame(data, begin, words, codec.rules.boundaries)
            elif isinstance(signal, Words):
                words.extend(signal.words)
            elif isinstance(signal, SegmentDone):
                if self._done < len(self._texts):
                    if words:
                        yield self._frame(b"", begin, words, codec.rules.boundaries)
                    self._done, self._cut, begin = self._done + 1, False, samples
            elif isinstance(signal, TextUsage):
                self._tts.usage.billed_characters += signal.characters - context.billed
                context.billed = signal.characters
            elif isinstance(signal, ContextDone):
                if words:
                    yield self._frame(b"", begin, words, codec.rules.boundaries)
                if not codec.rules.boundaries and (samples or self._ended):
                    self._done, self._cut = context.spoken, False
                elif self._cut:  # its end was not marked, and nothing more will come
                    self._done, self._cut = self._done + 1, False
                return

    def _frame(self, data: bytes, begin: int, words: list[SpokenWord], boundaries: bool) -> AudioFrame:
        """Audio with the timed words that are known by now. What comes behind the end of the last text belongs to it."""
        rate = self._tts.sample_rate
        start = begin / rate
        timed = tuple(TimedWord(w.text, max(0.0, w.start - start), max(0.0, w.end - start)) for w in words)
        words.clear()
        segment = min(self._done, len(self._texts) - 1) if boundaries or len(self._texts) == 1 else -1
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
                    signal = await context.take()
            except TimeoutError:
                if loop.time() - context.link.heard >= limit:  # nobody else on this socket hears anything either
                    await context.link.aclose()
                raise deadline_error(self._tts.service, "audio", limit) from None
            if isinstance(signal, BaseException):
                raise signal
            if signal is not None:
                return signal

    def _awaited(self, context: TTSContext, first: bool) -> bool:
        """Whether the service owes audio, or the end of it."""
        outstanding = context.link.codec.rules.boundaries or first
        return self._ended or (outstanding and context.spoken > self._done)


def _tell(context: TTSContext, writing: asyncio.Task[None]) -> None:
    """What went wrong with the texts is for who reads the audio: none will come."""
    if not writing.cancelled() and (error := writing.exception()) is not None:
        context.put(error)
