"""Cuts a model's stream of text into speakable segments: sentences, and a first clause as soon as there is one.

A segment is what goes to the voice in one piece and what history is built of. The first one is short, so that
sound starts early; later ones are whole sentences, joined while they are very short.
"""

from __future__ import annotations

import re

_END = re.compile(r"[.!?…。！？]+[\"')\]]*(?=\s|$)|\n+")
_CLAUSE = re.compile(r"[,;:–—，、；：]+(?=\s)")
_ABBREVIATION = re.compile(
    r"(?:\b(?:mr|mrs|ms|dr|prof|st|no|vs|etc|e\.g|i\.e|approx|inc|ltd)|\b[A-Z]|\d)\.$", re.IGNORECASE
)


class Segmenter:
    """Feed deltas, take segments. ``first``: least characters of the first clause; ``least``: of a later sentence."""

    def __init__(self, *, first: int = 12, least: int = 20, most: int = 220) -> None:
        self.first, self.least, self.most = first, least, most
        self._text = ""
        self._given = 0

    def push(self, delta: str) -> list[str]:
        """Segments that are complete now; spacing between them is kept at the end of each."""
        self._text += delta
        out: list[str] = []
        while (cut := self._cut()) > 0:
            segment, self._text = self._text[:cut], self._text[cut:]
            if segment.strip():
                out.append(segment)
                self._given += 1
        return out

    def flush(self) -> list[str]:
        """What is left, as a segment."""
        rest, self._text = self._text, ""
        if not rest.strip():
            return []
        self._given += 1
        return [rest]

    def _cut(self) -> int:
        text = self._text
        least = self.first if self._given == 0 else self.least
        for found in _END.finditer(text):
            end = found.end()
            if end == len(text) and not found.group().endswith("\n"):
                break  # more may follow: "3." of "3.50", or a closing quote
            if found.group().startswith(".") and _ABBREVIATION.search(text[: found.start() + 1]):
                continue
            if end >= least:
                return end + _spaces(text, end)
        if self._given == 0:
            for found in _CLAUSE.finditer(text):
                if found.end() >= self.first:
                    return found.end() + _spaces(text, found.end())
        if len(text) > self.most:
            space = text.rfind(" ", least, self.most)
            return (space if space > 0 else self.most) + 1
        return 0


def _spaces(text: str, at: int) -> int:
    end = at
    while end < len(text) and text[end].isspace():
        end += 1
    return end - at
