"""Arguments of a tool call that Gemini streams in pieces, each at a place in the object.

Owns: pieces -> the whole arguments. Never: when a call is whole.
Source: ``FunctionCall.partialArgs``: ``jsonPath`` (RFC 9535, names and indexes alone) and one value; text may go on.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any

import msgspec

from antiphon.errors import ModelError
from antiphon.providers.answer import MAX_ARGUMENTS

MAX_INDEX = 10_000
MAX_DEPTH = 200
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]|\['([^']*)'\]|\[\"([^\"]*)\"\]")


class PartialArguments:
    """Feed it the pieces in order."""

    def __init__(self) -> None:
        self._root: dict[str, Any] = {}
        self._size = 0

    def add(self, piece: dict[str, Any]) -> None:
        """Raises ``ModelError`` for a piece whose place cannot be, and for arguments that do not end."""
        path = piece.get("jsonPath")
        steps = _steps(path) if isinstance(path, str) else []
        if not steps or not isinstance(steps[0], str) or len(steps) > MAX_DEPTH:
            raise ModelError(f"The model's stream cannot be read: a piece of arguments at {path!r}.")
        value: Any = None
        for field in ("stringValue", "numberValue", "boolValue"):
            if piece.get(field) is not None:
                value = piece[field]
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        here: Any = self._root
        for step, following in pairwise(steps):
            here = _into(here, step, following)
        self._size += len(value) if isinstance(value, str) else 1
        if self._size > MAX_ARGUMENTS:
            raise ModelError("The arguments of a tool call do not end.", retryable=False)
        last = steps[-1]
        before = _get(here, last)
        if isinstance(value, str) and isinstance(before, str):
            value = before + value
        _set(here, last, value)

    def json(self) -> str:
        """The whole object."""
        return msgspec.json.encode(self._root).decode()


def _steps(path: str) -> list[str | int]:
    """``$.a[0].b`` -> ``["a", 0, "b"]``; empty where it is not such a path."""
    if not path.startswith("$"):
        return []
    steps: list[str | int] = []
    at = 1
    while at < len(path):
        match = _STEP.match(path, at)
        if match is None:
            return []
        name, index, *quoted = match.groups()
        steps.append(int(index) if index is not None else next(text for text in (name, *quoted) if text is not None))
        at = match.end()
    return steps


def _get(here: Any, step: str | int) -> Any:
    if isinstance(here, dict) and isinstance(step, str):
        return here.get(step)
    if isinstance(here, list) and isinstance(step, int) and step < len(here):
        return here[step]
    return None


def _set(here: Any, step: str | int, value: Any) -> None:
    if isinstance(here, dict) and isinstance(step, str):
        here[step] = value
    elif isinstance(here, list) and isinstance(step, int) and step <= len(here) < MAX_INDEX:
        here[step : step + 1] = [value]
    else:
        raise ModelError(f"The model's stream cannot be read: a piece of arguments at {step!r}.")


def _into(here: Any, step: str | int, following: str | int) -> Any:
    inner = _get(here, step)
    if not isinstance(inner, dict | list):
        inner = [] if isinstance(following, int) else {}
        _set(here, step, inner)
    return inner
