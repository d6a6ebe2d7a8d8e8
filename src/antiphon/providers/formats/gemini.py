"""Gemini's generateContent: ``systemInstruction``, ``contents``, ``tools`` and ``toolConfig`` of a request.

Owns: roles that alternate, responses right behind their calls, thought signatures in their place. Never: the model's
settings. Source: the API reference of ``models.generateContent``; the guides on function calling and thought signatures.
What requests have in common at their beginning the service caches by itself.
"""

from __future__ import annotations

import mimetypes
from base64 import b64encode
from collections.abc import Sequence
from typing import Any

from antiphon.chat.context import ChatContext
from antiphon.chat.media import AudioContent, Content, ImageContent, Media, in_words
from antiphon.models.llm import ToolChoice, ToolSpec
from antiphon.providers.formats.entries import (
    GO_ON,
    OPENING,
    Calls,
    Pair,
    Words,
    entries,
    leading,
    marked,
    text_of,
    unmarked,
)
from antiphon.providers.formats.names import fit
from antiphon.providers.formats.schemas import gemini_schema

VENDOR = "google"

_MODES = {"auto": "AUTO", "none": "NONE", "required": "ANY"}


def request_of(
    chat_ctx: ChatContext,
    tools: Sequence[ToolSpec] = (),
    tool_choice: ToolChoice = "auto",
    *,
    unsigned: str = "",
    media_in_responses: bool = False,
) -> dict[str, Any]:
    """``systemInstruction``, ``contents``, ``tools``, ``toolConfig``.

    A call's ``extra["google"]["thought_signature"]`` goes back with it, unchanged. ``unsigned``: what stands for it where
    the first call of a step has none, for models that insist (another vendor's model made it, or nobody did).
    ``media_in_responses``: the model takes pictures within a tool's response; else they follow it."""
    head, rest = leading(entries(chat_ctx))
    contents: list[dict[str, Any]] = []

    def add(role: str, parts: list[dict[str, Any]]) -> None:
        if not contents and role == "model":
            add("user", [{"text": OPENING}])
        if contents and contents[-1]["role"] == role:
            contents[-1]["parts"] += parts
        else:
            contents.append({"role": role, "parts": parts})

    for entry in rest:
        if isinstance(entry, Words):
            parts = [_part(part, entry.role) for part in entry.parts]
            add("model" if entry.role == "assistant" else "user", parts)
        else:
            add("model", _calls(entry, unsigned))
            add("user", [_response(pair, media_in_responses) for pair in entry.pairs])
            if not media_in_responses:
                add("user", [_part(part, "user") for pair in entry.pairs for part in pair.media])
    if not contents or contents[-1]["role"] == "model":
        add("user", [{"text": GO_ON if contents else OPENING}])
    body: dict[str, Any] = {"contents": contents}
    if head:
        body["systemInstruction"] = {"parts": [{"text": text_of(words.parts)} for words in head]}
    if tools:
        body["tools"] = [{"functionDeclarations": declarations_of(tools)}]
        body["toolConfig"] = {"functionCallingConfig": {"mode": _MODES[tool_choice]}}
    return body


def declarations_of(tools: Sequence[ToolSpec]) -> list[dict[str, Any]]:
    """Functions in the API's subset of OpenAPI; one without parameters has no schema."""
    made = []
    for tool in tools:
        declaration: dict[str, Any] = {"name": fit(tool.name), "description": tool.description}
        if schema := gemini_schema(tool.parameters):
            declaration["parameters"] = schema
        made.append(declaration)
    return made


def _part(part: Content, role: str) -> dict[str, Any]:
    if isinstance(part, str):
        return {"text": marked(part) if role == "system" else unmarked(part) if role == "user" else part}
    if role != "user":
        return {"text": in_words(part)}
    return _media(part)


def _media(part: Media) -> dict[str, Any]:
    if isinstance(part, AudioContent) or part.data:
        return {"inlineData": {"mimeType": part.mime, "data": b64encode(part.data).decode()}}
    return {"fileData": {"mimeType": _mime_of(part), "fileUri": part.url}}


def _mime_of(part: ImageContent) -> str:
    return part.mime or mimetypes.guess_type(part.url.partition("?")[0])[0] or "image/jpeg"


def _calls(calls: Calls, unsigned: str) -> list[dict[str, Any]]:
    parts = []
    for n, pair in enumerate(calls.pairs):
        part: dict[str, Any] = {"functionCall": {"id": pair.id, "name": pair.name, "args": pair.arguments}}
        own = pair.extra.get(VENDOR)
        signature = own.get("thought_signature") if isinstance(own, dict) else None
        if signature or (unsigned and n == 0):
            part["thoughtSignature"] = signature or unsigned
        parts.append(part)
    return parts


def _response(pair: Pair, with_media: bool) -> dict[str, Any]:
    made: dict[str, Any] = {
        "id": pair.id,
        "name": pair.name,
        "response": {"error" if pair.is_error else "output": pair.output},
    }
    if with_media and pair.media:
        made["parts"] = [_media(part) for part in pair.media]
    return {"functionResponse": made}
