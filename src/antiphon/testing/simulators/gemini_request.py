"""What a request to Gemini's ``streamGenerateContent`` may hold.

Owns: the fields, in the form in which they travel (camelCase; the service takes snake_case as well). Never: which go together.
Source: the API reference of ``models.streamGenerateContent``.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta


class WireStruct(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """Base of the request's parts."""


class Blob(WireStruct, frozen=True):
    mime_type: str
    data: str
    display_name: str | None = None


class FileData(WireStruct, frozen=True):
    file_uri: str
    mime_type: str | None = None


class FunctionCall(WireStruct, frozen=True):
    name: str
    args: dict[str, Any] = {}
    id: str | None = None


class FunctionResponse(WireStruct, frozen=True):
    name: str
    response: dict[str, Any]
    id: str | None = None
    parts: list[dict[str, Any]] | None = None
    will_continue: bool | None = None
    scheduling: str | None = None


class Part(WireStruct, frozen=True):
    text: str | None = None
    inline_data: Blob | None = None
    file_data: FileData | None = None
    function_call: FunctionCall | None = None
    function_response: FunctionResponse | None = None
    thought: bool | None = None
    thought_signature: str | None = None


class Content(WireStruct, frozen=True):
    parts: Annotated[list[Part], Meta(min_length=1)]
    role: Literal["user", "model", "system"] = "user"


class FunctionDeclaration(WireStruct, frozen=True):
    name: Annotated[str, Meta(pattern="^[a-zA-Z_][a-zA-Z0-9_.:-]{0,127}$")]
    description: str = ""
    parameters: dict[str, Any] | None = None
    parameters_json_schema: dict[str, Any] | None = None


class Tool(WireStruct, frozen=True):
    function_declarations: list[FunctionDeclaration] | None = None


class FunctionCallingConfig(WireStruct, frozen=True):
    mode: Literal["AUTO", "ANY", "NONE", "VALIDATED"] = "AUTO"
    allowed_function_names: list[str] | None = None
    stream_function_call_arguments: bool | None = None


class ToolConfig(WireStruct, frozen=True):
    function_calling_config: FunctionCallingConfig | None = None


class ThinkingConfig(WireStruct, frozen=True):
    include_thoughts: bool | None = None
    thinking_budget: int | None = None
    thinking_level: Literal["MINIMAL", "LOW", "MEDIUM", "HIGH", "XHIGH", "minimal", "low", "medium", "high"] | None = (
        None
    )


class GenerationConfig(WireStruct, frozen=True):
    """How an answer is made."""

    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: float | None = None
    top_k: float | None = None
    max_output_tokens: Annotated[int, Meta(ge=1)] | None = None
    candidate_count: Literal[1] | None = None
    stop_sequences: Annotated[list[str], Meta(max_length=5)] | None = None
    seed: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    response_mime_type: str | None = None
    response_schema: dict[str, Any] | None = None
    response_json_schema: dict[str, Any] | None = None
    response_modalities: list[Literal["TEXT"]] | None = None
    thinking_config: ThinkingConfig | None = None
    media_resolution: str | None = None


class SafetySetting(WireStruct, frozen=True):
    category: str
    threshold: str


class GenerateContentRequest(WireStruct, frozen=True):
    contents: Annotated[list[Content], Meta(min_length=1)]
    system_instruction: Content | None = None
    tools: list[Tool] | None = None
    tool_config: ToolConfig | None = None
    generation_config: GenerationConfig | None = None
    safety_settings: list[SafetySetting] | None = None
    cached_content: str | None = None
    service_tier: Literal["flex", "standard", "priority"] | None = None
    labels: dict[str, str] | None = None
    store: bool | None = None
