"""The program of Antiphon's side: ``python agent_antiphon.py start``. Turns end by VAD and the default delay."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from typing import Any

from antiphon import LLM, STT, TTS, Agent, AgentServer, AgentSession, AudioFrame, RoomJobContext, run
from antiphon.models.capabilities import STTCapabilities
from antiphon.models.llm import ChatChunk, LLMStream
from antiphon.models.stt import STTEvent, STTStream
from antiphon.models.tts import TTSStream
from rooms import script


class ScriptedSTT(STT):
    capabilities = STTCapabilities(partials=False)
    on_core = True

    def stream(self, *, language: str = "") -> STTStream:
        return Recognition()


class Recognition(STTStream):
    def __init__(self) -> None:
        self._recogniser = script.Recogniser()
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
        return Answer(script.reply(chat_ctx.items))


class Answer(LLMStream):
    def __init__(self, texts: list[str]) -> None:
        self._texts = texts

    async def __aiter__(self) -> AsyncIterator[ChatChunk]:
        await asyncio.sleep(script.MODEL_DELAY)
        for text in self._texts:
            yield ChatChunk(text)
            if script.LONG:
                await asyncio.sleep(script.WORD_EVERY)

    async def aclose(self) -> None: ...


class ScriptedTTS(TTS):
    sample_rate = script.VOICE_RATE
    on_core = True

    def stream(self) -> TTSStream:
        return Synthesis()


class Synthesis(TTSStream):
    def __init__(self) -> None:
        self._texts: asyncio.Queue[str | None] = asyncio.Queue()

    def push_text(self, text: str) -> None:
        self._texts.put_nowait(text)

    def end_input(self) -> None:
        self._texts.put_nowait(None)

    async def __aiter__(self) -> AsyncIterator[AudioFrame]:
        segment = 0
        while (text := await self._texts.get()) is not None:
            if segment == 0:
                await asyncio.sleep(script.VOICE_DELAY)
            for piece in script.voice(text):
                yield AudioFrame(piece, script.VOICE_RATE, len(piece) // 2, segment=segment)
            segment += 1

    async def aclose(self) -> None:
        self._texts.put_nowait(None)


class Greeter(Agent):
    async def on_enter(self) -> None:
        self.session.say(script.GREETING)


kept: dict[str, Any] = {"store": os.environ["BENCH_STORE"]} if "BENCH_STORE" in os.environ else {}
server = AgentServer(load_threshold=100.0, max_sessions=64, **kept)


@server.rtc_session()
async def entrypoint(ctx: RoomJobContext) -> None:
    session = AgentSession[None](
        stt=ScriptedSTT(),
        llm=ScriptedLLM(),
        tts=ScriptedTTS(),
        turn_detector=None,
        turn_handling={"turn_detection": "vad", "score": False},
    )
    await session.start(Greeter(instructions=script.INSTRUCTIONS), ctx)


if __name__ == "__main__":
    run(server)
