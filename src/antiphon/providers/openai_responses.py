"""OpenAI's Responses, over server-sent events or over its WebSocket: the body is the same.

Owns: the request with its options. Never: sockets, keys, retries, which response goes on from which.
Source: the API reference of ``POST /responses`` and of its WebSocket mode.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from antiphon.chat.context import ChatContext
from antiphon.models.codec import ServiceFault, WireRequest
from antiphon.models.llm import ToolChoice, ToolSpec
from antiphon.models.speech_codec import ConnectSpec
from antiphon.providers.formats.names import fit
from antiphon.providers.formats.openai_responses import new_input, request_of
from antiphon.providers.openai_faults import fault_of_body
from antiphon.providers.openai_responses_stream import ResponsesDecoder

Items = Sequence[Mapping[str, Any]]
SEALED = "reasoning.encrypted_content"
"""What a service that stores nothing has to hand out, so that its thoughts can come back with the calls."""


class ResponsesQuirks(msgspec.Struct, frozen=True):
    """How services that speak the format differ. ``sealed_reasoning``: it hands out its thoughts encrypted.
    ``strict_tools``: it can hold a model to a tool's schema."""

    sealed_reasoning: bool = True
    strict_tools: bool = True


class ResponsesCodec:
    """``options`` go into every request as they are. Nothing is stored at the service unless they say so."""

    Quirks = ResponsesQuirks

    def __init__(self, quirks: ResponsesQuirks | None = None, options: Mapping[str, Any] | None = None) -> None:
        self.quirks = quirks or ResponsesQuirks()
        self.options = dict(options or {})

    def body(
        self, *, model: str, chat_ctx: ChatContext, tools: Sequence[ToolSpec], tool_choice: ToolChoice
    ) -> dict[str, Any]:
        """The body of a request, with the whole conversation as its input."""
        options = dict(self.options)
        parallel = options.pop("parallel_tool_calls", None)
        strict = bool(options.pop("strict_tools", False)) and self.quirks.strict_tools
        body: dict[str, Any] = {"model": model, "store": False, **request_of(chat_ctx, tools, strict=strict)}
        if tools:
            body["tool_choice"] = tool_choice
            if parallel is not None:
                body["parallel_tool_calls"] = parallel
        body |= options
        if self.quirks.sealed_reasoning and not body["store"]:
            body.setdefault("include", [SEALED])
        return body

    def request(
        self, *, model: str, chat_ctx: ChatContext, tools: Sequence[ToolSpec], tool_choice: ToolChoice
    ) -> WireRequest:
        body = self.body(model=model, chat_ctx=chat_ctx, tools=tools, tool_choice=tool_choice)
        return WireRequest(
            path="/responses",
            body=msgspec.json.encode({**body, "stream": True}),
            headers={"Content-Type": "application/json"},
        )

    def authorise(self, key: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {key}"}

    def socket(self, headers: Mapping[str, str]) -> ConnectSpec:
        return ConnectSpec(path="/responses", headers=dict(headers))

    def frame(self, body: Mapping[str, Any], new: Items | None, previous: str) -> str:
        message = {"type": "response.create", **body}
        if new is not None:
            message |= {"input": new, "previous_response_id": previous}
        return msgspec.json.encode(message).decode()

    def new_items(self, full: Items, known: Items) -> list[dict[str, Any]] | None:
        return new_input(full, known)

    def decoder(self, tools: Sequence[ToolSpec] = ()) -> ResponsesDecoder:
        return ResponsesDecoder(names={fit(tool.name): tool.name for tool in tools})

    def probe(self) -> WireRequest:
        return WireRequest(path="/models", body=b"", method="GET")

    def fault(self, body: bytes) -> ServiceFault:
        return fault_of_body(body)
