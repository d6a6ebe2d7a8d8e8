"""The reply pipe: llm node -> segmenter -> transcription node -> tts node -> plane, for one op.

It reports what it makes (segments, audio, tool calls, the end or a failure) and holds nothing that outlives it.
A speculative pipe keeps its text back from the voice until it is adopted, but for the first segment.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Protocol

from antiphon.agents.nodes import FlushSentinel
from antiphon.audio.frames import PLAY_RATE, AudioFrame, TimedWord
from antiphon.errors import ModelError
from antiphon.kernel.events import (
    AudioDone,
    Event,
    Generated,
    Op,
    ReplyFailed,
    Segment,
    Synthesised,
    ToolCall,
)
from antiphon.models.llm import ChatChunk, ToolCallDelta
from antiphon.models.metering import Metered, metering
from antiphon.session.lanes import Inlet, Lane
from antiphon.session.segmenter import Segmenter
from antiphon.session.usage import event_of

REPORT_EVERY = PLAY_RATE // 2
"""Samples of new audio after which a segment's progress is reported again."""
AHEAD = 20 * PLAY_RATE
"""Samples a voice may be ahead of what the caller has heard."""
CHARACTERS_PER_SECOND = 15.0
"""Speaking rate assumed where a TTS node does not say which segment its audio speaks."""

Thought = ChatChunk | str | FlushSentinel


class PipeHost(Protocol):
    """What a pipe needs of the shell. ``acked``: set whenever the far end has acknowledged playback."""

    lane: Lane
    acked: asyncio.Event

    def post(self, event: Event) -> None: ...

    def push_audio(self, speech: str, frame: AudioFrame | None) -> None: ...

    def heard_samples(self, speech: str) -> int: ...

    def describe_call(self, op: Op, call: ToolCallDelta) -> ToolCall: ...

    def now(self) -> float: ...


