"""What the pipeline's nodes exchange, and the default nodes: plain streams over the models' contracts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator
from contextlib import suppress

from antiphon.audio.frames import AudioFrame
from antiphon.chat.context import ChatContext
from antiphon.models.llm import LLM, ChatChunk, ToolChoice, ToolSpec
from antiphon.models.stt import STT, STTEvent
from antiphon.models.tts import TTS


class FlushSentinel:
    """Yielded by an LLM node: what has been said so far is a speakable whole, synthesise it now."""


async def listen(stt: STT, audio: AsyncIterable[AudioFrame], language: str = "") -> AsyncIterator[STTEvent]:
    """Caller audio in, transcripts out, through one recognition stream."""
    stream = stt.stream(language=language)

    async def feed() -> None:
        async for frame in audio:
            stream.push(frame)
        stream.end_input()

    feeder = asyncio.get_running_loop().create_task(feed(), name="antiphon:stt-feed")
    try:
        async for event in stream:
            yield event
    finally:
        feeder.cancel()
        with suppress(asyncio.CancelledError):
            await feeder
        await stream.aclose()


async def think(
    llm: LLM, chat_ctx: ChatContext, tools: list[ToolSpec], tool_choice: ToolChoice
) -> AsyncIterator[ChatChunk]:
    """A prompt in, an answer's pieces out. For media that the model cannot take there are notes."""
    can = llm.capabilities
    chat_ctx = chat_ctx.readable(images=can.images, audio=can.audio)
    stream = llm.chat(chat_ctx=chat_ctx, tools=tools, tool_choice=tool_choice)
    try:
        async for chunk in stream:
            yield chunk
    finally:
        await stream.aclose()


async def speak(tts: TTS, text: AsyncIterable[str]) -> AsyncIterator[AudioFrame]:
    """Text segments in, audio out; frames carry the index of the segment they speak."""
    stream = tts.stream()

    async def feed() -> None:
        async for segment in text:
            stream.push_text(segment)
        stream.end_input()

    feeder = asyncio.get_running_loop().create_task(feed(), name="antiphon:tts-feed")
    try:
        async for frame in stream:
            yield frame
    finally:
        feeder.cancel()
        with suppress(asyncio.CancelledError):
            await feeder
        await stream.aclose()
