"""The program of livekit-agents' side: ``python agent_livekit.py start``. Its Silero plugin's VAD is loaded in the idle
processes, as its documents show; turns end by VAD and the default delay."""

from __future__ import annotations

import asyncio
import os
from typing import Any

from livekit import rtc
from livekit.agents import (
    DEFAULT_API_CONNECT_OPTIONS,
    Agent,
    AgentServer,
    AgentSession,
    JobContext,
    JobProcess,
    cli,
    llm,
    stt,
    tts,
)
from livekit.agents.types import NOT_GIVEN
from livekit.plugins import silero

from rooms import script


class ScriptedSTT(stt.STT):
    def __init__(self) -> None:
        super().__init__(capabilities=stt.STTCapabilities(streaming=True, interim_results=False))

    async def _recognize_impl(self, *args: Any, **options: Any) -> Any:
        raise NotImplementedError

    def stream(self, *, language: Any = NOT_GIVEN, conn_options: Any = DEFAULT_API_CONNECT_OPTIONS) -> Any:
        return Recognition(stt=self, conn_options=conn_options)


class Recognition(stt.RecognizeStream):
    async def _run(self) -> None:
        recogniser = script.Recogniser()
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
        await asyncio.sleep(script.MODEL_DELAY)
        for text in script.reply(self.chat_ctx.items):
            self._event_ch.send_nowait(llm.ChatChunk(id="1", delta=llm.ChoiceDelta(role="assistant", content=text)))
            if script.LONG:
                await asyncio.sleep(script.WORD_EVERY)


class ScriptedTTS(tts.TTS):
    def __init__(self) -> None:
        super().__init__(
            capabilities=tts.TTSCapabilities(streaming=True), sample_rate=script.VOICE_RATE, num_channels=1
        )

    def synthesize(self, text: str, *, conn_options: Any = DEFAULT_API_CONNECT_OPTIONS) -> Any:
        raise NotImplementedError

    def stream(self, *, conn_options: Any = DEFAULT_API_CONNECT_OPTIONS) -> Any:
        return Synthesis(tts=self, conn_options=conn_options)


class Synthesis(tts.SynthesizeStream):
    async def _run(self, output: tts.AudioEmitter) -> None:
        output.initialize(
            request_id="1", sample_rate=script.VOICE_RATE, num_channels=1, mime_type="audio/pcm", stream=True
        )
        begun = False
        async for text in self._input_ch:
            if not isinstance(text, str) or not text.strip():
                continue
            if not begun:
                begun = True
                self._mark_started()
                output.start_segment(segment_id="1")
                await asyncio.sleep(script.VOICE_DELAY)
            for piece in script.voice(text):
                output.push(piece)
        if begun:
            output.end_segment()


class Greeter(Agent):
    async def on_enter(self) -> None:
        self.session.say(script.GREETING)


def prewarm(process: JobProcess) -> None:
    process.userdata["vad"] = silero.VAD.load()


server = AgentServer(
    load_fnc=lambda *_: 0.1,
    port=0,
    setup_fnc=prewarm,
    num_idle_processes=os.cpu_count() or 1,  # its default, said so that who waits for them knows
)


@server.rtc_session()
async def entrypoint(ctx: JobContext) -> None:
    session: AgentSession = AgentSession(
        stt=ScriptedSTT(),
        llm=ScriptedLLM(),
        tts=ScriptedTTS(),
        vad=ctx.proc.userdata["vad"],
        turn_handling={"turn_detection": "vad"},
    )
    await session.start(agent=Greeter(instructions=script.INSTRUCTIONS), room=ctx.room)
    await ctx.connect()


if __name__ == "__main__":
    cli.run_app(server)
