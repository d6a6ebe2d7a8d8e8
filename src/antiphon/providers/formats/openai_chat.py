"""OpenAI's chat completions: ``messages``, ``tools`` and ``tool_choice`` of a request.

Owns: how a conversation is written. Never: which service it goes to.
Source: the API reference of ``POST /chat/completions``.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from typing import Any

from antiphon.chat.context import ChatContext
from antiphon.chat.media import Content, ImageContent
from antiphon.models.llm import ToolSpec
from antiphon.providers.formats.entries import Calls, Pair, Words, entries, text_of
from antiphon.providers.formats.names import fit
from antiphon.providers.formats.schemas import strict_schema

EXTRA = "extra_content"
"""Where services that speak this format put what they want back with a call (Gemini: a thought's signature)."""


def messages_of(chat_ctx: ChatContext, *, developer_role: bool = False, reasoning: str = "") -> list[dict[str, Any]]:
    """The messages: calls followed at once by their outputs, each call once. Pictures in an output follow as the user's,
    for an output holds only text. A call's ``extra["openai_chat"]`` goes back as its ``extra_content``.
    ``reasoning``: the field in which the service wants back what its model thought before the calls; a step of another
    model has none."""
    messages: list[dict[str, Any]] = []
    for entry in entries(chat_ctx):
        if isinstance(entry, Words):
            messages.append(_message(entry, developer_role=developer_role))
            continue
        calls = [_call(pair) for pair in entry.pairs]
        if messages and messages[-1]["role"] == "assistant" and "tool_calls" not in messages[-1]:
            messages[-1]["tool_calls"] = calls
        else:
            messages.append({"role": "assistant", "content": None, "tool_calls": calls})
        if reasoning:
            messages[-1] |= _thoughts(entry, reasoning)
        for pair in entry.pairs:
            messages.append({"role": "tool", "tool_call_id": pair.id, "content": pair.output})
        seen = [_part(part) for pair in entry.pairs for part in pair.media]
        if seen:
            messages.append({"role": "user", "content": seen})
    return messages


def tools_of(tools: Sequence[ToolSpec], *, strict: bool = False) -> list[dict[str, Any]]:
    """``strict``: the service holds the model to the schema, of each tool whose schema its strict mode can express."""
    return [{"type": "function", "function": function_of(tool, strict=strict)} for tool in tools]


def function_of(tool: ToolSpec, *, strict: bool = False) -> dict[str, Any]:
    """One function's definition."""
    made = {"name": fit(tool.name), "description": tool.description, "parameters": tool.parameters}
    narrow = strict_schema(tool.parameters) if strict else None
    return made if narrow is None else {**made, "parameters": narrow, "strict": True}


def _message(words: Words, *, developer_role: bool) -> dict[str, Any]:
    role = "developer" if words.role == "system" and words.developer and developer_role else words.role
    if role != "user" or all(isinstance(part, str) for part in words.parts):  # others' media have no form here
        return {"role": role, "content": text_of(words.parts)}
    return {"role": role, "content": [_part(part) for part in words.parts]}


def _part(part: Content) -> dict[str, Any]:
    if isinstance(part, str):
        return {"type": "text", "text": part}
    if isinstance(part, ImageContent):
        return {"type": "image_url", "image_url": {"url": url_of(part), "detail": part.detail}}
    form = "wav" if part.mime == "audio/wav" else "mp3"
    return {"type": "input_audio", "input_audio": {"data": b64encode(part.data).decode(), "format": form}}


def url_of(part: ImageContent) -> str:
    """Where the picture is, or the picture itself as a data URL."""
    return part.url or f"data:{part.mime};base64,{b64encode(part.data).decode()}"


def _thoughts(calls: Calls, field: str) -> dict[str, Any]:
    kept = calls.extra("openai_chat_reasoning", field)
    if kept is None and field == "reasoning_content":
        kept = ""  # refused where it is missing, not where it is empty
    return {} if kept is None else {field: kept}


def _call(pair: Pair) -> dict[str, Any]:
    call: dict[str, Any] = {
        "id": pair.id,
        "type": "function",
        "function": {"name": pair.name, "arguments": pair.written},
    }
    if back := pair.extra.get("openai_chat"):
        call[EXTRA] = back
    return call
