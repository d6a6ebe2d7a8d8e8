"""What a server's result is to a model that reads text."""

from __future__ import annotations

import json
from typing import Any


def as_text(result: Any) -> str:
    """A ``CallToolResult`` as text: text and text resources as they are, structured content where there is no text, what
    is not text (images, audio, files) named with its type and size."""
    parts = [part for block in result.content if (part := _block(block))]
    if not parts and result.structured_content is not None:
        parts = [json.dumps(result.structured_content, ensure_ascii=False)]
    return "\n".join(parts)


def _block(block: Any) -> str:
    if block.type == "text":
        return str(block.text)
    if block.type in ("image", "audio"):
        return f"[{block.type}: {block.mime_type}, {_size(block.data)}]"
    if block.type == "resource_link":
        return f"[resource: {block.name}, {block.uri}]"
    if block.type == "resource":
        text = getattr(block.resource, "text", None)
        if text is not None:
            return str(text)
        kind = block.resource.mime_type or "unknown type"
        return f"[resource: {block.resource.uri}, {kind}, {_size(block.resource.blob)}]"
    return f"[{block.type}]"


def _size(base64: str) -> str:
    return f"{len(base64) * 3 // 4:,} bytes"
