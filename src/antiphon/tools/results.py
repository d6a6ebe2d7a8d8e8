"""Results of tools: any plain value as text that a model can read, of bounded length."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from antiphon.errors import ToolError

RESULT_LIMIT = 16_000
"""Characters of a result that reach the model, unless the tool says otherwise: what a model reads costs time."""


class ToolResult(msgspec.Struct, frozen=True):
    """``value`` with a word on what follows: ``reply_required=False``: the agent says nothing on it."""

    value: Any = None
    reply_required: bool = True


def result_text(value: Any, *, limit: int = RESULT_LIMIT) -> str:
    """Text as it is, everything else as JSON; what is longer than ``limit`` is cut, and says so.

    Raises ``ToolError`` for bytes, which no model reads."""
    text = value if isinstance(value, str) else _json(value)
    if len(text) <= limit:
        return text
    return f"{text[:limit]} [cut here: the first {limit:,} of {len(text):,} characters]"


def _json(value: Any) -> str:
    try:
        dump = getattr(value, "model_dump_json", None)
        if dump is not None:
            return str(dump())
        plain = msgspec.to_builtins(value, builtin_types=(bytes, bytearray, memoryview), enc_hook=_plain)
        return json.dumps(plain, ensure_ascii=False, default=_refuse)
    except RecursionError as exc:
        raise ToolError("The tool returned a value that contains itself.", hint="Return plain data.") from exc


def _plain(value: Any) -> Any:
    dump = getattr(value, "model_dump", None)
    return str(value) if dump is None else dump()


def _refuse(value: Any) -> str:
    raise ToolError(
        f"The tool returned {type(value).__name__}, which a model cannot read.",
        hint="Return text or plain data; decode bytes, or describe what they are.",
    )
