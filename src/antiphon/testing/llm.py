"""A language model that answers from a script, and fails on demand the way language model services do.

It uses only the public LLM contract, and keeps every request for assertions.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from antiphon.chat.context import ChatContext
from antiphon.chat.items import ChatMessage, FunctionCall, FunctionCallOutput
from antiphon.errors import ModelError
from antiphon.models.capabilities import LLMCapabilities
from antiphon.models.llm import LLM, ChatChunk, LLMStream, ToolCallDelta, ToolChoice, ToolSpec, Usage


@dataclass(frozen=True)
class ToolUse:
    """A tool call in a scripted answer. ``raw``: argument text sent as it is, broken or not."""

    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    raw: str | None = None


def calls(name: str, /, **arguments: Any) -> ToolUse:
    """``calls("book", day="Monday")``: the model asks for this tool."""
    return ToolUse(name, arguments)


Part = str | ToolUse
Answer = Part | tuple[Part, ...]
"""One answer: text, a tool call, or a tuple of them in order (text, then a tool; several tools)."""
Script = Answer | Sequence[Answer] | Mapping[Any, Any] | Callable[["LLMRequest"], Any]
"""What a model answers.

Text, a tool call or a tuple: always that. A list: one answer after the other; asking the same thing again (a retry, a
speculation) gives the same answer, and the last one stays. A mapping: the first key that fits the caller's last
message (text: contained in it, whatever the case; a compiled pattern: found in it; ``...``: fits all), its value an
answer or a list of answers, one for each step of the turn (a step ends with tool results). A function: called with
the ``LLMRequest``, returns any of these.
"""


class LLMFaults(msgspec.Struct, frozen=True):
    """How a model fails; settings compose.

    ``slow``: seconds added before the first token. ``never``: no token ever. ``dribble``: seconds between words.
    ``status``: HTTP status of a request refused at once (429, 500, ...). ``retry_after``: what a refusal asks for.
    ``error_after``: the stream breaks after so many words. ``empty``: an answer without anything.
    ``unknown_tool``: tool calls name a tool that nobody has. ``broken_json``: their arguments are cut short.
    ``insists``: it calls tools even where it was offered none (else it leaves such calls out).
    ``tries``: how many requests, from the first that these faults concern, fail (``None``: all); later ones are well.
    ``after``: requests that are well before the first faulty one. ``retryable``: what the errors say of themselves.
    """

    slow: float = 0.0
    never: bool = False
    dribble: float = 0.0
    status: int | None = None
    retry_after: float | None = None
    error_after: int | None = None
    empty: bool = False
    unknown_tool: bool = False
    broken_json: bool = False
    insists: bool = False
    tries: int | None = None
    after: int = 0
    retryable: bool = True


@dataclass
class LLMRequest:
    """One request as the model got it. ``at``: seconds on the loop's clock. ``text``: what it has answered so far."""

    chat_ctx: ChatContext
    tools: list[ToolSpec]
    tool_choice: ToolChoice
    at: float
    number: int
    text: str = ""
    finished: bool = False
    cancelled: bool = False

    @property
    def user_text(self) -> str:
        """The caller's last message."""
        return next((m.text for m in reversed(self.chat_ctx.messages) if m.role == "user"), "")

    @property
    def instructions(self) -> str:
        """All system and developer messages, joined by lines."""
        return "\n".join(m.text for m in self.chat_ctx.messages if m.role in ("system", "developer"))

    @property
    def step(self) -> int:
        """Rounds of tool results since the caller's last message: 0 for the turn's first request."""
        rounds, open_round = 0, False
        for item in reversed(self.chat_ctx.items):
            if isinstance(item, ChatMessage) and item.role == "user":
                break
            if isinstance(item, FunctionCallOutput):
                open_round = True
            elif open_round and not isinstance(item, FunctionCall):
                rounds, open_round = rounds + 1, False
        return rounds + open_round

    @property
    def outputs(self) -> list[FunctionCallOutput]:
        """Tool results the model can read, oldest first."""
        return [item for item in self.chat_ctx.items if isinstance(item, FunctionCallOutput)]

    def _place(self) -> tuple[Any, ...]:
        """What makes two requests "the same question": where in the conversation they are asked."""
        users = sum(m.role == "user" for m in self.chat_ctx.messages)
        return users, len(self.outputs), self.instructions


