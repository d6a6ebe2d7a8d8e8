"""OpenAI's chat completions, which Ollama, llama.cpp, vLLM and many services speak as well.

Owns: the request as each service wants it. Never: sockets, keys, retries.
Source: the API reference of ``POST /chat/completions``; each service's own page where it differs (``providers.presets``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any, Literal

import msgspec

from antiphon.chat.context import ChatContext
from antiphon.errors import ConfigurationError
from antiphon.models.codec import ServiceFault, WireRequest
from antiphon.models.llm import ToolChoice, ToolSpec
from antiphon.providers.formats.names import fit
from antiphon.providers.formats.openai_chat import messages_of, tools_of
from antiphon.providers.openai_chat_stream import ChatStreamDecoder
from antiphon.providers.openai_faults import fault_of_body

LIMITS = ("max_completion_tokens", "max_tokens")
"""The two names of one option: a request holds the one that its service knows."""


class ChatQuirks(msgspec.Struct, frozen=True):
    """How a service differs from what most of them do.

    ``developer_role``: it knows the role; others get ``system``. ``stream_usage``: usage comes at the stream's end
    when it is asked for, or ``always``, or not at all (``none``). ``max_tokens_field``: what it calls the limit of an answer.
    ``parallel_tool_calls``: it knows the option. ``strict_tools``: it can hold a model to a tool's schema. ``reasoning_tags``:
    its models may write ``<think>...</think>`` into the text, which is not for the caller. ``keep_reasoning``: the field of
    thoughts that it wants back with the tool calls. ``required_as``: what it calls ``tool_choice="required"``. ``short_ids``: the ids of tool calls have nine letters and digits.
    ``omit``: options that it has not. ``key_header``: the header of its key, where that is not a bearer token.
    ``query``: what its addresses end in."""

    developer_role: bool = False
    stream_usage: Literal["ask", "always", "none"] = "ask"
    max_tokens_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    parallel_tool_calls: bool = True
    strict_tools: bool = False
    reasoning_tags: bool = True
    keep_reasoning: str = ""
    required_as: str = "required"
    short_ids: bool = False
    omit: frozenset[str] = frozenset()
    key_header: str = ""
    query: str = ""


class OpenAIChatCodec:
    """``options`` go into every request as they are (``temperature``, ``max_tokens``, ...), but for the limit of tokens, which
    goes under the name that the service knows."""

    Quirks = ChatQuirks

    def __init__(self, quirks: ChatQuirks | None = None, options: Mapping[str, Any] | None = None) -> None:
        self.quirks = quirks or ChatQuirks()
        self.options = dict(options or {})
        if refused := sorted(self.quirks.omit & set(self.options)):
            raise ConfigurationError(
                f"The service does not take {', '.join(refused)}.", hint="Leave it out, or choose another provider."
            )
        if self.options.get("strict_tools") and not self.quirks.strict_tools:
            raise ConfigurationError("The service does not take strict_tools.", hint="Leave it out.")
        for name in LIMITS:
            if name in self.options:
                self.options[self.quirks.max_tokens_field] = self.options.pop(name)

    def request(
        self, *, model: str, chat_ctx: ChatContext, tools: Sequence[ToolSpec], tool_choice: ToolChoice
    ) -> WireRequest:
        quirks = self.quirks
        body: dict[str, Any] = {
            "model": model,
            "messages": self._messages(chat_ctx),
            "stream": True,
        }
        if quirks.stream_usage == "ask":
            body["stream_options"] = {"include_usage": True}
        options = dict(self.options)
        parallel = options.pop("parallel_tool_calls", None)
        strict = bool(options.pop("strict_tools", False))
        if tools:
            body["tools"] = tools_of(tools, strict=strict)
            body["tool_choice"] = quirks.required_as if tool_choice == "required" else tool_choice
            if quirks.parallel_tool_calls and parallel is not None:
                body["parallel_tool_calls"] = parallel
        body |= options
        return WireRequest(
            path=f"/chat/completions{quirks.query}",
            body=msgspec.json.encode(body),
            headers={"Content-Type": "application/json"},
        )

    def _messages(self, chat_ctx: ChatContext) -> list[dict[str, Any]]:
        quirks = self.quirks
        messages = messages_of(chat_ctx, developer_role=quirks.developer_role, reasoning=quirks.keep_reasoning)
        if quirks.short_ids:
            for message in messages:
                for call in message.get("tool_calls", ()):
                    call["id"] = _short(call["id"])
                if "tool_call_id" in message:
                    message["tool_call_id"] = _short(message["tool_call_id"])
        return messages

    def authorise(self, key: str) -> dict[str, str]:
        return {self.quirks.key_header: key} if self.quirks.key_header else {"Authorization": f"Bearer {key}"}

    def decoder(self, tools: Sequence[ToolSpec] = ()) -> ChatStreamDecoder:
        return ChatStreamDecoder(
            reasoning_tags=self.quirks.reasoning_tags,
            keep_reasoning=self.quirks.keep_reasoning,
            names={fit(tool.name): tool.name for tool in tools},
        )

    def probe(self) -> WireRequest:
        return WireRequest(path=f"/models{self.quirks.query}", body=b"", method="GET")

    def fault(self, body: bytes) -> ServiceFault:
        return fault_of_body(body)


def _short(id: str) -> str:
    """Nine letters and digits that stand for an id, always the same."""
    return id if len(id) == 9 and id.isalnum() else sha256(id.encode()).hexdigest()[:9]
