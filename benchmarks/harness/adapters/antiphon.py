"""Antiphon: an ``AgentSession`` on a leg of our own, the media plane as a thread; scripted STT, LLM and TTS.

Turns end by VAD and the default delay, without the end-of-turn model. The end-of-turn decision is the moment when the
kernel calls ``on_user_turn_completed``, or commits the turn where there is no such hook; "first audio" is the first
sound that the plane hands to the leg.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from typing import Any, Literal

from antiphon import LLM, STT, TTS, Agent, AgentSession, AudioFrame, JobContext
from antiphon.audio.leg import LegEvent
from antiphon.audio.seam import LegSpec
from antiphon.kernel import effects, facts
from antiphon.models.capabilities import STTCapabilities
from antiphon.models.llm import ChatChunk, LLMStream
from antiphon.models.stt import STTEvent, STTStream
from antiphon.models.tts import TTSStream
from antiphon.transport import offer_leg
from antiphon.transport.paced import PacedOutput
from antiphon.worker.account import Account
from harness.core import CALLER_RATE, REPLY_RATE, TICK, Recogniser, reply_audio, reply_texts
from harness.line import Line

NAME = "antiphon"
ON_LOOP = False
BARGE_IN_SETTING = 0.35
"""Seconds of speech after which the reflex pauses by default."""

FADE = 0.05
"""Seconds: sound that is sent later than this after a cut means that it was no cut (the reflex ducks)."""


async def setup() -> None:
    on_effect = Account.on_effect

    def marked(account: Any, effect: Any) -> None:
        line = getattr(account._session, "line", None)
        if line is not None and decides(effect):
            line.marks.mark("decided")
        if line is not None and isinstance(effect, effects.Play):
            line.fresh = True
        on_effect(account, effect)

    Account.on_effect = marked


def decides(effect: Any) -> bool:
    """Whether the kernel has just ruled that the caller's turn is over."""
    if isinstance(effect, effects.CallHook):
        return effect.hook == "on_user_turn_completed"
    return isinstance(effect, effects.Record) and isinstance(effect.fact, facts.TurnCommitted)


async def teardown() -> None: ...


class HarnessLeg:
    """Takes the caller's blocks as they come due and plays to a far end that keeps its own time."""

    in_rate, out_rate = CALLER_RATE, REPLY_RATE
    quality: Literal["device"] = "device"
    symbolic = needs_aec = False

    def __init__(self, line: Line) -> None:
        self._line = line
        self._output = PacedOutput(REPLY_RATE)
        self._events: list[LegEvent] = []
        self._ends = 0.0
        self._cut_at = 0.0

    def open(self, now: float) -> None:
        self._line.caller.begin(now + TICK)
        self._events.append(LegEvent("up"))

    def events(self, now: float) -> Sequence[LegEvent]:
        events, self._events = self._events, []
        return events

    def capture(self, now: float) -> Sequence[AudioFrame]:
        line = self._line
        self._output.take(now)
        line.lateness.tick(time.monotonic())
        if self._cut_at and now > self._ends + 2 * TICK:
            line.marks.mark("stopped", self._ends)
            self._cut_at = 0.0
        frames = []
        while line.caller.due <= now + 0.0005:
            at = line.caller.due - TICK
            frames.append(AudioFrame.pcm(line.caller.block(), CALLER_RATE, at=at))
        return frames

    def play(self, now: float, frame: AudioFrame) -> None:
        """``now``: when the frame is due, a little ahead of time."""
        if frame.data.strip(b"\0"):
            if self._cut_at and now > self._cut_at + FADE:
                self._cut_at = 0.0
            gap = now - self._ends
            if self._line.fresh:
                self._line.fresh = False
                self._line.marks.mark("handed_over")
                self._line.marks.mark("sounds", max(now, time.monotonic()))
            elif gap > 0.001:
                self._line.speaker.underruns += 1
            self._ends = now + frame.duration
        self._output.play(now, frame)

    def flush(self, now: float) -> int:
        dropped = self._output.flush(now)
        if dropped or now < self._ends:
            self._cut_at = self._ends = time.monotonic()
        return dropped

    def heard(self, now: float) -> int:
        return self._output.heard(now)

    def send_digits(self, digits: str) -> None: ...

    def next_wake(self, now: float) -> float | None:
        return None

    def close(self) -> None: ...


class ScriptedSTT(STT):
    capabilities = STTCapabilities(partials=False)
    on_core = True

    def stream(self, *, language: str = "") -> STTStream:
        return Recognition()


class Recognition(STTStream):
    def __init__(self) -> None:
        self._recogniser = Recogniser()
        self._events: asyncio.Queue[STTEvent | None] = asyncio.Queue()
        self._segment = 0

    def push(self, frame: AudioFrame) -> None:
        text = self._recogniser.push(frame.data, frame.rate)
        if text:
            self._segment += 1
            self._events.put_nowait(STTEvent("final", text, segment=str(self._segment)))

    def end_input(self) -> None:
        self._events.put_nowait(None)

    async def __aiter__(self) -> AsyncIterator[STTEvent]:
        while (event := await self._events.get()) is not None:
            yield event

    async def aclose(self) -> None:
        self._events.put_nowait(None)


class ScriptedLLM(LLM):
    on_core = True

    def chat(self, *, chat_ctx: Any, tools: Any = (), tool_choice: Any = "auto") -> LLMStream:
        return Answer()


class Answer(LLMStream):
    async def __aiter__(self) -> AsyncIterator[ChatChunk]:
        for text in reply_texts():
            yield ChatChunk(text)

    async def aclose(self) -> None: ...


class ScriptedTTS(TTS):
    sample_rate = REPLY_RATE
    on_core = True

    def __init__(self, reply_seconds: float) -> None:
        self.reply_seconds = reply_seconds

    def stream(self) -> TTSStream:
        return Synthesis(self.reply_seconds)


class Synthesis(TTSStream):
    def __init__(self, reply_seconds: float) -> None:
        self._reply_seconds = reply_seconds
        self._texts: asyncio.Queue[str | None] = asyncio.Queue()

    def push_text(self, text: str) -> None:
        self._texts.put_nowait(text)

    def end_input(self) -> None:
        self._texts.put_nowait(None)

    async def __aiter__(self) -> AsyncIterator[AudioFrame]:
        segment = 0
        while await self._texts.get() is not None:
            if segment == 0:
                for piece in reply_audio(self._reply_seconds):
                    yield AudioFrame(piece, REPLY_RATE, len(piece) // 2, segment=0)
            segment += 1

    async def aclose(self) -> None:
        self._texts.put_nowait(None)


async def run(line: Line) -> None:
    key = f"call-{id(line)}"
    offer_leg(key, HarnessLeg(line))
    session = AgentSession[None](
        stt=ScriptedSTT(),
        llm=ScriptedLLM(),
        tts=ScriptedTTS(line.reply_seconds),
        turn_handling={"turn_detection": "vad", "score": False},
    )
    session.line = line
    job = JobContext(leg=LegSpec("object", {"key": key}))
    await session.start(Agent(instructions="You are a helpful voice assistant."), job)
    line.ready.set()
    await line.stop.wait()
    await session.aclose()