class ScriptedLLM(LLM):
    """``answers``: see ``Script``. ``ttft``: seconds to the first token. ``word_seconds``: between words.
    ``prefill``: claim the capability and count the calls in ``prefills``. ``images``, ``audio``: claim to take them."""

    on_core = True
    provider = "scripted"
    model = "llm"

    def __init__(
        self,
        answers: Script = "All right.",
        *,
        ttft: float = 0.15,
        word_seconds: float = 0.02,
        prefill: bool = False,
        images: bool = False,
        audio: bool = False,
        faults: LLMFaults | None = None,
    ) -> None:
        self.capabilities = LLMCapabilities(prefill=prefill, images=images, audio=audio)
        self.answers = answers
        self.ttft, self.word_seconds = ttft, word_seconds
        self.faults = faults or LLMFaults()
        self.requests: list[LLMRequest] = []
        """Every request, oldest first, speculative ones too."""
        self.prefills: list[ChatContext] = []
        self._places: list[tuple[Any, ...]] = []
        self._call_ids = 0

    @property
    def open_streams(self) -> int:
        """Requests that have neither ended nor been cancelled."""
        return sum(not (r.finished or r.cancelled) for r in self.requests)

    def chat(
        self, *, chat_ctx: ChatContext, tools: Sequence[ToolSpec] = (), tool_choice: ToolChoice = "auto"
    ) -> LLMStream:
        request = LLMRequest(
            chat_ctx=chat_ctx.copy(),
            tools=list(tools),
            tool_choice=tool_choice,
            at=asyncio.get_running_loop().time(),
            number=len(self.requests),
        )
        self.requests.append(request)
        nth = request.number - self.faults.after
        faulty = nth >= 0 and (self.faults.tries is None or nth < self.faults.tries)
        return _ScriptedLLMStream(self, request, self.faults if faulty else LLMFaults())

    async def prefill(self, *, chat_ctx: ChatContext, tools: Sequence[ToolSpec] = ()) -> None:
        self.prefills.append(chat_ctx.copy())

    def parts(self, request: LLMRequest) -> tuple[Part, ...]:
        """The answer that the script has for ``request``."""
        return self._choose(self.answers, request)

    def new_call_id(self, request: LLMRequest) -> str:
        """One that the conversation does not have: another process may have made calls in it."""
        known = {item.call_id for item in request.chat_ctx.items if isinstance(item, FunctionCall)}
        self._call_ids += 1
        while f"call_{self._call_ids}" in known:
            self._call_ids += 1
        return f"call_{self._call_ids}"

    def _choose(self, script: Any, request: LLMRequest) -> tuple[Part, ...]:
        if isinstance(script, str | ToolUse):
            return (script,)
        if isinstance(script, tuple):
            return script
        if isinstance(script, Mapping):
            for key, value in script.items():
                if _fits(key, request.user_text):
                    if isinstance(value, list):
                        return self._choose(value[min(request.step, len(value) - 1)], request)
                    return self._choose(value, request)
            return ()
        if callable(script):
            return self._choose(script(request), request)
        if isinstance(script, Sequence):
            place = request._place()
            if place not in self._places:
                self._places.append(place)
            return self._choose(script[min(self._places.index(place), len(script) - 1)], request)
        if script is None:
            return ()
        raise TypeError(f"{script!r} is no scripted answer: give text, calls(...), a tuple, list, dict or function.")


def _fits(key: Any, text: str) -> bool:
    if key is ...:
        return True
    if isinstance(key, re.Pattern):
        return key.search(text) is not None
    return str(key).casefold() in text.casefold()


class _ScriptedLLMStream(LLMStream):
    def __init__(self, model: ScriptedLLM, request: LLMRequest, faults: LLMFaults) -> None:
        self._model, self._request, self._faults = model, request, faults

    async def __aiter__(self) -> AsyncIterator[ChatChunk]:
        request, faults = self._request, self._faults
        try:
            if faults.status is not None:
                await asyncio.sleep(self._model.ttft)
                raise ModelError(
                    f"The scripted model refused the request with status {faults.status}.",
                    status=faults.status,
                    retry_after=faults.retry_after,
                    retryable=faults.retryable,
                )
            await asyncio.sleep(self._model.ttft + faults.slow)
            if faults.never:
                await asyncio.get_running_loop().create_future()
            words = 0
            for part in () if faults.empty else self._model.parts(request):
                if isinstance(part, ToolUse):
                    if faults.insists or (request.tools and request.tool_choice != "none"):
                        yield ChatChunk(tool_calls=(self._tool_call(part),))
                    continue
                for piece in re.findall(r"\s*\S+\s*$|\s*\S+", part):
                    if faults.error_after is not None and words >= faults.error_after:
                        raise ModelError("The scripted model's stream broke.", retryable=faults.retryable)
                    if words:
                        await asyncio.sleep(faults.dribble or self._model.word_seconds)
                    words += 1
                    request.text += piece
                    yield ChatChunk(text=piece)
            if faults.error_after is not None:
                raise ModelError("The scripted model's stream broke.", retryable=faults.retryable)
            prompt = sum(len(m.text.split()) for m in request.chat_ctx.messages)
            yield ChatChunk(usage=Usage(prompt_tokens=prompt, completion_tokens=words))
        except asyncio.CancelledError:
            request.cancelled = True
            raise
        finally:
            request.finished = request.finished or not request.cancelled

    async def aclose(self) -> None:
        if not self._request.finished:
            self._request.cancelled = True

    def _tool_call(self, use: ToolUse) -> ToolCallDelta:
        arguments = use.raw if use.raw is not None else json.dumps(dict(use.arguments))
        if self._faults.broken_json:
            arguments = '{"' + arguments.lstrip("{").rstrip("}")
        name = f"{use.name}_that_nobody_has" if self._faults.unknown_tool else use.name
        return ToolCallDelta(call_id=self._model.new_call_id(self._request), name=name, arguments=arguments)
