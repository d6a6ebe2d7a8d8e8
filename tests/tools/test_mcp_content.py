"""What an MCP server's result is to a model: by what it is, not by what the server says it is."""

from __future__ import annotations

from base64 import b64encode
from types import SimpleNamespace
from typing import Any

from antiphon import AudioContent, ImageContent
from antiphon.tools.mcp.content import as_content, in_text

PNG, WAV = b"\x89PNG\r\n\x1a\n", b"RIFF\x10\x00\x00\x00WAVEfmt "


def result(*blocks: dict[str, Any], structured: Any = None) -> Any:
    return SimpleNamespace(content=[SimpleNamespace(**block) for block in blocks], structured_content=structured)


def block(kind: str, data: bytes | str, mime: str) -> dict[str, Any]:
    text = data if isinstance(data, str) else b64encode(data).decode()
    return {"type": kind, "data": text, "mime_type": mime}


def test_pictures_and_sounds_are_parts_in_their_order() -> None:
    made = as_content(
        result(block("image", PNG, "image/x-odd"), {"type": "text", "text": "Hi."}, block("audio", WAV, "audio/wav"))
    )
    assert made == [ImageContent(data=PNG), "Hi.", AudioContent(data=WAV)]
    assert (
        in_text(made)
        == "[Here was a picture, which you cannot perceive.]\nHi.\n[Here was a recording, which you cannot perceive.]"
    )
    assert in_text("Hi.") == "Hi."


def test_what_is_no_picture_is_named() -> None:
    for data in ("!!!", b64encode(b"<html>").decode(), ""):
        assert (
            as_content(result(block("image", data, "image/png"))) == f"[image: image/png, {len(data) * 3 // 4:,} bytes]"
        )


def test_resources_by_what_they_hold() -> None:
    def resource(**fields: Any) -> dict[str, Any]:
        return {"type": "resource", "resource": SimpleNamespace(uri="file:///x", **fields)}

    blob = b64encode(PNG).decode()
    assert as_content(result(resource(mime_type="image/png", blob=blob))) == [ImageContent(data=PNG)]
    assert as_content(result(resource(mime_type=None, blob=blob))) == "[resource: file:///x, unknown type, 9 bytes]"
    assert as_content(result(resource(mime_type="text/plain", text="words"))) == "words"
    assert as_content(result({"type": "new"})) == "[new]"
    assert as_content(result(structured={"a": 1})) == '{"a": 1}'
