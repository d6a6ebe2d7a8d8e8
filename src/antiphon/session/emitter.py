"""Events to the user's handlers: plain functions or coroutines, on the user's lane, none of which can harm the call."""

from __future__ import annotations

import asyncio
import inspect
import traceback
from collections.abc import Callable
from typing import Any, TypeVar

from antiphon.session.events import EVENT_NAMES

H = TypeVar("H", bound=Callable[..., Any])


class Emitter:
    """``report``: told (source, traceback) when a handler raises."""

    def __init__(self, report: Callable[[str, str], None]) -> None:
        self._handlers: dict[str, list[Callable[..., Any]]] = {}
        self._report = report
        self.tasks: set[asyncio.Task[Any]] = set()

    def on(self, event: str, handler: H | None = None) -> Any:
        """Register a handler; without one, a decorator. Raises ``ValueError`` for an event that does not exist."""
        if event not in EVENT_NAMES:
            raise ValueError(f"There is no event {event!r}. There are: {', '.join(EVENT_NAMES)}.")

        def add(one: H) -> H:
            self._handlers.setdefault(event, []).append(one)
            return one

        return add if handler is None else add(handler)

    def off(self, event: str, handler: Callable[..., Any]) -> None:
        """Take a handler away; nothing happens when it is not there."""
        if handler in self._handlers.get(event, []):
            self._handlers[event].remove(handler)

    def has(self, event: str) -> bool:
        """Whether anybody listens."""
        return bool(self._handlers.get(event))

    def emit(self, event: str, body: Any) -> None:
        for handler in list(self._handlers.get(event, ())):
            self.call(handler, body, name=event)

    def call(self, handler: Callable[..., Any], *args: Any, name: str = "callback") -> None:
        """Call user code now; a coroutine becomes a task."""
        try:
            result = handler(*args)
        except Exception:
            self._report(f"callback {name}", traceback.format_exc())
            return
        if inspect.isawaitable(result):
            task = asyncio.ensure_future(self._await(result, name))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)

    async def _await(self, result: Any, name: str) -> None:
        try:
            await result
        except Exception:
            self._report(f"callback {name}", traceback.format_exc())
