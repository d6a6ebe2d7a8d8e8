"""Gemini's ``streamGenerateContent``.

Owns: the request with its options. Never: sockets, keys, retries.
Source: the API reference of ``models.streamGenerateContent``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

import msgspec

from antiphon.chat.context import ChatContext
from antiphon.models.codec import ServiceFault, WireRequest
from antiphon.models.llm import ToolChoice, ToolSpec
from antiphon.providers.formats.gemini import request_of
from antiphon.providers.formats.names import fit
from antiphon.providers.gemini_stream import GenerateContentDecoder, fault_of
from antiphon.providers.json_fields import UNREADABLE

UNSIGNED = "skip_thought_signature_validator"
"""Stands for the signature of a call that no model of Gemini's made (guide on thought signatures)."""
BESIDE = frozenset({"safetySettings", "cachedContent", "labels", "serviceTier", "store"})
"""Options that stand beside ``generationConfig``; all others stand in it."""


class GeminiQuirks(msgspec.Struct, frozen=True):
    """How addresses of the format differ. ``key_header``: the header of the key."""

    key_header: str = "x-goog-api-key"


class GenerateContentCodec:
    """``options`` go into every request as they are, most of them in ``generationConfig``."""

    Quirks = GeminiQuirks

    def __init__(self, quirks: GeminiQuirks | None = None, options: Mapping[str, Any] | None = None) -> None:
        self.quirks = quirks or GeminiQuirks()
        self.options = dict(options or {})

    def request(
        self, *, model: str, chat_ctx: ChatContext, tools: Sequence[ToolSpec], tool_choice: ToolChoice
    ) -> WireRequest:
        # Only the third generation signs its calls, and insists.
        unsigned = "" if model.startswith(("gemini-1", "gemini-2")) else UNSIGNED
        body = request_of(chat_ctx, tools, tool_choice, unsigned=unsigned)
        if config := {name: value for name, value in self.options.items() if name not in BESIDE}:
            body["generationConfig"] = config
        body |= {name: value for name, value in self.options.items() if name in BESIDE}
        return WireRequest(
            path=f"/models/{quote(model)}:streamGenerateContent?alt=sse",
            body=msgspec.json.encode(body),
            headers={"Content-Type": "application/json"},
        )

    def authorise(self, key: str) -> dict[str, str]:
        return {self.quirks.key_header: key}

    def decoder(self, tools: Sequence[ToolSpec] = ()) -> GenerateContentDecoder:
        return GenerateContentDecoder(names={fit(tool.name): tool.name for tool in tools})

    def probe(self) -> WireRequest:
        return WireRequest(path="/models?pageSize=1", body=b"", method="GET")

    def fault(self, body: bytes) -> ServiceFault:
        try:
            data = msgspec.json.decode(body)
        except UNREADABLE:
            return ServiceFault()
        if isinstance(data, list) and data:
            data = data[0]
        return fault_of(data.get("error")) if isinstance(data, dict) else ServiceFault()
