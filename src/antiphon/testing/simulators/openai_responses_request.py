"""What a request to OpenAI's Responses may hold, over HTTP and over its WebSocket.

Owns: the fields. Never: which of them go together.
Source: the API reference of ``POST /responses`` and of its WebSocket mode.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta

from antiphon.testing.simulators.strict import StrictStruct


class Breakpoint(StrictStruct, frozen=True):
    mode: Literal["explicit"]


class InputText(StrictStruct, frozen=True, tag_field="type", tag="input_text"):
    text: str
    prompt_cache_breakpoint: Breakpoint | None = None


class OutputText(StrictStruct, frozen=True, tag_field="type", tag="output_text"):
    text: str
    annotations: list[Any] = []


class InputImage(StrictStruct, frozen=True, tag_field="type", tag="input_image"):
    image_url: str | None = None
    file_id: str | None = None
    detail: Literal["auto", "low", "high", "original"] = "auto"
    prompt_cache_breakpoint: Breakpoint | None = None


class InputFile(StrictStruct, frozen=True, tag_field="type", tag="input_file"):
    filename: str | None = None
    file_data: str | None = None
    prompt_cache_breakpoint: Breakpoint | None = None


Part = InputText | OutputText | InputImage | InputFile


class MessageItem(StrictStruct, frozen=True, tag_field="type", tag="message"):
    role: Literal["user", "assistant", "system", "developer"]
    content: str | list[Part]
    id: str | None = None
    status: str | None = None
    phase: Literal["commentary", "final_answer"] | None = None


class CallItem(StrictStruct, frozen=True, tag_field="type", tag="function_call"):
    call_id: Annotated[str, Meta(max_length=64)]
    name: Annotated[str, Meta(pattern="^[a-zA-Z0-9_-]{1,128}$")]
    arguments: str
    id: str | None = None
    status: str | None = None


class OutputItem(StrictStruct, frozen=True, tag_field="type", tag="function_call_output"):
    call_id: str
    output: str | list[Part]
    id: str | None = None
    status: str | None = None


class ReasoningItem(StrictStruct, frozen=True, tag_field="type", tag="reasoning"):
    id: str
    summary: list[Any]
    encrypted_content: str | None = None
    content: list[Any] | None = None
    status: str | None = None


Item = MessageItem | CallItem | OutputItem | ReasoningItem


class Tool(StrictStruct, frozen=True):
    type: Literal["function"]
    name: Annotated[str, Meta(pattern="^[a-zA-Z0-9_-]{1,64}$")]
    parameters: dict[str, Any] | None = None
    strict: bool | None = None
    description: str | None = None


class NamedChoice(StrictStruct, frozen=True):
    type: Literal["function"]
    name: str


class Reasoning(StrictStruct, frozen=True):
    effort: Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"] | None = None
    summary: Literal["auto", "concise", "detailed"] | None = None


class ResponsesRequest(StrictStruct, frozen=True, kw_only=True):
    """The whole body; over the WebSocket without its ``type``."""

    model: str
    input: str | list[Item] = []
    instructions: str | None = None
    tools: list[Tool] | None = None
    tool_choice: Literal["auto", "none", "required"] | NamedChoice | None = None
    parallel_tool_calls: bool | None = None
    previous_response_id: str | None = None
    store: bool | None = None
    stream: bool | None = None
    include: list[Literal["reasoning.encrypted_content", "message.output_text.logprobs"]] | None = None
    reasoning: Reasoning | None = None
    text: dict[str, Any] | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    max_output_tokens: Annotated[int, Meta(ge=16)] | None = None
    max_tool_calls: int | None = None
    service_tier: Literal["auto", "default", "flex", "scale", "priority", "fast"] | None = None
    prompt_cache_key: Annotated[str, Meta(max_length=64)] | None = None
    prompt_cache_retention: Literal["in_memory", "24h"] | None = None
    safety_identifier: str | None = None
    metadata: dict[str, str] | None = None
    truncation: Literal["auto", "disabled"] | None = None
    user: str | None = None
    background: Literal[False] | None = None
    generate: bool | None = None
