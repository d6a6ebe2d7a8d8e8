"""The media shelf: pictures and sounds of the conversation's messages, by the names that the kernel knows them under.

The kernel and the log hold names only. Filled on the user's lane, read on any; the oldest go when it is full.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence

from antiphon.chat.media import AudioContent, ImageContent, Media

MOST_BYTES = 64 * 1024 * 1024
"""Bytes that a session keeps of them."""


class MediaShelf:
    """Holds at most ``MOST_BYTES``."""

    def __init__(self) -> None:
        self._parts: dict[str, Media] = {}
        self._bytes = 0

    def put(self, parts: Iterable[Media], *, text: str = "", places: Sequence[int] = ()) -> tuple[str, ...]:
        """Keep them; returns their names, which begin with their kinds. ``places``: where in ``text`` they stand; a name
        says so, as ``@place:length``."""
        names = []
        for n, part in enumerate(parts):
            name = f"{part.mime or 'image'}#{uuid.uuid4().hex[:12]}"
            if n < len(places):
                name += f"@{places[n]}:{len(text)}"
            self._parts[name] = part
            self._bytes += len(part.data)
            names.append(name)
            while self._bytes > MOST_BYTES:
                self._bytes -= len(self._parts.pop(next(iter(self._parts))).data)
        return tuple(names)

    def find(self, names: Iterable[str]) -> tuple[list[ImageContent | AudioContent], list[str]]:
        """What is kept under these names, and notes on what is not (any more)."""
        found, gone = [], []
        for name in names:
            part = self._parts.get(name)
            if part is not None:
                found.append(part)
            else:
                gone.append(f"[Here was a part of kind {name.partition('#')[0]}, which is not kept any more.]")
        return found, gone

    def places(self, names: Iterable[str], text: str) -> list[int]:
        """Where in ``text`` those stand that are kept, as far as it is still the text that they came with."""
        found = []
        for name in names:
            place, _, length = name.partition("@")[2].partition(":")
            if name in self._parts:
                found.append(int(place) if length == str(len(text)) else len(text))
        return found if any(place < len(text) for place in found) else []
