"""A LiveKit language model: a conversation and tools of ours as theirs, their chunks as ours.

Owns: how a conversation is written in their items. Never: its order and pairing (``formats.entries``), sockets, retries.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from importlib import import_module
from typing import Any

from antiphon.chat.context import ChatContext
from antiphon.chat.media import Content, ImageContent, in_words
from antiphon.models.capabilities import LLMCapabilities
from antiphon.models.llm import LLM, ChatChunk, LLMStream, ToolCallDelta, ToolChoice, ToolSpec, Usage
from antiphon.providers.formats.entries import Pair, Words, entries
from antiphon.providers.formats.openai_chat import url_of
from antiphon.providers.livekit.plugin import enter, once, prewarm, told

VENDOR = "livekit"
"""Under which a call's ``extra`` holds what the plugin wants back with it."""


class LiveKitLLM(LLM):
    """A language model of a plugin. ``theirs``: the plugin's object."""

    def __init__(self, theirs: Any, *, images: bool = False) -> None:
        self.theirs = theirs
        self.provider, self.model = theirs.provider, theirs.model
        self.capabilities = LLMCapabilities(images=images)

    def chat(
        self, *, chat_ctx: ChatContext, tools: Sequence[ToolSpec] = (), tool_choice: ToolChoice = "auto"
    ) -> LLMStream:
        self.model = self.theirs.model
        return _Stream(self, chat_ctx, tools, tool_choice)

    async def prewarm(self) -> None:
        await prewarm(self.theirs)

    async def aclose(self) -> None:
        await self.theirs.aclose()


class _Stream(LLMStream):
    def __init__(self, model: LiveKitLLM, chat_ctx: ChatContext, tools: Sequence[ToolSpec], choice: ToolChoice) -> None:
        self._model, self._chat_ctx, self._tools, self._choice = model, chat_ctx, tools, choice
        self._running: Any = None
        self._closed = False

    async def __aiter__(self) -> AsyncIterator[ChatChunk]:
        theirs = self._model.theirs
        try:
            await enter()
            if self._closed:
                return
            choice = {"tool_choice": self._choice} if self._tools else {}
            self._running = theirs.chat(
                chat_ctx=context_of(self._chat_ctx),
                tools=[_tool(spec) for spec in self._tools],
                conn_options=once(),
                **choice,
            )
            async for chunk in self._running:
                if (piece := self._piece(chunk)) is not None:
                    yield piece
        except Exception as exc:
            raise told(exc, theirs) from None
        finally:
            await self.aclose()

    async def aclose(self) -> None:
        self._closed = True
        running, self._running = self._running, None
        if running is not None:
            await running.aclose()

    @staticmethod
    def _piece(chunk: Any) -> ChatChunk | None:
        text, calls = "", []
        if chunk.delta is not None:
            text = chunk.delta.content or ""
            for call in chunk.delta.tool_calls:
                extra = {VENDOR: call.extra} if call.extra else {}
                calls.append(ToolCallDelta(call.call_id, call.name, call.arguments, extra))
        usage = None
        if chunk.usage is not None:
            used = chunk.usage
            usage = Usage(used.prompt_tokens, used.completion_tokens, used.prompt_cached_tokens)
        if not text and not calls and usage is None:
            return None
        return ChatChunk(text=text, tool_calls=tuple(calls), usage=usage)


def context_of(chat_ctx: ChatContext) -> Any:
    """Our conversation as their ``ChatContext``, in the order that the formats of all vendors need."""
    llm = import_module("livekit.agents.llm")
    items: list[Any] = []
    for number, entry in enumerate(entries(chat_ctx)):
        if isinstance(entry, Words):
            items.append(_message(llm, entry, f"item_{number}"))
            continue
        said = bool(items) and items[-1].type == "message" and items[-1].role == "assistant"
        group = items[-1].id if said else f"item_{number}"  # what was said before the calls belongs to their step
        items += [_call(llm, pair, f"{group}/call_{n}", group) for n, pair in enumerate(entry.pairs)]
        items += [_output(llm, pair, f"{group}/output_{n}") for n, pair in enumerate(entry.pairs)]
        if seen := [_part(llm, part) for pair in entry.pairs for part in pair.media]:
            items.append(llm.ChatMessage(id=f"item_{number}/seen", role="user", content=seen))
    return llm.ChatContext(items)


def _message(llm: Any, words: Words, id: str) -> Any:
    content = [_part(llm, part) for part in words.parts]
    if words.breakpoint and hasattr(llm, "CacheBreakpoint"):
        content.append(llm.CacheBreakpoint())
    return llm.ChatMessage(id=id, role="developer" if words.developer else words.role, content=content)


def _call(llm: Any, pair: Pair, id: str, group: str) -> Any:
    back = pair.extra.get(VENDOR, {})
    return llm.FunctionCall(id=id, call_id=pair.id, name=pair.name, arguments=pair.written, group_id=group, extra=back)


def _output(llm: Any, pair: Pair, id: str) -> Any:
    return llm.FunctionCallOutput(id=id, call_id=pair.id, name=pair.name, output=pair.output, is_error=pair.is_error)


def _part(llm: Any, part: Content) -> Any:
    if isinstance(part, ImageContent):
        return llm.ImageContent(image=url_of(part), inference_detail=part.detail)
    return part if isinstance(part, str) else in_words(part)


def _tool(spec: ToolSpec) -> Any:
    """A tool that their formats can describe; it is never called there."""

    async def elsewhere(raw_arguments: dict[str, object]) -> None:
        raise NotImplementedError(f"{spec.name} runs in the session")

    schema = {"name": spec.name, "description": spec.description, "parameters": spec.parameters}
    return import_module("livekit.agents.llm").function_tool(elsewhere, raw_schema=schema)
