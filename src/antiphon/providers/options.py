"""Options of a model, as a user writes them, on their way into requests.

Owns: leaving out what was not given. Never: what a service calls them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]
"""How much a model thinks before it answers, as OpenAI and those that follow it have it."""


def given(**options: Any) -> dict[str, Any]:
    """Those that are not ``None``."""
    return {name: value for name, value in options.items() if value is not None}


def merged(options: Mapping[str, Any], extra: Mapping[str, Any] | None) -> dict[str, Any]:
    """The options with what the user adds to the request's body as it is; objects within are merged, not replaced."""
    made = dict(options)
    for name, value in (extra or {}).items():
        before = made.get(name)
        made[name] = {**before, **value} if isinstance(before, dict) and isinstance(value, dict) else value
    return made
