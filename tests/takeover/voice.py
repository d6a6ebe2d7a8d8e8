"""The models of the campaign's agents: a mind that knows what was said already, a voice that signs its words."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import AsyncIterator

import msgspec

from antiphon.audio.frames import AudioFrame
from antiphon.models.tts import TTSStream
from antiphon.testing import ScriptedLLM, calls
from antiphon.testing.llm import LLMRequest, ToolUse
from antiphon.testing.tts import ScriptedTTS, ScriptedTTSStream, TTSFaults
from tests.takeover.words import TURN, answer, plain

TOOLS = ("book", "pay", "ship", "crash", "hog", "note", "trip")


class Mind(ScriptedLLM):
    """Ids of calls are never given twice, whichever process asks."""

    def __init__(self) -> None:
        super().__init__(reply)

    def new_call_id(self, request: LLMRequest) -> str:
        return f"call_{uuid.uuid4().hex}"


def reply(request: LLMRequest) -> str | ToolUse:
    """The tool that the turn asks for, then the rest of its answer."""
    asked = TURN.findall(request.user_text)
    if not asked:
        return "Pardon."
    turn, kind = int(asked[-1][0]), asked[-1][1]
    if kind in TOOLS and not request.step:
        return calls(kind, turn=turn)
    items = request.chat_ctx.messages
    last = max((n for n, message in enumerate(items) if message.role == "user"), default=-1)
    said = {
        plain(word) for message in items[last + 1 :] if message.role == "assistant" for word in message.text.split()
    }
    return " ".join(word for word in answer(turn) if plain(word) not in said) or "Mhm."


class Voice(ScriptedTTS):
    """Three times as fast as speech: a kill meets it at work. Its words carry who made them and when, for the caller's ear."""

    def __init__(self) -> None:
        super().__init__(speed=3.0)

    def stream(self) -> TTSStream:
        return _Stream(self, TTSFaults())


class _Stream(ScriptedTTSStream):
    async def __aiter__(self) -> AsyncIterator[AudioFrame]:
        async for frame in super().__aiter__():
            yield signed(frame)


def signed(frame: AudioFrame) -> AudioFrame:
    """With the process and the time on each word; a frame is a word."""
    symbol = frame.symbol
    if symbol is None or symbol.kind != "speech":
        return frame
    mark = f"@{os.getpid()}@{time.monotonic():.3f}"
    text = " ".join(word + mark for word in symbol.text.split())
    return msgspec.structs.replace(frame, symbol=msgspec.structs.replace(symbol, text=text))
