"""Anthropic's Messages.

Owns: the request with its options. Never: sockets, keys, retries.
Source: the API reference of ``POST /v1/messages``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from antiphon.chat.context import ChatContext
from antiphon.models.codec import ServiceFault, WireRequest
from antiphon.models.llm import ToolChoice, ToolSpec
from antiphon.providers.anthropic_stream import MessagesDecoder, fault_of
from antiphon.providers.formats.anthropic import may_think, request_of
from antiphon.providers.formats.names import fit
from antiphon.providers.json_fields import UNREADABLE

VERSION = "2023-06-01"
MAX_TOKENS = 4096
"""The service wants a limit for each answer; a spoken one is far below this."""


class MessagesQuirks(msgspec.Struct, frozen=True):
    """How services that speak this format differ. ``cache``: prompts are marked for its cache."""

    cache: bool = True


class MessagesCodec:
    """``options`` go into every request as they are, but for ``parallel_tool_calls``."""

    Quirks = MessagesQuirks

    def __init__(self, quirks: MessagesQuirks | None = None, options: Mapping[str, Any] | None = None) -> None:
        self.quirks = quirks or MessagesQuirks()
        self.options = dict(options or {})

    def request(
        self, *, model: str, chat_ctx: ChatContext, tools: Sequence[ToolSpec], tool_choice: ToolChoice
    ) -> WireRequest:
        options = dict(self.options)
        parallel = options.pop("parallel_tool_calls", None)
        body: dict[str, Any] = {
            "model": model,
            "max_tokens": MAX_TOKENS,
            "stream": True,
            **request_of(chat_ctx, tools, tool_choice, cache=self.quirks.cache),
        }
        if parallel is not None and body.get("tool_choice", {}).get("type") in ("auto", "any"):
            body["tool_choice"]["disable_parallel_tool_use"] = not parallel
        body |= options
        if "thinking" in body and (tool_choice == "required" or not may_think(body["messages"])):
            body["thinking"] = {"type": "disabled"}
        return WireRequest(
            path="/messages",
            body=msgspec.json.encode(body),
            headers={"Content-Type": "application/json", "anthropic-version": VERSION},
        )

    def authorise(self, key: str) -> dict[str, str]:
        return {"x-api-key": key}

    def decoder(self, tools: Sequence[ToolSpec] = ()) -> MessagesDecoder:
        return MessagesDecoder(names={fit(tool.name): tool.name for tool in tools})

    def probe(self) -> WireRequest:
        return WireRequest(path="/models?limit=1", body=b"", method="GET", headers={"anthropic-version": VERSION})

    def fault(self, body: bytes) -> ServiceFault:
        try:
            data = msgspec.json.decode(body)
        except UNREADABLE:
            return ServiceFault()
        return fault_of(data.get("error")) if isinstance(data, dict) else ServiceFault()
