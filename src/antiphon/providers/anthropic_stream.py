"""The stream of Anthropic's Messages: blocks that open, grow and close.

Owns: stream data -> chunks. Never: sockets, requests.
Source: Anthropic's "Streaming messages" and "Errors"; types of its SDK (anthropic 2.13); recorded traffic.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from antiphon.chat.context import new_id
from antiphon.errors import ModelError
from antiphon.models.codec import ServiceFault
from antiphon.models.llm import ChatChunk, FinishReason, Usage
from antiphon.providers.answer import AnswerDecoder, PartialCall, count_in, fault_error, object_in, parse, text_in

FINISH: dict[str, FinishReason] = {
    "tool_use": "tool_calls",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "refusal": "refusal",
}
FINAL = frozenset({"invalid_request_error", "authentication_error", "permission_error", "not_found_error"})
THINKING = frozenset({"thinking", "redacted_thinking"})


class MessagesDecoder(AnswerDecoder):
    """Reads the stream of one answer. Thoughts are not spoken; where the answer calls tools, their blocks go with the first
    call's ``extra["anthropic"]``, because the service wants them back before the calls, signed as they were."""

    def __init__(self, names: Mapping[str, str] | None = None, make_id: Callable[[str], str] = new_id) -> None:
        super().__init__(names, make_id)
        self._open: dict[Any, PartialCall | dict[str, Any]] = {}
        self._thinking: list[dict[str, Any]] = []
        self._counts: dict[str, Any] = {}

    def feed(self, data: str) -> list[ChatChunk]:
        if self.done:
            return []
        event = parse(data)
        if not isinstance(event, dict):
            raise ModelError(f"The model's stream cannot be read: {data[:80]!r}.")
        index = event.get("index")
        match event.get("type"):
            case "message_start":
                self._count(object_in(object_in(event.get("message")).get("usage")))
            case "content_block_start":
                return self._start(index, object_in(event.get("content_block")))
            case "content_block_delta":
                return self._delta(self._open.get(index), object_in(event.get("delta")))
            case "content_block_stop":
                self._stop(self._open.pop(index, None))
            case "message_delta":
                self._count(object_in(event.get("usage")))
                return self._message_delta(object_in(event.get("delta")))
            case "message_stop":
                self.done = True
            case "error" | None if "error" in event:
                raise fault_error(fault_of(event.get("error")))
        return []

    def _start(self, index: object, block: dict[str, Any]) -> list[ChatChunk]:
        kind = block.get("type")
        self.progress += 1
        if kind == "tool_use":
            self._open[index] = PartialCall(index, text_in(block.get("id")), text_in(block.get("name")))
            if given := object_in(block.get("input")):
                self._open[index].add(msgspec.json.encode(given).decode())  # type: ignore[union-attr]
        elif kind in THINKING:
            self._open[index] = dict(block)
        return self.say(text_in(block.get("text"))) if kind == "text" else []

    def _delta(self, block: PartialCall | dict[str, Any] | None, delta: dict[str, Any]) -> list[ChatChunk]:
        self.progress += 1
        if delta.get("type") == "text_delta":
            return self.say(text_in(delta.get("text")))
        if isinstance(block, PartialCall):
            block.add(text_in(delta.get("partial_json")))
        elif block is not None:
            for field in ("thinking", "signature"):
                if piece := text_in(delta.get(field)):
                    block[field] = text_in(block.get(field)) + piece
        return []

    def _stop(self, block: PartialCall | dict[str, Any] | None) -> None:
        if isinstance(block, PartialCall):
            self.calls.append(block)
        elif block is not None:
            self._thinking.append(block)

    def _message_delta(self, delta: dict[str, Any]) -> list[ChatChunk]:
        reason = text_in(delta.get("stop_reason"))
        if not reason or self.finished:
            return []
        details = object_in(delta.get("stop_details"))
        self.refused_for = text_in(details.get("category")) or text_in(details.get("explanation"))
        if self.calls and self._thinking:
            self.calls[0].extra["anthropic"] = {"thinking": self._thinking}
        return self.complete(FINISH.get(reason, "stop"))

    def _count(self, usage: dict[str, Any]) -> None:
        """Every report is of the whole answer so far, and may leave out what has not changed."""
        self._counts.update({name: value for name, value in usage.items() if value is not None})
        if not self._counts:
            return
        read = count_in(self._counts.get("cache_read_input_tokens"))
        written = count_in(self._counts.get("cache_creation_input_tokens"))
        completion = count_in(self._counts.get("output_tokens"))
        thought = count_in(object_in(self._counts.get("output_tokens_details")).get("thinking_tokens"))
        self.usage = Usage(
            prompt_tokens=count_in(self._counts.get("input_tokens")) + read + written,
            completion_tokens=completion,
            cached_tokens=read,
            cache_write_tokens=written,
            reasoning_tokens=min(thought, completion),
        )


def fault_of(error: object) -> ServiceFault:
    """What an error object says."""
    given = object_in(error)
    message, kind = text_in(given.get("message")), text_in(given.get("type"))
    if kind == "billing_error" or "credit balance" in message:
        return ServiceFault(message=message, code=kind, final=True, kind="no_credit")
    if kind in ("invalid_request_error", "request_too_large") and (
        "prompt is too long" in message or "context" in message
    ):
        return ServiceFault(message=message, code=kind, final=True, kind="context_length")
    return ServiceFault(message=message, code=kind, final=kind in FINAL)
