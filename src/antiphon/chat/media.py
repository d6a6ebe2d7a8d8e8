"""Pictures and sound as parts of a message: plain data, never decoded here.

A part holds its bytes or says where they are. Bytes show in no ``repr`` and in no log: what is written down of a part is
its kind.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec

MOST_BYTES = 20 * 1024 * 1024
"""Bytes of one part."""

_IMAGES = {b"\x89PNG": "image/png", b"\xff\xd8\xff": "image/jpeg", b"GIF8": "image/gif"}


class ImageContent(msgspec.Struct, tag="image", tag_field="type", frozen=True, kw_only=True, repr_omit_defaults=True):
    """A picture: its ``data`` (PNG, JPEG, GIF or WebP; ``mime`` is found out where it is not given), or the ``url`` at
    which the model's service can fetch it. ``detail``: how closely the model shall look.

    Raises ``ValueError`` for both or neither, for data of an unknown kind, and for more than ``MOST_BYTES``.
    """

    data: bytes = b""
    url: str = ""
    mime: str = ""
    detail: Literal["auto", "low", "high"] = "auto"

    def __post_init__(self) -> None:
        if bool(self.data) == bool(self.url):
            raise ValueError("a picture has either data or a url")
        _check_size(self.data)
        if self.data and not self.mime:
            msgspec.structs.force_setattr(self, "mime", _image_kind(self.data))

    def __repr__(self) -> str:
        return f"ImageContent({self.mime}, {len(self.data)} bytes)" if self.data else f"ImageContent({self.url!r})"


class AudioContent(msgspec.Struct, tag="audio", tag_field="type", frozen=True, kw_only=True):
    """Sound: the ``data`` of a WAV or MP3 file. ``transcript``: its words, for models that do not listen.

    Raises ``ValueError`` for data of another kind, and for more than ``MOST_BYTES``.
    """

    data: bytes
    mime: Literal["audio/wav", "audio/mpeg", ""] = ""
    transcript: str = ""

    def __post_init__(self) -> None:
        _check_size(self.data)
        if not self.mime:
            msgspec.structs.force_setattr(self, "mime", _audio_kind(self.data))

    def __repr__(self) -> str:
        return f"AudioContent({self.mime}, {len(self.data)} bytes, transcript={self.transcript!r})"


Media = ImageContent | AudioContent
Content = str | ImageContent | AudioContent
"""What a message may be made of: words, pictures, sound."""


def split(parts: Iterable[Content]) -> tuple[str, list[Media], list[int]]:
    """The words of a message, joined by lines; its pictures and sounds in order; and where in the text those stand that
    are not behind it."""
    text = ""
    media: list[Media] = []
    places: list[int] = []
    for part in parts:
        if isinstance(part, str):
            text += f"\n{part}" if text and part else part
        elif isinstance(part, ImageContent | AudioContent):
            media.append(part)
            places.append(len(text))
        else:
            raise TypeError(f"a message is made of str, ImageContent and AudioContent, not {type(part).__name__}")
    return text, media, [place for place in places if place < len(text)]


def join(text: str, media: Sequence[Media], places: Sequence[int]) -> list[Content]:
    """The parts that ``split`` took apart, in order. A place beyond the text is its end."""
    parts: list[Content] = []
    start = 0
    for n, part in enumerate(media):
        place = places[n] if n < len(places) else len(text)
        if start < place and (piece := text[start:place].strip("\n")):
            parts.append(piece)
        start = max(start, min(place, len(text)))
        parts.append(part)
    if piece := text[start:].strip("\n") if start else text:
        parts.append(piece)
    return parts


def in_words(part: Media) -> str:
    """What stands in a text for a part that its reader cannot take."""
    if isinstance(part, AudioContent) and part.transcript:
        return part.transcript
    what = "picture" if isinstance(part, ImageContent) else "recording"
    return f"[Here was a {what}, which you cannot perceive.]"


def _check_size(data: bytes) -> None:
    if len(data) > MOST_BYTES:
        raise ValueError(f"a part of a message has at most {MOST_BYTES >> 20} MB, this one has {len(data) >> 20}")


def _image_kind(data: bytes) -> str:
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    kind = next((mime for magic, mime in _IMAGES.items() if data.startswith(magic)), "")
    if not kind:
        raise ValueError("this is no PNG, JPEG, GIF or WebP picture; name its mime type to pass it on as it is")
    return kind


def _audio_kind(data: bytes) -> Literal["audio/wav", "audio/mpeg"]:
    if data[:4] == b"RIFF" and data[8:12] == b"WAVE":
        return "audio/wav"
    if data[:3] == b"ID3" or (len(data) > 1 and data[0] == 0xFF and data[1] & 0xE0 == 0xE0):
        return "audio/mpeg"
    raise ValueError("this is no WAV or MP3 file")
