"""OpenAI's chat completions format, which Ollama, llama.cpp, vLLM and many services speak as well.

Owns: conversation -> request body, stream data -> chunks. Never: sockets, keys, retries.
Source: the API reference of ``POST /chat/completions`` and its chunk object.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from antiphon.chat.context import ChatContext, new_id
from antiphon.errors import ModelError
from antiphon.models.codec import ServiceFault, WireRequest
from antiphon.models.llm import ChatChunk, ToolCallDelta, ToolChoice, ToolSpec, Usage
from antiphon.providers.formats.openai_chat import messages_of, tools_of
from antiphon.providers.reasoning import ReasoningFilter

MAX_ARGUMENTS = 1024 * 1024
"""Characters of one tool call's arguments."""
NO_CREDIT = frozenset({"insufficient_quota", "billing_hard_limit_reached"})


class ChatQuirks(msgspec.Struct, frozen=True):
    """How a service differs. ``developer_role``: it knows the role; others get ``system``. ``stream_usage``: ask for
    usage at the stream's end. ``parallel_tool_calls``: it knows the option. ``reasoning_tags``: its models may write
    ``<think>...</think>`` into the text, which is not for the caller."""

    developer_role: bool = False
    stream_usage: bool = True
    parallel_tool_calls: bool = False
    reasoning_tags: bool = True


class OpenAIChatCodec:
    """``options`` go into every request as they are (``temperature``, ``max_tokens``, ...)."""

    def __init__(self, quirks: ChatQuirks | None = None, options: dict[str, Any] | None = None) -> None:
        self.quirks = quirks or ChatQuirks()
        self.options = dict(options or {})

    def request(
        self, *, model: str, chat_ctx: ChatContext, tools: Sequence[ToolSpec], tool_choice: ToolChoice
    ) -> WireRequest:
        body: dict[str, Any] = {
            "model": model,
            "messages": messages_of(chat_ctx, developer_role=self.quirks.developer_role),
            "stream": True,
            **self.options,
        }
        if self.quirks.stream_usage:
            body["stream_options"] = {"include_usage": True}
        if tools:
            body["tools"] = tools_of(tools)
            body["tool_choice"] = tool_choice
            if self.quirks.parallel_tool_calls:
                body["parallel_tool_calls"] = True
        return WireRequest(
            path="/chat/completions",
            body=msgspec.json.encode(body),
            headers={"Content-Type": "application/json"},
        )

    def authorise(self, key: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {key}"}

    def decoder(self) -> ChatStreamDecoder:
        return ChatStreamDecoder(reasoning_tags=self.quirks.reasoning_tags)

    def fault(self, body: bytes) -> ServiceFault:
        try:
            data = msgspec.json.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return ServiceFault()
        return _fault_of(data.get("error", data)) if isinstance(data, dict) else ServiceFault()


class ChatStreamDecoder:
    """Reads the stream of one answer. Fragments of tool calls become whole calls when the answer is finished;
    whether their arguments are good JSON is the caller's to say."""

    def __init__(self, *, reasoning_tags: bool = True, make_id: Callable[[str], str] = new_id) -> None:
        self._filter = ReasoningFilter() if reasoning_tags else None
        self._make_id = make_id
        self._calls: list[_Call] = []
        self.finished = False
        self.done = False

    def feed(self, data: str) -> list[ChatChunk]:
        if self.done:
            return []
        if data.strip() == "[DONE]":
            self.done = self.finished = True
            return self._rest()
        chunk = self._parse(data)
        chunks: list[ChatChunk] = []
        choices = chunk.get("choices")
        choice = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else {}
        delta = choice.get("delta") or choice.get("message") or {}
        if isinstance(delta, dict):
            for text in (delta.get("content"), delta.get("refusal")):
                if isinstance(text, str) and (shown := self._filter.feed(text) if self._filter else text):
                    chunks.append(ChatChunk(text=shown))
            for fragment in delta.get("tool_calls") or ():
                if isinstance(fragment, dict):
                    self._merge(fragment)
        if choice.get("finish_reason"):
            self.finished = True
            chunks += self._rest()
        if isinstance(usage := chunk.get("usage"), dict):
            chunks.append(ChatChunk(usage=_usage_of(usage)))
        return chunks

    def end(self) -> list[ChatChunk]:
        if not self.finished:
            raise ModelError("The connection ended in the middle of the model's answer.")
        return self._rest()

    def _parse(self, data: str) -> dict[str, Any]:
        try:
            chunk = msgspec.json.decode(data)
        except (msgspec.DecodeError, UnicodeEncodeError):
            raise ModelError(f"The model's stream cannot be read: {data[:80]!r}.") from None
        if not isinstance(chunk, dict):
            raise ModelError(f"The model's stream cannot be read: {data[:80]!r}.")
        if error := chunk.get("error"):
            fault = _fault_of(error)
            raise ModelError(f"The model failed amid its answer: {fault.message}", retryable=not fault.final)
        return chunk

    def _merge(self, fragment: dict[str, Any]) -> None:
        index, id = fragment.get("index"), _string(fragment.get("id"))
        function = fragment.get("function")
        function = function if isinstance(function, dict) else {}
        call = next((c for c in reversed(self._calls) if index is None or c.index == index), None)
        # Some services give no index, or the same one to each call: a new id begins a new call.
        if call is None or (id and call.id and id != call.id):
            call = _Call(index)
            self._calls.append(call)
        call.id = call.id or id
        call.name = call.name or _string(function.get("name"))
        arguments = function.get("arguments")
        if isinstance(arguments, dict):
            arguments = msgspec.json.encode(arguments).decode()
        call.arguments += _string(arguments)
        if len(call.arguments) > MAX_ARGUMENTS:
            raise ModelError(f"The arguments of the tool call {call.name!r} do not end.", retryable=False)

    def _rest(self) -> list[ChatChunk]:
        chunks: list[ChatChunk] = []
        if self._filter and (text := self._filter.end()):
            chunks.append(ChatChunk(text=text))
        calls = tuple(
            ToolCallDelta(call_id=call.id or self._make_id("call"), name=call.name, arguments=call.arguments or "{}")
            for call in self._calls
        )
        self._calls.clear()
        return [*chunks, ChatChunk(tool_calls=calls)] if calls else chunks


class _Call:
    def __init__(self, index: object) -> None:
        self.index = index
        self.id = ""
        self.name = ""
        self.arguments = ""


def _string(value: object) -> str:
    return value if isinstance(value, str) else ""


def _count(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


def _usage_of(usage: dict[str, Any]) -> Usage:
    details = usage.get("prompt_tokens_details")
    return Usage(
        prompt_tokens=_count(usage.get("prompt_tokens")),
        completion_tokens=_count(usage.get("completion_tokens")),
        cached_tokens=_count(details.get("cached_tokens")) if isinstance(details, dict) else 0,
    )


def _fault_of(error: object) -> ServiceFault:
    if not isinstance(error, dict):
        return ServiceFault(message=_string(error))
    code = _string(error.get("code")) or _string(error.get("type"))
    final = bool(NO_CREDIT & {code, _string(error.get("type"))})
    return ServiceFault(message=_string(error.get("message")) or _string(error.get("detail")), code=code, final=final)
