"""What a server's result is to a model: text, and pictures and sounds of kinds that models take."""

from __future__ import annotations

import json
from base64 import b64decode
from typing import Any

from antiphon.chat.media import AudioContent, Content, ImageContent, in_words


def as_content(result: Any) -> str | list[Content]:
    """A ``CallToolResult``: text and text resources as they are, structured content where there is nothing else, pictures
    and sounds as parts. What no model takes (files, broken data) is named with its type and size."""
    parts = [part for block in result.content if (part := _block(block))]
    if not parts and result.structured_content is not None:
        parts = [json.dumps(result.structured_content, ensure_ascii=False)]
    if all(isinstance(part, str) for part in parts):
        return "\n".join(str(part) for part in parts)
    return parts


def in_text(value: Any) -> str:
    """Any result as text; for its pictures and sounds stand notes."""
    if not isinstance(value, list):
        return str(value)
    return "\n".join(in_words(part) if isinstance(part, ImageContent | AudioContent) else str(part) for part in value)


def _block(block: Any) -> Content:
    if block.type == "text":
        return str(block.text)
    if block.type in ("image", "audio"):
        return _media(block.mime_type, block.data) or f"[{block.type}: {block.mime_type}, {_size(block.data)}]"
    if block.type == "resource_link":
        return f"[resource: {block.name}, {block.uri}]"
    if block.type == "resource":
        text = getattr(block.resource, "text", None)
        if text is not None:
            return str(text)
        kind = block.resource.mime_type or "unknown type"
        found = _media(kind, block.resource.blob)
        return found or f"[resource: {block.resource.uri}, {kind}, {_size(block.resource.blob)}]"
    return f"[{block.type}]"


def _media(mime: str, data: str) -> Content:
    """A part, by what the data is and not by what it is said to be; nothing where it is neither."""
    try:
        raw = b64decode(data, validate=True)
        if mime.startswith("image/"):
            return ImageContent(data=raw)
        return AudioContent(data=raw) if mime.startswith("audio/") else ""
    except ValueError:
        return ""


def _size(base64: str) -> str:
    return f"{len(base64) * 3 // 4:,} bytes"
