"""The language model that sessions use: a small local one, with tools, reading ahead while the caller speaks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing

from antiphon.chat.context import ChatContext, new_id
from antiphon.chat.items import AgentConfigUpdate, AgentHandoff, FunctionCallOutput
from antiphon.errors import ModelError
from antiphon.local.hosts import Host, load
from antiphon.local.prompt import LineParser, answer_grammar, render
from antiphon.local.pump import Emit, Pump
from antiphon.local.requests import Complete, Counted, Piece
from antiphon.models.capabilities import LLMCapabilities
from antiphon.models.llm import LLM, ChatChunk, LLMStream, ToolCallDelta, ToolChoice, ToolSpec, Usage

ANSWER_TOKENS = 120
RESULT_TOKENS = 60
"""Most tokens of an answer, and of an answer that only tells a tool's result."""

LONGEST_RESULT = 300
"""Characters of a tool's result that are spoken as they are."""


class LocalLLMStream(LLMStream):
    """One answer."""

    def __init__(self, host: Host, request: Complete | None, spoken: str, tools: Sequence[ToolSpec]) -> None:
        self._host = host
        self._request = request
        self.spoken = spoken
        self._tools = tools
        self._pump: Pump[ChatChunk] = Pump(self._answer)

    def __aiter__(self) -> AsyncIterator[ChatChunk]:
        return self._pump.items()

    async def aclose(self) -> None:
        await self._pump.aclose()

    async def _answer(self, emit: Emit[ChatChunk]) -> None:
        if self._request is None:
            await emit(ChatChunk(text=self.spoken))
            return
        parser = LineParser(tools=bool(self._tools))
        said = False
        async with aclosing(self._host.ask(self._request)) as replies:
            async for reply in replies:
                if isinstance(reply, Piece):
                    said |= await self._tell(emit, *parser.feed(reply.text))
                elif isinstance(reply, Counted):
                    said |= await self._tell(emit, *parser.feed("", last=True))
                    usage = Usage(reply.prompt_tokens, reply.completion_tokens, reply.cached_tokens)
                    await emit(ChatChunk(usage=usage))
        if not said:
            raise ModelError("The local language model gave no usable answer (it was cut off).", retryable=False)

    async def _tell(self, emit: Emit[ChatChunk], text: str, calls: list[tuple[str, str]]) -> bool:
        made = tuple(ToolCallDelta(new_id("call"), name, arguments) for name, arguments in calls)
        if text or made:
            await emit(ChatChunk(text=text, tool_calls=made))
        return bool(text.strip() or made)


class LocalLLM(LLM):
    """A small instruction model (Qwen2.5-Coder-1.5B, SmolLM2-135M).

    Make one for each session: what the model has read is kept apart by object, so that a session finds its own again.

    ``speak_results``: where the last thing that happened is a tool's result that can be spoken as it is (a sentence),
    it is the answer, and the model is not asked: this saves a small machine two to three seconds. Return data instead of
    a sentence, or switch it off, to have the model put the result into words.
    """

    provider = "local"
    on_core = True
    capabilities = LLMCapabilities(tools=True, parallel_tools=True, prefill=True)

    def __init__(
        self,
        host: Host,
        model: str = "qwen2.5-coder-1.5b",
        *,
        speak_results: bool = True,
        max_tokens: int = ANSWER_TOKENS,
    ) -> None:
        self.model = model
        self._host = host
        self._speak_results = speak_results
        self._max_tokens = max_tokens
        self._owner = new_id("llm")

    def chat(
        self, *, chat_ctx: ChatContext, tools: Sequence[ToolSpec] = (), tool_choice: ToolChoice = "auto"
    ) -> LLMStream:
        results = last_results(chat_ctx)
        if results and self._speak_results and tool_choice != "required":
            spoken = " ".join(result.output.strip() for result in results)
            if all(is_sentence(r) for r in results) and len(spoken) <= LONGEST_RESULT:
                return LocalLLMStream(self._host, None, spoken, tools)
        tell_only = bool(results) and tool_choice == "auto" and not any(r.is_error for r in results)
        request = Complete(
            model=self.model,
            prompt=render(chat_ctx, tools),
            owner=self._owner,
            grammar=answer_grammar(tools, "none" if tell_only else tool_choice),
            max_tokens=min(self._max_tokens, RESULT_TOKENS) if results else self._max_tokens,
        )
        return LocalLLMStream(self._host, request, "", tools)

    async def prefill(self, *, chat_ctx: ChatContext, tools: Sequence[ToolSpec] = ()) -> None:
        prompt = render(chat_ctx, tools, ahead=True)
        async with aclosing(self._host.ask(Complete(model=self.model, prompt=prompt, owner=self._owner))) as replies:
            async for _ in replies:
                pass

    async def prewarm(self) -> None:
        await load(self._host, self.model)


def last_results(context: ChatContext) -> list[FunctionCallOutput]:
    """The tool results that nothing has answered yet, oldest first."""
    results: list[FunctionCallOutput] = []
    for item in reversed(context.items):
        if isinstance(item, FunctionCallOutput):
            results.insert(0, item)
        elif not isinstance(item, AgentHandoff | AgentConfigUpdate):
            break
    return results


def is_sentence(result: FunctionCallOutput) -> bool:
    """Whether a tool's result can be spoken as it is: words that end like a sentence, no markup and no data."""
    text = result.output.strip()
    written = not result.is_error and text[:1].isalnum() and text[-1:] in ".!?" and " " in text
    return written and not any(mark in text for mark in '{}[]<>|\n\t"=_')
