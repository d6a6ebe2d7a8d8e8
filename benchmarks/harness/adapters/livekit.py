"""livekit-agents: an ``AgentSession`` with audio input and output of our own, no room; scripted STT, LLM and TTS.

Turns end by VAD and the default endpointing delay. The end-of-turn decision is the entry of
``AgentActivity.on_end_of_turn``; with the default preemptive generation the LLM has been asked before that.
"""

from __future__ import annotations

import logging
import time
from typing import Any

from livekit import rtc
from livekit.agents import DEFAULT_API_CONNECT_OPTIONS, Agent, AgentSession, llm, stt, tts
from livekit.agents.types import NOT_GIVEN
from livekit.agents.voice import io
from livekit.agents.voice.agent_activity import AgentActivity
from livekit.plugins import silero

from harness.core import CALLER_RATE, REPLY_RATE, Recogniser, reply_audio, reply_texts
from harness.line import Line

NAME = "livekit-agents"
ON_LOOP = True
BARGE_IN_SETTING = 0.5
"""Seconds of speech after which it interrupts by default."""

_shared: dict[str, Any] = {}


async def setup() -> None:
    logging.getLogger("livekit").setLevel(logging.ERROR)
    _shared["vad"] = silero.VAD.load()
    decide = AgentActivity.on_end_of_turn

    def marked(activity: Any, info: Any) -> Any:
        line = getattr(activity._session, "line", None)
        if line is not None:
            line.marks.mark("decided")
        return decide(activity, info)

    AgentActivity.on_end_of_turn = marked


async def teardown() -> None: ...


class Microphone(io.AudioInput):
    def __init__(self, line: Line) -> None:
        super().__init__(label="harness")
        self._line = line

    async def __anext__(self) -> rtc.AudioFrame:
        block = await self._line.audio.get()
        if block is None:
            raise StopAsyncIteration
        return rtc.AudioFrame(block, CALLER_RATE, 1, len(block) // 2)


class Loudspeaker(io.AudioOutput):
    def __init__(self, line: Line) -> None:
        super().__init__(label="harness", capabilities=io.AudioOutputCapabilities(pause=True), sample_rate=REPLY_RATE)
        self._speaker, self._pending = line.speaker, False
        line.speaker.on_started = lambda: self.on_playback_started(created_at=time.time())
        line.speaker.on_finished = self._finished

    def _finished(self, seconds: float, cut: bool) -> None:
        self._pending = False
        self.on_playback_finished(playback_position=seconds, interrupted=cut)

    async def capture_frame(self, frame: rtc.AudioFrame) -> None:
        await super().capture_frame(frame)
        self._pending = True
        self._speaker.write(bytes(frame.data))

    def flush(self) -> None:
        super().flush()
        if self._pending:
            self._speaker.end_of_reply()

    def clear_buffer(self) -> None:
        if self._pending:
            self._speaker.clear()

    def pause(self) -> None:
        super().pause()
        self._speaker.pause()

    def resume(self) -> None:
        super().resume()
        self._speaker.resume()


class ScriptedSTT(stt.STT):
    def __init__(self) -> None:
        super().__init__(capabilities=stt.STTCapabilities(streaming=True, interim_results=False))

    async def _recognize_impl(self, *args: Any, **options: Any) -> Any:
        raise NotImplementedError

    def stream(
        self, *, language: Any = NOT_GIVEN, conn_options: Any = DEFAULT_API_CONNECT_OPTIONS
    ) -> stt.RecognizeStream:
        return Recognition(stt=self, conn_options=conn_options)


class Recognition(stt.RecognizeStream):
    async def _run(self) -> None:
        recogniser = Recogniser()
        async for item in self._input_ch:
            text = recogniser.push(bytes(item.data), item.sample_rate) if isinstance(item, rtc.AudioFrame) else None
            if text:
                said = stt.SpeechData(language="en", text=text)
                self._event_ch.send_nowait(stt.SpeechEvent(stt.SpeechEventType.FINAL_TRANSCRIPT, alternatives=[said]))


class ScriptedLLM(llm.LLM):
    def chat(
        self, *, chat_ctx: Any, tools: Any = None, conn_options: Any = DEFAULT_API_CONNECT_OPTIONS, **_: Any
    ) -> Any:
        return Answer(self, chat_ctx=chat_ctx, tools=tools or [], conn_options=conn_options)


class Answer(llm.LLMStream):
    async def _run(self) -> None:
        for text in reply_texts():
            self._event_ch.send_nowait(llm.ChatChunk(id="1", delta=llm.ChoiceDelta(role="assistant", content=text)))


class ScriptedTTS(tts.TTS):
    def __init__(self, reply_seconds: float) -> None:
        super().__init__(capabilities=tts.TTSCapabilities(streaming=True), sample_rate=REPLY_RATE, num_channels=1)
        self.reply_seconds = reply_seconds

    def synthesize(self, text: str, *, conn_options: Any = DEFAULT_API_CONNECT_OPTIONS) -> Any:
        raise NotImplementedError

    def stream(self, *, conn_options: Any = DEFAULT_API_CONNECT_OPTIONS) -> tts.SynthesizeStream:
        return Synthesis(tts=self, conn_options=conn_options)


class Synthesis(tts.SynthesizeStream):
    async def _run(self, output: tts.AudioEmitter) -> None:
        output.initialize(request_id="1", sample_rate=REPLY_RATE, num_channels=1, mime_type="audio/pcm", stream=True)
        texts = [item async for item in self._input_ch if isinstance(item, str)]
        if not "".join(texts).strip():
            return
        self._mark_started()
        output.start_segment(segment_id="1")
        for piece in reply_audio(self._tts.reply_seconds):
            output.push(piece)
        output.end_segment()


async def run(line: Line) -> None:
    session: AgentSession = AgentSession(
        stt=ScriptedSTT(),
        llm=ScriptedLLM(),
        tts=ScriptedTTS(line.reply_seconds),
        vad=_shared["vad"],
        turn_handling={"turn_detection": "vad"},
    )
    session.line = line
    session.input.audio, session.output.audio = Microphone(line), Loudspeaker(line)
    await session.start(agent=Agent(instructions="You are a helpful voice assistant."))
    line.ready.set()
    await line.stop.wait()
    await session.aclose()