class ReplyPipe:
    """``thoughts``: the LLM node's stream (or the text to be said). ``transcribe``: one segment's text as history is
    to show it. ``voice``: makes the TTS node's stream; ``None``: a session without sound. ``transform``: text for the
    voice."""

    def __init__(
        self,
        host: PipeHost,
        op: Op,
        speech: str,
        *,
        thoughts: Callable[[], AsyncIterator[Thought]],
        transcribe: Callable[[str], AsyncIterator[str]] | None,
        voice: Callable[[Inlet[str]], AsyncIterator[AudioFrame]] | None,
        voice_lane: Lane,
        transform: Callable[[str], str],
        hold: bool = False,
        synthesise: bool = True,
        ready_audio: AsyncIterator[AudioFrame] | None = None,
    ) -> None:
        self.op, self.speech = op, speech
        self._host = host
        self._thoughts, self._transcribe, self._voice = thoughts, transcribe, voice
        self._transform = transform
        self._ready_audio = ready_audio
        self._text: Inlet[str] = Inlet(voice_lane)
        self._adopted = asyncio.Event()
        if not hold:
            self._adopted.set()
        self._synthesise = synthesise
        self._held: list[tuple[int, str]] = []
        self._texts: list[str] = []
        self._voiced: list[int] = []
        self._pushed = 0
        self._fractions = 0.0
        self._task: asyncio.Task[None] | None = None
        self.stage = "llm"
        self.started = host.now()
        self.ttft = 0.0

    def start(self) -> None:
        self._task = self._host.lane.loop.create_task(
            self._run(), name=f"antiphon:reply:{self.speech}", context=self._host.lane.context()
        )

    def adopt(self) -> None:
        """The speculation is the turn's reply: the voice gets all of it."""
        self._adopted.set()
        for index, text in self._held:
            self._to_voice(index, text)
        self._held.clear()

    def cancel(self) -> asyncio.Task[None] | None:
        """Stop at once; returns the task that is ending."""
        if self._task is not None:
            self._task.cancel()
        return self._task

    def _metered(self, use: Metered) -> None:
        self._host.post(event_of(use, self.op))

    async def _run(self) -> None:
        with metering(self._metered):
            await self._make()

    async def _make(self) -> None:
        voice: asyncio.Task[None] | None = None
        try:
            if self._ready_audio is not None:
                voice = asyncio.create_task(self._play(self._ready_audio), name=f"antiphon:audio:{self.speech}")
            elif self._voice is not None:
                voice = asyncio.create_task(self._speak(), name=f"antiphon:voice:{self.speech}")
            thinking = asyncio.create_task(self._think(), name=f"antiphon:think:{self.speech}")
            try:
                if voice is not None:
                    await asyncio.wait({thinking, voice}, return_when=asyncio.FIRST_EXCEPTION)
                    if voice.done() and voice.exception() is not None:
                        await voice
                await thinking
            finally:
                thinking.cancel()
                with suppress(BaseException):
                    await thinking
            if voice is None:
                self._host.post(AudioDone(op=self.op, samples=0, text_only=True))
                return
            self.stage = "tts"
            await voice
            self._host.push_audio(self.speech, None)
            self._host.post(AudioDone(op=self.op, samples=self._pushed))
        except asyncio.CancelledError:
            raise
        except Exception as exc:
            retryable = exc.retryable if isinstance(exc, ModelError) else False
            stage = self.stage if isinstance(exc, ModelError) else "node"
            self._host.post(
                ReplyFailed(op=self.op, stage=stage, error=_say(exc), retryable=retryable)  # type: ignore[arg-type]
            )
        finally:
            if voice is not None and not voice.done():
                voice.cancel()
                with suppress(BaseException):
                    await voice

    async def _think(self) -> None:
        segmenter = Segmenter()
        prompt = completion = cached = 0
        stream = self._thoughts()
        try:
            async for piece in stream:
                if self.ttft == 0.0:
                    self.ttft = max(self._host.now() - self.started, 1e-6)
                if isinstance(piece, FlushSentinel):
                    segments = segmenter.flush()
                elif isinstance(piece, str):
                    segments = segmenter.push(piece)
                else:
                    segments = segmenter.push(piece.text) if piece.text else []
                    if piece.tool_calls:
                        segments += segmenter.flush()
                    if piece.usage is not None:
                        prompt += piece.usage.prompt_tokens
                        completion += piece.usage.completion_tokens
                        cached += piece.usage.cached_tokens
                for segment in segments:
                    await self._segment(segment)
                if isinstance(piece, ChatChunk):
                    for call in piece.tool_calls:
                        self._host.post(self._host.describe_call(self.op, call))
            for segment in segmenter.flush():
                await self._segment(segment)
        finally:
            close = getattr(stream, "aclose", None)
            if close is not None:
                await close()
        self._host.post(
            Generated(
                op=self.op, prompt_tokens=prompt, completion_tokens=completion, cached_tokens=cached, ttft=self.ttft
            )
        )
        if not self._adopted.is_set():
            await self._adopted.wait()
        self._text.end()

    async def _segment(self, raw: str) -> None:
        shown = raw
        if self._transcribe is not None:
            shown = "".join([piece async for piece in self._transcribe(raw)])
        index = len(self._texts)
        self._texts.append(shown)
        self._host.post(Segment(op=self.op, index=index, text=shown))
        if self._voice is None or self._ready_audio is not None:
            return
        if self._adopted.is_set() or (self._synthesise and index == 0):
            self._to_voice(index, raw)
        else:
            self._held.append((index, raw))

    def _to_voice(self, index: int, raw: str) -> None:
        text = self._transform(raw)
        if any(ch.isalnum() for ch in text):
            self._voiced.append(index)
            self._text.put(text)
        else:  # nothing to sound: an emoji, a rule
            self._host.post(Synthesised(op=self.op, index=index, start=self._pushed, samples=0, done=True))

    async def _speak(self) -> None:
        assert self._voice is not None
        stream = self._voice(self._text)
        try:
            await self._play(stream)
        except ModelError:
            self.stage = "tts"
            raise

    async def _play(self, frames: AsyncIterator[AudioFrame]) -> None:
        """Frames into the plane, and the ledger of what belongs to which segment."""
        current, start, reported = -1, 0, 0
        words: list[TimedWord] = []

        def report(done: bool) -> None:
            nonlocal reported
            index = self._voiced[current] if current < len(self._voiced) else current
            timed = tuple((w.text, int(w.start * PLAY_RATE), int(w.end * PLAY_RATE)) for w in words)
            samples = self._pushed - start
            if done or samples - reported >= REPORT_EVERY or reported == 0:
                reported = samples
                self._host.post(
                    Synthesised(op=self.op, index=index, start=start, samples=samples, done=done, words=timed)
                )

        try:
            async for frame in frames:
                segment = frame.segment if frame.segment >= 0 else self._guess(current, self._pushed - start)
                if segment != current:
                    if current >= 0:
                        report(True)
                    current, start, reported, words = segment, self._pushed, 0, []
                words.extend(frame.words)
                self._fractions += frame.samples * PLAY_RATE / frame.rate
                self._pushed = round(self._fractions)
                self._host.push_audio(self.speech, frame)
                report(False)
                while self._pushed - self._host.heard_samples(self.speech) > AHEAD:
                    self._host.acked.clear()
                    await self._host.acked.wait()
            if current >= 0:
                report(True)
        finally:
            close = getattr(frames, "aclose", None)
            if close is not None:
                await close()

    def _guess(self, current: int, samples: int) -> int:
        """The segment that unlabelled audio speaks, by the usual speaking rate."""
        if current < 0:
            return 0
        text = self._texts[min(current, len(self._texts) - 1)] if self._texts else ""
        over = samples / PLAY_RATE > len(text) / CHARACTERS_PER_SECOND
        return current + 1 if over and current + 1 < len(self._texts) else current


def _say(exc: BaseException) -> str:
    return str(exc) if isinstance(exc, ModelError) else f"{type(exc).__name__}: {exc}"
