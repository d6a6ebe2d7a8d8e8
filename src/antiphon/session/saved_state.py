"""What of the application's own data outlives the process: ``Agent.state`` and ``userdata``, where they are plain data."""

from __future__ import annotations

from typing import Any

import msgspec


def as_json(value: Any) -> str | None:
    """JSON text of a dict, list, dataclass, msgspec struct or pydantic model; ``None`` for what is no plain data."""
    dump = getattr(value, "model_dump_json", None)
    try:
        if dump is not None:
            return str(dump())
        return msgspec.json.encode(value).decode()
    except (TypeError, ValueError, RecursionError):
        return None


class SavedState:
    """Remembers what was saved last, so that only changes are."""

    def __init__(self) -> None:
        self._last: dict[str, str] = {}

    def changed(self, key: str, value: Any) -> str | None:
        """The JSON to save, or ``None`` where there is nothing (new) to save. ``key``: the agent, empty for userdata."""
        if value is None:
            return None
        text = as_json(value)
        if text is None or self._last.get(key) == text:
            return None
        self._last[key] = text
        return text
