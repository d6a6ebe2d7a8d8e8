"""A LiveKit recogniser: caller audio in, their events as transcripts of ours.

Owns: their clock (seconds since the stream's first sound) and what their events mean. Never: sockets, retries.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import AsyncIterator, Iterator
from importlib import import_module
from typing import Any

from antiphon.audio.frames import AudioFrame, TimedWord
from antiphon.models.capabilities import STTCapabilities
from antiphon.models.stream_adapters import BatchSTT, StreamingSTT
from antiphon.models.stt import STT, STTEvent, STTStream
from antiphon.providers.livekit.plugin import enter, once, prewarm, told

GAP = 0.02
"""Seconds of difference after which audio counts as not following on what came before."""


class CaptureClock:
    """From seconds of audio that a stream was given to the capture clock of its frames, over the gaps between them."""

    def __init__(self) -> None:
        self.given = 0.0
        self._marks: list[tuple[float, float]] = []

    def take(self, frame: AudioFrame) -> None:
        if not self._marks or abs(self.at(self.given) - frame.at) > GAP:
            self._marks = [*self._marks[-63:], (self.given, frame.at)]
        self.given += frame.duration

    def at(self, seconds: float) -> float:
        """0 while nothing was given."""
        if not self._marks:
            return 0.0
        began, captured = self._marks[max(0, bisect_right(self._marks, (seconds, float("inf"))) - 1)]
        return captured + seconds - began


class LiveKitSTT(STT):
    """A streaming recogniser of a plugin. ``theirs``: the plugin's object."""

    def __init__(self, theirs: Any) -> None:
        self.theirs = theirs
        can = theirs.capabilities
        self.provider, self.model = theirs.provider, theirs.model
        self.capabilities = STTCapabilities(
            partials=can.interim_results,
            flush=can.manual_flush,
            word_times=can.aligned_transcript == "word",
            end_of_turn=True,
            keyterms=can.keyterms,
        )

    def stream(self, *, language: str = "") -> STTStream:
        self.model = self.theirs.model
        return _Stream(self.theirs, language, self.capabilities.flush)

    async def prewarm(self) -> None:
        await prewarm(self.theirs)

    async def aclose(self) -> None:
        await self.theirs.aclose()


class _Stream(STTStream):
    def __init__(self, theirs: Any, language: str, flush: bool) -> None:
        self._theirs, self._language, self._flush = theirs, language, flush
        self._clock = CaptureClock()
        self._running: Any = None
        self._early: list[AudioFrame] = []
        self._ending = self._closed = False
        self._billed = 0.0

    def push(self, frame: AudioFrame) -> None:
        if self._closed or self._ending:
            return
        if self._running is None:
            self._early.append(frame)
        elif frame.flush:
            if self._flush:
                self._give(self._running.flush)
        elif frame.data:
            self._clock.take(frame)
            self._give(self._running.push_frame, _their_frame(frame))

    def end_input(self) -> None:
        self._ending = True
        if self._running is not None:
            self._give(self._running.end_input)

    def _give(self, call: Any, *arguments: Any) -> None:
        try:
            call(*arguments)
        except RuntimeError:  # it has ended on its own: its iterator says why
            return

    async def __aiter__(self) -> AsyncIterator[STTEvent]:
        try:
            await enter()
            if self._closed:
                return
            self._running = _begin(self._theirs, self._language)
            early, self._early, ending, self._ending = self._early, [], self._ending, False
            for frame in early:
                self.push(frame)
            if ending:
                self.end_input()
            async for event in self._running:
                for one in self._said(event):
                    yield one
        except Exception as exc:
            raise told(exc, self._theirs) from None
        finally:
            await self.aclose()

    async def aclose(self) -> None:
        self._closed = True
        self._early.clear()
        running, self._running = self._running, None
        if running is not None:
            await running.aclose()

    def _said(self, event: Any) -> Iterator[STTEvent]:
        kind = event.type.value
        if kind == "recognition_usage":
            self._billed += event.recognition_usage.audio_duration
        elif kind == "start_of_speech":
            yield STTEvent(kind="turn_start")
        elif kind == "end_of_speech":
            yield STTEvent(kind="turn_end")
        elif event.alternatives:
            seconds, self._billed = self._billed, 0.0
            final = kind == "final_transcript"
            yield transcript(event.alternatives[0], self._clock, final=final, seconds=seconds)
            if kind == "preflight_transcript":
                yield STTEvent(kind="turn_likely")


class LiveKitBatchSTT(BatchSTT):
    """A recogniser of whole utterances of a plugin. ``theirs``: the plugin's object."""

    def __init__(self, theirs: Any) -> None:
        self.theirs = theirs
        self.provider, self.model = theirs.provider, theirs.model

    async def recognize(self, frames: tuple[AudioFrame, ...], *, language: str = "") -> STTEvent:
        await enter()
        clock = CaptureClock()
        for frame in frames:
            clock.take(frame)
        try:
            event = await self.theirs.recognize(
                [_their_frame(frame) for frame in frames if frame.data], conn_options=once(), **_language(language)
            )
        except Exception as exc:
            raise told(exc, self.theirs) from None
        if not event.alternatives:
            return STTEvent(kind="final")
        return transcript(event.alternatives[0], clock, final=True)

    async def aclose(self) -> None:
        await self.theirs.aclose()


class LiveKitUtterances(StreamingSTT):
    """A recogniser of a plugin that does not stream, made to. ``theirs``: the plugin's object."""

    def __init__(self, theirs: Any) -> None:
        super().__init__(LiveKitBatchSTT(theirs))
        self.theirs = theirs


def transcript(said: Any, clock: CaptureClock, *, final: bool, seconds: float = 0.0) -> STTEvent:
    """Their speech data as an event. Without times of theirs the end is unknown (0)."""
    timed = said.end_time > 0
    return STTEvent(
        kind="final" if final else "partial",
        text=said.text,
        language=str(said.language or ""),
        confidence=said.confidence or 1.0,
        start=clock.at(said.start_time) if timed else 0.0,
        end=clock.at(said.end_time) if timed else 0.0,
        words=tuple(words_of(said.words or (), said.start_time)),
        speaker=said.speaker_id or "",
        seconds=seconds,
    )


def words_of(theirs: Any, began: float) -> Iterator[TimedWord]:
    """Their timed strings, counted from ``began``; those without a time are left out."""
    for word in theirs:
        text = str(word).strip()
        start = word.start_time if isinstance(word.start_time, int | float) else None
        if text and start is not None:
            end = word.end_time if isinstance(word.end_time, int | float) else start
            yield TimedWord(text, max(0.0, start - began), max(0.0, end - began))


def _begin(theirs: Any, language: str) -> Any:
    return theirs.stream(conn_options=once(), **_language(language))


def _language(language: str) -> dict[str, str]:
    return {"language": language} if language else {}


def _their_frame(frame: AudioFrame) -> Any:
    return import_module("livekit.rtc").AudioFrame(frame.data, frame.rate, 1, frame.samples)
