"""A voice that speaks symbolic audio or a tone, and fails on demand the way voice services do.

It uses only the public TTS contract. Its audio has the right length and, symbolically, the right words.
"""

from __future__ import annotations

import asyncio
import math
from array import array
from collections.abc import AsyncIterator

import msgspec

from antiphon.audio.frames import AudioFrame, Symbol, TimedWord
from antiphon.errors import ModelError
from antiphon.models.capabilities import TTSCapabilities
from antiphon.models.tts import TTS, TTSStream
from antiphon.testing.speech import WORD_SECONDS

TONE_HZ = 220.0


class TTSFaults(msgspec.Struct, frozen=True):
    """How a voice fails; settings compose. Words count from a stream's start.

    ``slow``: seconds added before the first audio of each segment. ``silence``: seconds of silence before each
    segment's speech. ``dies_before``: an error instead of the first audio. ``dies_after``: an error after so many words
    of audio. ``stalls_after``: no more audio after so many words, for ``stall`` s (0: for ever). ``ends_after``: the
    stream ends early, without an error, after so many words. ``at``: seconds after the voice's first stream from which
    streams are faulty (a session renders its clips at its start). ``streams``: how many streams are faulty, from the
    first of those (``None``: all). ``status``, ``retryable``: of the errors.
    """

    slow: float = 0.0
    silence: float = 0.0
    dies_before: bool = False
    dies_after: int | None = None
    stalls_after: int | None = None
    stall: float = 0.0
    ends_after: int | None = None
    at: float = 0.0
    streams: int | None = None
    status: int | None = None
    retryable: bool = True


class ScriptedTTS(TTS):
    """``word_seconds``: how long a word lasts. ``ttfb``: seconds to a segment's first audio. ``speed``: audio seconds
    made per second. ``chunk``: seconds of audio a frame holds (0: a word each); odd sizes are welcome.
    ``word_times``: frames carry timed words. ``pcm``: a tone instead of symbols."""

    on_core = True
    provider = "scripted"
    model = "tts"

    def __init__(
        self,
        *,
        word_seconds: float = WORD_SECONDS,
        ttfb: float = 0.12,
        speed: float = 8.0,
        chunk: float = 0.0,
        word_times: bool = True,
        pcm: bool = False,
        sample_rate: int = 24_000,
        faults: TTSFaults | None = None,
    ) -> None:
        self.capabilities = TTSCapabilities(streaming=True, word_times=word_times)
        self.word_seconds, self.ttfb, self.speed, self.chunk, self.pcm = word_seconds, ttfb, speed, chunk, pcm
        self.sample_rate = sample_rate
        self.faults = faults or TTSFaults()
        self._first = 0.0
        self._failed = 0
        self.streams: list[ScriptedTTSStream] = []
        """Every stream that was ever made, oldest first."""

    @property
    def open_streams(self) -> int:
        """Streams that were begun and not closed yet."""
        return sum(not stream.closed for stream in self.streams)

    @property
    def texts(self) -> list[str]:
        """Every segment that was pushed, oldest first."""
        return [text for stream in self.streams for text in stream.texts]

    def stream(self) -> TTSStream:
        now = asyncio.get_running_loop().time()
        if not self.streams:
            self._first = now
        faulty = now - self._first >= self.faults.at and self._failed != self.faults.streams
        self._failed += faulty
        made = ScriptedTTSStream(self, self.faults if faulty else TTSFaults())
        self.streams.append(made)
        return made


class ScriptedTTSStream(TTSStream):
    """One synthesis. ``texts``: what it was given; ``seconds``: audio it made."""

    def __init__(self, model: ScriptedTTS, faults: TTSFaults) -> None:
        self._model, self._faults = model, faults
        self._in: asyncio.Queue[str | None] = asyncio.Queue()
        self._words = 0
        self.texts: list[str] = []
        self.seconds = 0.0
        self.closed = False

    def push_text(self, text: str) -> None:
        self.texts.append(text)
        self._in.put_nowait(text)

    def end_input(self) -> None:
        self._in.put_nowait(None)

    async def __aiter__(self) -> AsyncIterator[AudioFrame]:
        index = 0
        try:
            while (text := await self._in.get()) is not None:
                await asyncio.sleep(self._model.ttfb + self._faults.slow)
                if self._faults.dies_before:
                    raise self._error()
                for frame in self._frames(text, index):
                    if self._faults.ends_after is not None and self._words >= self._faults.ends_after:
                        return
                    await self._meet_faults()
                    self._words += len(frame.words)
                    self.seconds += frame.duration
                    yield frame if self._model.capabilities.word_times else msgspec.structs.replace(frame, words=())
                    await asyncio.sleep(frame.duration / self._model.speed)
                await self._meet_faults()
                index += 1
        finally:
            self.closed = True

    async def aclose(self) -> None:
        self.closed = True

    async def _meet_faults(self) -> None:
        faults = self._faults
        if faults.dies_after is not None and self._words >= faults.dies_after:
            raise self._error()
        if faults.stalls_after is not None and self._words >= faults.stalls_after:
            if not faults.stall:
                await asyncio.get_running_loop().create_future()
            self._faults = msgspec.structs.replace(faults, stalls_after=None)
            await asyncio.sleep(faults.stall)

    def _error(self) -> ModelError:
        return ModelError("The scripted voice failed.", status=self._faults.status, retryable=self._faults.retryable)

    def _frames(self, text: str, segment: int) -> list[AudioFrame]:
        """The segment's audio: leading silence, then words evenly long, in frames of ``chunk`` seconds."""
        model, rate = self._model, self._model.sample_rate
        words = text.split()
        lead = round(self._faults.silence * rate)
        total = round(len(words) * model.word_seconds * rate)
        size = round((model.chunk or model.word_seconds) * rate)
        frames = []
        if lead:
            frames.append(self._frame(Symbol(kind="silence", total=lead / rate), 0, lead, segment, ()))
        for done in range(0, total, max(1, size)):
            samples = min(size, total - done)
            begins = range(math.ceil(done / (total / len(words)) - 1e-9), len(words))
            timed = tuple(
                TimedWord(
                    words[n], (lead + n * total / len(words)) / rate, (lead + (n + 1) * total / len(words)) / rate
                )
                for n in begins
                if n * total / len(words) < done + samples
            )
            symbol = Symbol(kind="speech", text=text, start=done / rate, total=total / rate)
            frames.append(self._frame(symbol, done, samples, segment, timed))
        return frames

    def _frame(self, symbol: Symbol, done: int, samples: int, segment: int, words: tuple[TimedWord, ...]) -> AudioFrame:
        rate = self._model.sample_rate
        if not self._model.pcm:
            return AudioFrame(data=b"", rate=rate, samples=samples, segment=segment, words=words, symbol=symbol)
        loud = 8_000 if symbol.kind == "speech" else 0
        step = 2 * math.pi * TONE_HZ / rate
        tone = array("h", (round(loud * math.sin(step * (done + n))) for n in range(samples)))
        return AudioFrame(data=tone.tobytes(), rate=rate, samples=samples, segment=segment, words=words)
