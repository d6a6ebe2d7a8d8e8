"""A recogniser that reads symbolic frames, and fails on demand the way recognition services do.

It uses only the public STT contract. It never looks at samples: PCM it hears as nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence

import msgspec

from antiphon.audio.frames import AudioFrame, TimedWord
from antiphon.errors import ModelError
from antiphon.models.capabilities import STTCapabilities
from antiphon.models.stt import STT, STTEvent, STTStream
from antiphon.testing.speech import spread, whole_words_until


class STTFaults(msgspec.Struct, frozen=True):
    """How recognition fails; settings compose. Seconds count from a stream's start.

    ``late``: finals come so many seconds later. ``empty``: finals have no text. ``duplicate``: each final comes twice.
    ``revise``: a final is first given without its last word, then, ``revise_after`` s later, right, as a revision.
    ``no_final`` / ``no_partials``: none at all. ``error_at``: the stream fails. ``refuse``: each stream fails as it
    begins. ``deaf_at``: from then on nothing is heard, and nobody is told. ``invents``: text "recognised" in noise.
    ``utterances``: counted from 0, which the faults of finals concern (``None``: all). ``streams``: how many streams,
    from the first, fail or go deaf (``None``: all): the next one works. ``status``, ``retryable``: of the errors.
    """

    late: float = 0.0
    empty: bool = False
    duplicate: bool = False
    revise: bool = False
    revise_after: float = 0.3
    no_final: bool = False
    no_partials: bool = False
    error_at: float | None = None
    refuse: bool = False
    deaf_at: float | None = None
    invents: str = ""
    utterances: tuple[int, ...] | None = None
    streams: int | None = None
    status: int | None = None
    retryable: bool = True


class ScriptedSTT(STT):
    """Hears what the simulated caller says.

    ``delay``: seconds from the end of speech to the final; with ``flush`` (a capability) the final comes
    ``flush_delay`` s after the mark, if that is earlier. ``partial_delay``: seconds from a word's end to the partial
    that contains it. ``word_times``: finals carry timed words. ``confidence``: of finals. ``mishears``: word -> what
    is recognised instead.
    """

    on_core = True
    provider = "scripted"
    model = "stt"

    def __init__(
        self,
        *,
        delay: float = 0.2,
        flush: bool = True,
        flush_delay: float = 0.05,
        partials: bool = True,
        partial_delay: float = 0.1,
        word_times: bool = False,
        end_of_turn: bool = False,
        confidence: float = 0.95,
        mishears: dict[str, str] | None = None,
        faults: STTFaults | None = None,
    ) -> None:
        self.capabilities = STTCapabilities(
            partials=partials, flush=flush, word_times=word_times, end_of_turn=end_of_turn
        )
        self.delay, self.flush_delay, self.partial_delay = delay, flush_delay, partial_delay
        self.confidence = confidence
        self.mishears = mishears or {}
        self.faults = faults or STTFaults()
        self.streams: list[ScriptedSTTStream] = []
        """Every stream that was ever made, oldest first."""
        self.utterances = 0
        """Stretches of speech heard so far."""

    @property
    def open_streams(self) -> int:
        """Streams not closed yet."""
        return sum(not stream.closed for stream in self.streams)

    @property
    def seconds(self) -> float:
        """Audio received, in seconds."""
        return sum(stream.seconds for stream in self.streams)

    def stream(self, *, language: str = "") -> STTStream:
        made = ScriptedSTTStream(self, len(self.streams), language)
        self.streams.append(made)
        return made


class _Utterance(msgspec.Struct):
    """What one stretch of speech has yielded so far."""

    number: int
    segment: str
    text: str
    total: float
    at: float
    skip: int = 0
    words: tuple[str, ...] = ()
    heard_until: float = 0.0
    revision: int = 0


class ScriptedSTTStream(STTStream):
    """One recognition. ``finals`` and ``partials``: what it said."""

    def __init__(self, model: ScriptedSTT, number: int, language: str) -> None:
        self._model, self._number, self._language = model, number, language
        self._loop = asyncio.get_running_loop()
        self._began = self._loop.time()
        self._out: asyncio.Queue[STTEvent | ModelError | None] = asyncio.Queue()
        self._current: _Utterance | None = None
        self._timers: set[asyncio.TimerHandle] = set()
        self._final_timer: asyncio.TimerHandle | None = None
        self._ending = False
        self.closed = False
        self.seconds = 0.0
        self.said: list[STTEvent] = []
        faults = model.faults
        if self._faulty(faults):
            error = ModelError("The scripted recogniser failed.", status=faults.status, retryable=faults.retryable)
            if faults.refuse:
                self._out.put_nowait(error)
            elif faults.error_at is not None:
                self._later(faults.error_at, lambda: self._out.put_nowait(error))

    # --- the contract --------------------------------------------------------------------------------------------

    def push(self, frame: AudioFrame) -> None:
        if self.closed or self._ending:
            return
        self.seconds += frame.duration
        if self._deaf():
            return
        if frame.flush:
            if self._model.capabilities.flush and self._current is not None:
                self._final_in(self._model.flush_delay)
            return
        symbol = frame.symbol
        if symbol is None or symbol.kind == "silence":
            return
        if symbol.kind == "noise":
            self._noise(frame)
            return
        current = self._current
        begun_again = current is not None and symbol.start + 1e-6 < current.heard_until
        if current is None or current.text != symbol.text or begun_again:
            self._finish()
            current = self._begin(symbol.text, symbol.total, frame.at - symbol.start)
            current.skip = len(whole_words_until(symbol, 0.0))  # an earlier final, or another stream, had them
        current.heard_until = symbol.start + frame.duration
        self._hear(current, whole_words_until(symbol, frame.duration)[current.skip :])
        self._cancel_final()  # still speaking: the end has not come
        self._final_in(self._model.delay)

    def end_input(self) -> None:
        self._finish()
        self._ending = True
        self._end_when_said()

    async def __aiter__(self) -> AsyncIterator[STTEvent]:
        try:
            while True:
                item = await self._out.get()
                if item is None:
                    return
                if isinstance(item, ModelError):
                    raise item
                self.said.append(item)
                yield item
        finally:
            await self.aclose()

    async def aclose(self) -> None:
        self.closed = True
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()

    # --- hearing -------------------------------------------------------------------------------------------------

    def _begin(self, text: str, total: float, at: float) -> _Utterance:
        number = self._model.utterances
        self._model.utterances += 1
        self._current = _Utterance(number=number, segment=f"u{number}", text=text, total=total, at=at)
        if self._model.capabilities.end_of_turn:
            self._later(self._model.partial_delay, lambda: self._say(STTEvent(kind="turn_start")))
        return self._current

    def _hear(self, utterance: _Utterance, words: tuple[str, ...]) -> None:
        if words == utterance.words:
            return
        utterance.words = words
        if not self._model.capabilities.partials or self._model.faults.no_partials:
            return
        utterance.revision += 1
        partial = self._event("partial", utterance, " ".join(self._recognised(words)), utterance.revision)
        self._later(self._model.partial_delay, lambda: self._say_partial(utterance, partial))

    def _noise(self, frame: AudioFrame) -> None:
        invented = self._model.faults.invents
        symbol = frame.symbol
        assert symbol is not None
        if invented and symbol.start + frame.duration >= symbol.total - 1e-6:
            noise = self._begin(invented, symbol.total, frame.at - symbol.start)
            noise.words, noise.heard_until = tuple(invented.split()), symbol.total
            self._final_in(self._model.delay)

    def _final_in(self, delay: float) -> None:
        if self._final_timer is not None:
            if self._final_timer.when() <= self._loop.time() + delay:
                return
            self._cancel_final()
        self._final_timer = self._later(delay, self._finish)

    def _cancel_final(self) -> None:
        if self._final_timer is not None:
            self._final_timer.cancel()
            self._timers.discard(self._final_timer)
            self._final_timer = None

    def _finish(self) -> None:
        """The current utterance is over: give its final, with its faults."""
        self._cancel_final()
        utterance, self._current = self._current, None
        if utterance is not None and not utterance.words and utterance.total:
            utterance.words = tuple(self._model.faults.invents.split())
        if utterance is None or not utterance.words:
            return
        faults = self._model.faults
        if faults.utterances is not None and utterance.number not in faults.utterances:
            faults = STTFaults()
        words = list(self._recognised(utterance.words))
        if faults.no_final or self._deaf():
            return
        text = "" if faults.empty else " ".join(words)
        said = [(faults.late, text)]
        if faults.revise and len(words) > 1:
            said = [(faults.late, " ".join(words[:-1])), (faults.late + faults.revise_after, text)]
        if faults.duplicate:
            said = [said[0], *said]
        revision = utterance.revision
        previous: str | None = None
        for delay, content in said:
            revision += content != previous
            previous = content
            final = self._event("final", utterance, content, revision)
            if delay:
                self._later(delay, lambda final=final: self._say(final))  # type: ignore[misc]
            else:
                self._say(final)
        if self._model.capabilities.end_of_turn:
            self._later(faults.late, lambda: self._say(STTEvent(kind="turn_end")))

    def _recognised(self, words: Sequence[str]) -> list[str]:
        return [self._model.mishears.get(word, word) for word in words]

    def _event(self, kind: str, utterance: _Utterance, text: str, revision: int) -> STTEvent:
        timed: tuple[TimedWord, ...] = ()
        if self._model.capabilities.word_times:
            timed = spread(utterance.text, utterance.total)[utterance.skip : utterance.skip + len(utterance.words)]
        final = kind == "final"
        return STTEvent(
            kind="final" if final else "partial",
            text=text,
            segment=utterance.segment,
            revision=revision,
            language=self._language,
            confidence=self._model.confidence,
            start=utterance.at,
            end=utterance.at + utterance.heard_until,
            words=timed,
            seconds=utterance.heard_until if final else 0.0,
        )

    # --- faults and time -----------------------------------------------------------------------------------------

    def _faulty(self, faults: STTFaults) -> bool:
        return faults.streams is None or self._number < faults.streams

    def _deaf(self) -> bool:
        at = self._model.faults.deaf_at
        return at is not None and self._faulty(self._model.faults) and self._loop.time() - self._began >= at

    def _say(self, event: STTEvent) -> None:
        if not self.closed and not self._deaf():
            self._out.put_nowait(event)

    def _say_partial(self, utterance: _Utterance, event: STTEvent) -> None:
        if self._current is utterance:  # its final has not overtaken it
            self._say(event)

    def _later(self, delay: float, call: Callable[[], None]) -> asyncio.TimerHandle:
        def due() -> None:
            self._timers.discard(handle)
            call()
            self._end_when_said()

        handle = self._loop.call_later(delay, due)
        self._timers.add(handle)
        return handle

    def _end_when_said(self) -> None:
        if self._ending and not self._timers:
            self._out.put_nowait(None)
