"""Reading what a service sends, whatever it is: a field of another type than expected counts as missing.

Owns: JSON -> plain values. Never raises.
"""

from __future__ import annotations

from typing import Any

import msgspec

UNREADABLE = (msgspec.DecodeError, UnicodeError, RecursionError)
"""What decoding raises for bytes that are no JSON, or JSON too deep to be read."""


def message_of(frame: str | bytes) -> dict[str, Any]:
    """A JSON object, sent as text or as bytes; empty for anything else."""
    try:
        data = msgspec.json.decode(frame)
    except UNREADABLE:
        return {}
    return data if isinstance(data, dict) else {}


def text_of(message: dict[str, Any]) -> str:
    """A frame of text."""
    return msgspec.json.encode(message).decode()


def string(value: object) -> str:
    return value if isinstance(value, str) else ""


def number(value: object, default: float = 0.0) -> float:
    if isinstance(value, float):
        return value
    if not isinstance(value, int) or isinstance(value, bool):
        return default
    try:
        return float(value)
    except OverflowError:
        return default


def integer(value: object, default: int = 0) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else default
