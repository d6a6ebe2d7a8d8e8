"""The events of a response of OpenAI's Responses, the same over server-sent events and over its WebSocket.

Owns: events -> chunks. Never: sockets, requests.
Source: the API reference's ``ResponseStreamEvent``; types of its SDK (openai 3.57); recorded traffic.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from antiphon.chat.context import new_id
from antiphon.errors import ModelError
from antiphon.models.llm import ChatChunk, FinishReason
from antiphon.providers.answer import AnswerDecoder, PartialCall, fault_error, list_in, object_in, parse, text_in
from antiphon.providers.openai_faults import fault_of
from antiphon.providers.openai_usage import usage_of

INCOMPLETE: dict[str, FinishReason] = {"content_filter": "content_filter", "max_output_tokens": "length"}
"""Why a response is incomplete, where it is not that the user steered it elsewhere."""
ENDS = frozenset({"response.completed", "response.incomplete", "response.done"})
BOOKKEEPING = frozenset({"response.created", "response.queued", "response.in_progress", "keepalive"})


class ResponsesDecoder(AnswerDecoder):
    """Reads the events of one response. Thoughts are not spoken; where the response calls tools, its sealed reasoning items
    go with the first call's ``extra["openai"]``, and back before the call. ``id``: the response's own, once known.
    ``heard``: the service has begun. ``output``: its items, once they are whole."""

    def __init__(self, names: Mapping[str, str] | None = None, make_id: Callable[[str], str] = new_id) -> None:
        super().__init__(names, make_id)
        self.id = ""
        self.heard = False
        self.output: list[dict[str, Any]] = []
        self._items: dict[Any, PartialCall] = {}
        self._reasoning: list[dict[str, Any]] = []
        self._spoken: set[object] = set()
        self._refused = False

    def feed(self, data: str) -> list[ChatChunk]:
        if self.done:
            return []
        if data.strip() == "[DONE]":  # some services that follow the format keep the mark of chat completions
            return []
        event = parse(data)
        if not isinstance(event, dict):
            raise ModelError(f"The model's stream cannot be read: {data[:80]!r}.")
        kind = text_in(event.get("type"))
        if kind.startswith("response.") and kind not in BOOKKEEPING:
            self.progress += 1
        place = event.get("output_index")
        match kind:
            case "response.output_text.delta" | "response.refusal.delta":
                self._spoken.add(place)
                self._refused = self._refused or kind == "response.refusal.delta"
                return self.say(text_in(event.get("delta")))
            case "response.output_item.added":
                self._added(place, object_in(event.get("item")))
            case "response.function_call_arguments.delta":
                if call := self._items.get(place):
                    call.add(text_in(event.get("delta")))
            case "response.output_item.done":
                self._item(place, object_in(event.get("item")))
            case "response.created" | "response.in_progress":
                self.heard = True
                self.id = self.id or text_in(object_in(event.get("response")).get("id"))
            case "response.failed" | "error":
                self._failed(event)
            case _ if kind in ENDS or ("error" in event and not kind):
                return self._end(event)
        return []

    @property
    def answer(self) -> list[dict[str, Any]]:
        """The output as a later input of the conversation has it."""
        items: list[dict[str, Any]] = []
        for item in self.output:
            match item.get("type"):
                case "message":
                    parts = [object_in(part) for part in list_in(item.get("content"))]
                    texts = [text_in(part.get("text")) or text_in(part.get("refusal")) for part in parts]
                    items.append({"role": "assistant", "content": "".join(texts)})
                case "function_call":
                    items.append({name: item.get(name) for name in ("type", "call_id", "name", "arguments")})
                case "reasoning" if self._sealed_with_calls:
                    items.append(item)
        return items

    @property
    def _sealed_with_calls(self) -> bool:
        return any(item.get("type") == "function_call" for item in self.output)

    def _added(self, place: object, item: dict[str, Any]) -> None:
        if item.get("type") == "function_call":
            call = PartialCall(place, text_in(item.get("call_id")), text_in(item.get("name")))
            call.add(text_in(item.get("arguments")))
            self._items[place] = call

    def _item(self, place: object, item: dict[str, Any]) -> None:
        """An item is whole: what it says of itself stands."""
        self.output.append(item)
        if item.get("type") == "reasoning":
            self._reasoning.append(item)
        if item.get("type") != "function_call":
            return
        call = self._items.pop(place, None) or PartialCall(place)
        call.id = text_in(item.get("call_id")) or call.id
        call.name = text_in(item.get("name")) or call.name
        if arguments := text_in(item.get("arguments")):
            call.arguments = ""
            call.add(arguments)
        if item.get("status") != "incomplete":
            self.calls.append(call)

    def _end(self, event: dict[str, Any]) -> list[ChatChunk]:
        response = object_in(event.get("response"))
        if response.get("status") == "failed" or not response:
            self._failed(event)
        self.done = True
        self.id = text_in(response.get("id")) or self.id
        if usage := object_in(response.get("usage")):
            self.usage = usage_of(usage)
        chunks = self._missed(list_in(response.get("output")))
        if self.calls and self._reasoning:
            self.calls[0].extra["openai"] = {"reasoning": self._reasoning}
        why = text_in(object_in(response.get("incomplete_details")).get("reason"))
        reason: FinishReason = INCOMPLETE.get(why, "tool_calls" if self.calls else "stop")
        if self._refused and reason == "stop":
            reason = "refusal"
        return chunks + self.complete(reason)

    def _missed(self, output: list[Any]) -> list[ChatChunk]:
        """What the response holds and no event has told: of a service that sends the end alone."""
        chunks: list[ChatChunk] = []
        if self._spoken or self.output:
            return chunks
        for place, item in enumerate(output):
            item = object_in(item)
            self._item(place, item)
            for part in list_in(item.get("content")) if item.get("type") == "message" else []:
                part = object_in(part)
                self._refused = self._refused or bool(part.get("refusal"))
                chunks += self.say(text_in(part.get("text")) or text_in(part.get("refusal")))
        return chunks

    def _failed(self, event: dict[str, Any]) -> None:
        error = object_in(event.get("response")).get("error") or event.get("error") or event
        raise fault_error(fault_of(error, event.get("status")), begun=bool(self._spoken or self.output))
