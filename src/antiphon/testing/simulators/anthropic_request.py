"""What a request to Anthropic's Messages may hold.

Owns: the fields. Never: which of them go together.
Source: the API reference of ``POST /v1/messages``.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta

from antiphon.testing.simulators.strict import StrictStruct


class CacheControl(StrictStruct, frozen=True):
    type: Literal["ephemeral"]
    ttl: Literal["5m", "1h"] = "5m"


class Text(StrictStruct, frozen=True, tag_field="type", tag="text"):
    text: Annotated[str, Meta(min_length=1)]
    cache_control: CacheControl | None = None


class Source(StrictStruct, frozen=True):
    type: Literal["base64", "url"]
    media_type: str | None = None
    data: str | None = None
    url: str | None = None


class Image(StrictStruct, frozen=True, tag_field="type", tag="image"):
    source: Source
    cache_control: CacheControl | None = None


class ToolUse(StrictStruct, frozen=True, tag_field="type", tag="tool_use"):
    id: Annotated[str, Meta(pattern="^[a-zA-Z0-9_-]+$")]
    name: str
    input: dict[str, Any]
    cache_control: CacheControl | None = None


class ToolResult(StrictStruct, frozen=True, tag_field="type", tag="tool_result"):
    tool_use_id: str
    content: str | list[Text | Image] = ""
    is_error: bool = False
    cache_control: CacheControl | None = None


class Thinking(StrictStruct, frozen=True, tag_field="type", tag="thinking"):
    thinking: str
    signature: Annotated[str, Meta(min_length=1)]


class RedactedThinking(StrictStruct, frozen=True, tag_field="type", tag="redacted_thinking"):
    data: str


Block = Text | Image | ToolUse | ToolResult | Thinking | RedactedThinking


class Message(StrictStruct, frozen=True):
    role: Literal["user", "assistant", "system"]
    content: str | Annotated[list[Block], Meta(min_length=1)]


class Tool(StrictStruct, frozen=True):
    name: Annotated[str, Meta(pattern="^[a-zA-Z0-9_-]{1,128}$")]
    input_schema: dict[str, Any]
    description: str = ""
    cache_control: CacheControl | None = None
    strict: bool = False
    type: Literal["custom"] | None = None


class ToolChoice(StrictStruct, frozen=True):
    type: Literal["auto", "any", "none", "tool"]
    name: str | None = None
    disable_parallel_tool_use: bool | None = None


class ThinkingConfig(StrictStruct, frozen=True):
    type: Literal["enabled", "disabled", "adaptive", "between_tools"]
    budget_tokens: Annotated[int, Meta(ge=1024)] | None = None
    display: Literal["summarized", "omitted"] | None = None


class OutputConfig(StrictStruct, frozen=True):
    effort: Literal["low", "medium", "high", "xhigh", "max"] | None = None
    format: dict[str, Any] | None = None


class MessagesRequest(StrictStruct, frozen=True, kw_only=True):
    """The whole body."""

    model: str
    max_tokens: Annotated[int, Meta(ge=1)]
    messages: Annotated[list[Message], Meta(min_length=1)]
    stream: Literal[True]
    system: str | list[Text] | None = None
    tools: list[Tool] | None = None
    tool_choice: ToolChoice | None = None
    thinking: ThinkingConfig | None = None
    output_config: OutputConfig | None = None
    temperature: Annotated[float, Meta(ge=0, le=1)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    top_k: Annotated[int, Meta(ge=0)] | None = None
    stop_sequences: list[str] | None = None
    service_tier: Literal["auto", "standard_only"] | None = None
    speed: Literal["standard", "fast"] | None = None
    metadata: dict[str, Any] | None = None
    inference_geo: str | None = None
