"""The stream of a chat completion, as OpenAI and the many services that follow it send it.

Owns: stream data -> chunks, also where a service strays from the reference. Never: sockets, requests.
Source: the API reference's ``chat.completion.chunk``; recorded traffic of OpenAI, OpenRouter, llama.cpp.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from antiphon.chat.context import new_id
from antiphon.errors import ModelError
from antiphon.models.llm import ChatChunk, FinishReason
from antiphon.providers.answer import (
    AnswerDecoder,
    PartialCall,
    fault_error,
    list_in,
    object_in,
    parse,
    text_in,
)
from antiphon.providers.openai_faults import fault_of
from antiphon.providers.openai_usage import usage_of
from antiphon.providers.reasoning import ReasoningFilter

FINISH: dict[str, FinishReason] = {
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "length": "length",
    "model_length": "length",
    "content_filter": "content_filter",
    "sensitive": "content_filter",
}
"""``finish_reason`` where it is not simply the end. ``model_length`` is Mistral's, ``sensitive`` Z.ai's."""
SEALED = ("reasoning_details", "reasoning_content")
"""Fields of a delta that some services want back with the answer's tool calls (OpenRouter; DeepSeek, Moonshot)."""


class ChatStreamDecoder(AnswerDecoder):
    """Reads the stream of one answer. Fragments of tool calls become whole calls when the answer is finished;
    whether their arguments are good JSON is the caller's to say.

    ``reasoning_tags``: the model may think in the text, within tags. ``keep_reasoning``: the field of a delta with what
    was thought, which goes back with the tool calls; empty: thoughts are dropped.
    """

    def __init__(
        self,
        *,
        reasoning_tags: bool = True,
        keep_reasoning: str = "",
        names: Mapping[str, str] | None = None,
        make_id: Callable[[str], str] = new_id,
    ) -> None:
        super().__init__(names, make_id)
        self._filter = ReasoningFilter() if reasoning_tags else None
        self._keep = keep_reasoning
        self._thoughts: list[Any] = []
        self._refused = False

    def feed(self, data: str) -> list[ChatChunk]:
        if self.done:
            return []
        if data.strip() == "[DONE]":
            self.done = True
            # Some services leave finish_reason out; their mark ends the answer all the same.
            return [] if self.finished else self._complete("stop")
        chunk = self._parse(data)
        choice = object_in(next(iter(list_in(chunk.get("choices"))), None))
        chunks = self._delta(object_in(choice.get("delta") or choice.get("message")))
        if isinstance(reason := choice.get("finish_reason"), str) and reason and not self.finished:
            if reason == "error":
                raise ModelError("The model failed amid its answer.")
            chunks += self._complete(FINISH.get(reason, "stop"))
        for usage in (choice.get("usage"), object_in(chunk.get("x_groq")).get("usage"), chunk.get("usage")):
            if isinstance(usage, dict) and usage:
                self.usage = usage_of(usage)
        return chunks

    def end(self) -> list[ChatChunk]:
        if self.finished and self._refused and self.reason == "stop":
            self.reason = "refusal"
        return super().end()

    def _parse(self, data: str) -> dict[str, Any]:
        chunk = parse(data)
        if not isinstance(chunk, dict):
            raise ModelError(f"The model's stream cannot be read: {data[:80]!r}.")
        if error := chunk.get("error"):
            raise fault_error(fault_of(error), begun=bool(self.progress))
        return chunk

    def _delta(self, delta: dict[str, Any]) -> list[ChatChunk]:
        chunks: list[ChatChunk] = []
        for text in _texts(delta.get("content")):
            self.progress += 1
            chunks += self.say(self._filter.feed(text) if self._filter else text)
        if refusal := text_in(delta.get("refusal")):
            self.progress += 1
            self._refused = True
            chunks += self.say(refusal)
        for field in ("reasoning", *SEALED):
            if thought := delta.get(field):
                self.progress += 1
                if field == self._keep:
                    self._thoughts.append(thought)
        for fragment in list_in(delta.get("tool_calls")):
            if isinstance(fragment, dict):
                self.progress += 1
                self._merge(fragment)
        return chunks

    def _merge(self, fragment: dict[str, Any]) -> None:
        index, id = fragment.get("index"), text_in(fragment.get("id"))
        function = object_in(fragment.get("function"))
        call = next((c for c in reversed(self.calls) if index is None or c.key == index), None)
        # Some services give no index, or the same one to each call: a new id begins a new call.
        if call is None or (id and call.id and id != call.id):
            call = PartialCall(index)
            self.calls.append(call)
        call.id = call.id or id
        call.name = call.name or text_in(function.get("name"))
        arguments = function.get("arguments")
        if isinstance(arguments, dict):
            arguments = msgspec.json.encode(arguments).decode()
        if content := object_in(fragment.get("extra_content")):
            call.extra["openai_chat"] = content
        call.add(text_in(arguments))

    def _complete(self, reason: FinishReason) -> list[ChatChunk]:
        chunks = self.say(self._filter.end()) if self._filter else []
        if self._thoughts and self.calls:
            self.calls[0].extra["openai_chat_reasoning"] = {self._keep: _joined(self._thoughts)}
        if self.calls and reason == "stop":
            reason = "tool_calls"
        return chunks + self.complete(reason)


def _texts(content: object) -> list[str]:
    """The parts of ``content`` that are text to be said: a string, or (Mistral's thinking models) a list of parts."""
    if isinstance(content, str):
        return [content] if content else []
    parts = [part for part in list_in(content) if isinstance(part, dict) and part.get("type") == "text"]
    return [text for part in parts if (text := text_in(part.get("text")))]


def _joined(thoughts: list[Any]) -> Any:
    """Text in one piece; lists of details one after the other, unchanged."""
    if all(isinstance(thought, str) for thought in thoughts):
        return "".join(thoughts)
    return [part for thought in thoughts for part in list_in(thought)]
