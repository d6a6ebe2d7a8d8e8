"""Takes a model's written reasoning out of its answer: ``<think>...</think>`` is not for the caller's ear.

Owns: the tags, however a stream cuts them. Never: what is thought.
"""

from __future__ import annotations

OPEN, CLOSE = "<think>", "</think>"


class ReasoningFilter:
    """Feed text as it streams; it returns what may be spoken."""

    def __init__(self) -> None:
        self._held = ""
        self._inside = False
        self._after = False

    def feed(self, text: str) -> str:
        self._held += text
        shown: list[str] = []
        while self._held:
            tag = CLOSE if self._inside else OPEN
            at = self._held.find(tag)
            keep = 0 if at >= 0 else _overlap(self._held, tag)
            piece = self._held[:at] if at >= 0 else self._held[: len(self._held) - keep]
            if not self._inside:
                shown.append(self._trim(piece))
            if at < 0:
                self._held = self._held[len(piece) :]
                break
            self._held = self._held[at + len(tag) :]
            self._inside = not self._inside
            self._after = self._after or not self._inside
        return "".join(shown)

    def end(self) -> str:
        """What was held back in case it became a tag."""
        rest = "" if self._inside else self._trim(self._held)
        self._held = ""
        return rest

    def _trim(self, piece: str) -> str:
        """Without the blank lines that follow a closed block."""
        if self._after and piece:
            piece = piece.lstrip()
            self._after = not piece
        return piece


def _overlap(text: str, tag: str) -> int:
    """How many of the last characters of ``text`` begin ``tag``."""
    return next((n for n in range(min(len(text), len(tag) - 1), 0, -1) if tag.startswith(text[-n:])), 0)
