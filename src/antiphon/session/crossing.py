"""A user's model as a member of a model that lives on the core lane: it still runs on the user's loop.

Owns the way across. Never: what the model does.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from typing import Any, Generic, TypeVar

from antiphon.agents.nodes import listen, speak
from antiphon.audio.frames import AudioFrame
from antiphon.chat.context import ChatContext
from antiphon.models.llm import LLM, ChatChunk, LLMStream, ToolChoice, ToolSpec
from antiphon.models.stt import STT, STTEvent, STTStream
from antiphon.models.tts import TTS, TTSStream
from antiphon.session.lanes import Inlet, Lane, across

T = TypeVar("T")


class _Crossing(Generic[T]):
    """A stream on the user's loop, read from another."""

    def __init__(self, make: Callable[[], AsyncIterator[T]], home: Lane) -> None:
        self._make, self._home = make, home

    def __aiter__(self) -> AsyncIterator[T]:
        return across(self._make, home=self._home)

    async def aclose(self) -> None:
        return None  # the reader's task ends the iterator, and that ends the stream


class _CrossingLLMStream(_Crossing[ChatChunk], LLMStream):
    pass


class _CrossingSTTStream(_Crossing[STTEvent], STTStream):
    def __init__(self, stt: STT, language: str, home: Lane) -> None:
        self._audio: Inlet[AudioFrame] = Inlet(home, limit=1024)
        super().__init__(lambda: listen(stt, self._audio, language), home)

    def push(self, frame: AudioFrame) -> None:
        self._audio.put(frame)

    def end_input(self) -> None:
        self._audio.end()


class _CrossingTTSStream(_Crossing[AudioFrame], TTSStream):
    def __init__(self, tts: TTS, home: Lane) -> None:
        self._text: Inlet[str] = Inlet(home)
        super().__init__(lambda: speak(tts, self._text), home)

    def push_text(self, text: str) -> None:
        self._text.put(text)

    def end_input(self) -> None:
        self._text.end()


class _OnUsersLoop:
    """What the three kinds share. ``inner``: the user's model; ``home``: the user's loop."""

    on_core = True

    def __init__(self, inner: Any, home: Lane) -> None:
        self.inner, self.home = inner, home
        self.provider = inner.provider or type(inner).__name__
        self.model = inner.model
        self.capabilities = inner.capabilities

    async def prewarm(self) -> None:
        await self._there(self.inner.prewarm)

    async def aclose(self) -> None:
        return None  # the user's to close

    async def _there(self, call: Callable[[], Coroutine[Any, Any, None]]) -> None:
        async def once() -> AsyncIterator[None]:
            await call()
            yield

        async for _ in across(once, home=self.home):
            pass


class CrossingLLM(_OnUsersLoop, LLM):
    """A language model of the user's."""

    def chat(
        self, *, chat_ctx: ChatContext, tools: Sequence[ToolSpec] = (), tool_choice: ToolChoice = "auto"
    ) -> LLMStream:
        async def chunks() -> AsyncIterator[ChatChunk]:
            stream = self.inner.chat(chat_ctx=chat_ctx, tools=tools, tool_choice=tool_choice)
            try:
                async for chunk in stream:
                    yield chunk
            finally:
                await stream.aclose()

        return _CrossingLLMStream(chunks, self.home)

    async def prefill(self, *, chat_ctx: ChatContext, tools: Sequence[ToolSpec] = ()) -> None:
        await self._there(lambda: self.inner.prefill(chat_ctx=chat_ctx, tools=tools))


class CrossingSTT(_OnUsersLoop, STT):
    """A recogniser of the user's."""

    def stream(self, *, language: str = "") -> STTStream:
        return _CrossingSTTStream(self.inner, language, self.home)


class CrossingTTS(_OnUsersLoop, TTS):
    """A voice of the user's."""

    def __init__(self, inner: TTS, home: Lane) -> None:
        super().__init__(inner, home)
        self.sample_rate = inner.sample_rate

    def stream(self) -> TTSStream:
        return _CrossingTTSStream(self.inner, self.home)


def on_core(kind: str, model: Any, home: Lane) -> Any:
    """A model that can be used from the core lane: itself, or a user's one by way of ``home``."""
    if model.on_core:
        return model
    return {"stt": CrossingSTT, "llm": CrossingLLM, "tts": CrossingTTS}[kind](model, home)
