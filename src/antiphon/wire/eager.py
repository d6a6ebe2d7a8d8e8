"""Coroutines that seldom have to wait, begun without a task.

Owns beginning one and what is left of it. Never: what it does.
"""

from __future__ import annotations

from collections.abc import Awaitable, Coroutine, Generator
from typing import Any


def begin(work: Coroutine[Any, Any, None]) -> Awaitable[None] | None:
    """Run ``work`` as far as it goes at once. Returns what is left of it, to be awaited once; ``None``: it is done. Raises what
    it raises. What it does before it first waits must not depend on the task that it runs in."""
    try:
        waits_for = work.send(None)
    except StopIteration:
        return None
    return _Rest(work, waits_for)


class _Rest(Generator[Any, None, None]):
    """The work's own steps, behind the one that was begun."""

    def __init__(self, work: Coroutine[Any, Any, None], waits_for: object) -> None:
        self._work, self._begun = work, [waits_for]

    def __await__(self) -> Generator[Any, None, None]:
        return self

    def send(self, value: None) -> Any:
        return self._begun.pop() if self._begun else self._work.send(value)

    def throw(self, kind: Any, error: Any = None, trace: Any = None) -> Any:
        return self._work.throw(kind if error is None else error)

    def close(self) -> None:
        self._work.close()
