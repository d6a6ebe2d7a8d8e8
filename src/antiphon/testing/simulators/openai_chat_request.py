"""What a chat completion's request may hold.

Owns: the fields. Never: which of them go together.
Source: the API reference of ``POST /chat/completions``.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta

from antiphon.testing.simulators.strict import StrictStruct


class ImageURL(StrictStruct, frozen=True):
    url: str
    detail: Literal["auto", "low", "high"] = "auto"


class InputAudio(StrictStruct, frozen=True):
    data: str
    format: Literal["wav", "mp3"]


class TextPart(StrictStruct, frozen=True, tag_field="type", tag="text"):
    text: str


class ImagePart(StrictStruct, frozen=True, tag_field="type", tag="image_url"):
    image_url: ImageURL


class AudioPart(StrictStruct, frozen=True, tag_field="type", tag="input_audio"):
    input_audio: InputAudio


Words = str | list[TextPart]


class CalledFunction(StrictStruct, frozen=True):
    name: str
    arguments: str


class Call(StrictStruct, frozen=True):
    id: str
    type: Literal["function"]
    function: CalledFunction
    extra_content: dict[str, Any] = {}


class RoleMessage(StrictStruct, frozen=True):
    @property
    def role(self) -> str:
        return str(self.__struct_config__.tag)


class SystemMessage(RoleMessage, frozen=True, tag_field="role", tag="system"):
    content: Words


class DeveloperMessage(RoleMessage, frozen=True, tag_field="role", tag="developer"):
    content: Words


class UserMessage(RoleMessage, frozen=True, tag_field="role", tag="user"):
    content: str | list[TextPart | ImagePart | AudioPart]


class AssistantMessage(RoleMessage, frozen=True, tag_field="role", tag="assistant"):
    content: Words | None = None
    tool_calls: Annotated[list[Call], Meta(min_length=1)] | None = None
    reasoning_content: str | None = None
    reasoning_details: list[Any] | None = None


class ToolMessage(RoleMessage, frozen=True, tag_field="role", tag="tool"):
    content: Words
    tool_call_id: str


class Function(StrictStruct, frozen=True):
    name: str
    description: str = ""
    parameters: dict[str, Any] = {}
    strict: bool | None = None


class Tool(StrictStruct, frozen=True):
    type: Literal["function"]
    function: Function


class ChosenFunction(StrictStruct, frozen=True):
    name: str


class Choice(StrictStruct, frozen=True):
    type: Literal["function"]
    function: ChosenFunction


class StreamOptions(StrictStruct, frozen=True):
    include_usage: bool = False
    include_obfuscation: bool = False


Message = SystemMessage | DeveloperMessage | UserMessage | AssistantMessage | ToolMessage


class ChatRequest(StrictStruct, frozen=True, kw_only=True):
    """The whole body."""

    model: str
    messages: list[Message]
    stream: Literal[True]
    stream_options: StreamOptions | None = None
    tools: Annotated[list[Tool], Meta(min_length=1)] | None = None
    tool_choice: str | Choice | None = None
    parallel_tool_calls: bool | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    max_tokens: Annotated[int, Meta(ge=1)] | None = None
    max_completion_tokens: Annotated[int, Meta(ge=1)] | None = None
    frequency_penalty: Annotated[float, Meta(ge=-2, le=2)] | None = None
    presence_penalty: Annotated[float, Meta(ge=-2, le=2)] | None = None
    stop: str | Annotated[list[str], Meta(max_length=4)] | None = None
    seed: int | None = None
    n: Literal[1] | None = None
    user: str | None = None
    reasoning_effort: Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"] | None = None
    verbosity: Literal["low", "medium", "high"] | None = None
    service_tier: Literal["auto", "default", "flex", "scale", "priority", "fast"] | None = None
    prompt_cache_key: str | None = None
    prompt_cache_retention: Literal["in_memory", "24h"] | None = None
    safety_identifier: str | None = None
    store: bool | None = None
    metadata: dict[str, str] | None = None
    logit_bias: dict[str, float] | None = None
    response_format: dict[str, Any] | None = None
    reasoning: dict[str, Any] | None = None
