"""The language model that sessions use: a small local one, with tools, reading ahead while the caller speaks."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import aclosing
from datetime import date

import msgspec

from antiphon.chat.context import ChatContext, new_id
from antiphon.chat.items import AgentConfigUpdate, AgentHandoff, ConversationSummary, FunctionCallOutput
from antiphon.errors import ModelError
from antiphon.local import call_lines
from antiphon.local.grounding import Said, checked, proven
from antiphon.local.hosts import Host, load
from antiphon.local.prompt import ANSWER, LineParser, answer_grammar, leading, render, turn
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
    """One answer. ``said``: the words of the conversation, where calls are to be held against them."""

    def __init__(
        self,
        host: Host,
        request: Complete | None,
        spoken: str,
        tools: Sequence[ToolSpec],
        *,
        said: Said | None = None,
        today: Callable[[], date] = date.today,
    ) -> None:
        self._host = host
        self._request = request
        self.spoken = spoken
        self._tools = {tool.name: tool for tool in tools}
        self._said = said
        self._today = today
        self._missing: list[str] = []
        self._refused: set[str] = set()
        self._second = False
        self._pump: Pump[ChatChunk] = Pump(self._answer)

    def __aiter__(self) -> AsyncIterator[ChatChunk]:
        return self._pump.items()

    async def aclose(self) -> None:
        await self._pump.aclose()

    async def _answer(self, emit: Emit[ChatChunk]) -> None:
        if self._request is None:
            await emit(ChatChunk(text=self.spoken))
            return
        usage = Usage()
        for request in self._requests(self._request):
            said, more = await self._stretch(emit, request)
            usage = added(usage, more)
            if said or not self._missing:
                break
        await emit(ChatChunk(usage=usage))
        if not said:
            raise ModelError("The local language model gave no usable answer (it was cut off).", retryable=False)

    def _requests(self, first: Complete) -> Iterator[Complete]:
        """What is asked in turn until something usable comes: the answer; where it was a call with values that nobody said, a
        call of another tool, which the caller may have meant; then the question for what is missing."""
        yield first
        missing = list(self._missing)
        others = [tool for name, tool in self._tools.items() if name not in self._refused]
        if others:
            self._second = True
            yield msgspec.structs.replace(first, grammar=answer_grammar(others, "required"))
        yield asking(first, missing)

    async def _stretch(self, emit: Emit[ChatChunk], request: Complete) -> tuple[bool, Usage]:
        """Ask once, and tell what comes: (whether anything usable came, what it took)."""
        parser = LineParser(tools=bool(self._tools))
        said, usage = False, Usage()
        async with aclosing(self._host.ask(request)) as replies:
            async for reply in replies:
                if isinstance(reply, Piece):
                    said |= await self._tell(emit, *parser.feed(reply.text))
                elif isinstance(reply, Counted):
                    said |= await self._tell(emit, *parser.feed("", last=True))
                    usage = Usage(reply.prompt_tokens, reply.completion_tokens, reply.cached_tokens)
        return said, usage

    async def _tell(self, emit: Emit[ChatChunk], text: str, calls: list[tuple[str, str]]) -> bool:
        made = tuple(call for name, arguments in calls if (call := self._call(name, arguments)) is not None)
        if text or made:
            await emit(ChatChunk(text=text, tool_calls=made))
        return bool(text.strip() or made)

    def _call(self, name: str, arguments: str) -> ToolCallDelta | None:
        """The call as the tool reads it; ``None`` where the model made up what the caller has to be asked for."""
        tool = self._tools[name]
        if self._said is not None:
            kept, missing = checked(tool, json.loads(arguments), self._said)
            if missing or (self._second and not proven(tool)):
                self._missing += missing
                self._refused.add(name)
                return None
            arguments = json.dumps(kept, ensure_ascii=False)
        return ToolCallDelta(new_id("call"), name, call_lines.settle(tool, arguments, self._today()))


class LocalLLM(LLM):
    """A small instruction model (Qwen2.5-Coder-1.5B, SmolLM2-135M).

    Make one for each session: what the model has read is kept apart by object, so that a session finds its own again.

    ``speak_results``: where the last thing that happened is a tool's result that can be spoken as it is (a sentence),
    it is the answer, and the model is not asked: this saves a small machine two to three seconds. Return data instead of
    a sentence, or switch it off, to have the model put the result into words.

    ``today``: the date that "tomorrow" and "friday" are reckoned from where a tool takes a day. A call whose values nobody
    said, as small models make them up, is not made: the caller is asked (``grounding``; English).
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
        today: Callable[[], date] = date.today,
    ) -> None:
        self._today = today
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
        said = Said(spoken_texts(chat_ctx), [message.text for message in leading(chat_ctx)])
        tell_only = bool(results) and tool_choice == "auto" and not any(r.is_error for r in results)
        request = Complete(
            model=self.model,
            prompt=render(chat_ctx, tools, today=self._today()),
            owner=self._owner,
            grammar=answer_grammar(tools, "none" if tell_only else tool_choice),
            max_tokens=min(self._max_tokens, RESULT_TOKENS) if results else self._max_tokens,
        )
        held = said if said.english and tool_choice == "auto" and not was_asked(chat_ctx) else None
        return LocalLLMStream(self._host, request, "", tools, said=held, today=self._today)

    async def prefill(self, *, chat_ctx: ChatContext, tools: Sequence[ToolSpec] = ()) -> None:
        prompt = render(chat_ctx, tools, today=self._today(), ahead=True)
        async with aclosing(self._host.ask(Complete(model=self.model, prompt=prompt, owner=self._owner))) as replies:
            async for _ in replies:
                pass

    async def prewarm(self) -> None:
        await load(self._host, self.model)


def asking(request: Complete, missing: Sequence[str]) -> Complete:
    """The request for the question instead: what the caller has not said is named, and nothing can be called."""
    names = ", ".join(dict.fromkeys(name.replace("_", " ") for name in missing))
    hint = turn("system", f"The caller has not said this yet: {names}. Ask for it in one short question.")
    prompt = request.prompt.removesuffix(ANSWER) + hint + ANSWER
    return msgspec.structs.replace(request, prompt=prompt, grammar=answer_grammar((), "none"))


def added(one: Usage, other: Usage) -> Usage:
    """Both together."""
    return Usage(
        one.prompt_tokens + other.prompt_tokens,
        one.completion_tokens + other.completion_tokens,
        one.cached_tokens + other.cached_tokens,
    )


def spoken_texts(context: ChatContext) -> list[str]:
    """What was said by either side, and what tools returned."""
    told = [item.text for item in context.messages if item.role in ("user", "assistant")]
    told += [item.as_text for item in context.items if isinstance(item, ConversationSummary)]
    return told + [item.output for item in context.items if isinstance(item, FunctionCallOutput)]


def was_asked(context: ChatContext) -> bool:
    """Whether the caller has been asked again and again: nobody is asked for ever."""
    before = [message for message in context.messages if message.role == "assistant" and message.text.strip()]
    return len(before) >= 3 and all(message.text.rstrip().endswith("?") for message in before[-3:])


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
