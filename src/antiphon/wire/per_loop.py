"""What a model keeps for each event loop it is used from: sockets belong to the loop that opened them.

Owns: one value a loop, dropped with it; closing each on its own loop. Never: what the values are.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, Generic, TypeVar

T = TypeVar("T")

FOREIGN_CLOSE = 1.0
"""Seconds that another loop may take to close what is its own: it may be blocked."""


class PerLoop(Generic[T]):
    """``make``: a new value, for the loop that runs. ``close``: frees one, on its own loop. ``spent``: whether a value cannot be
    used any more. ``forget``: of a value whose loop was closed before it; nothing can be awaited there."""

    def __init__(
        self,
        make: Callable[[], T],
        close: Callable[[T], Coroutine[Any, Any, None]],
        *,
        spent: Callable[[T], bool] = lambda value: False,
        forget: Callable[[T], None] = lambda value: None,
    ) -> None:
        self._make, self._close, self._spent, self._forget = make, close, spent, forget
        self._values: dict[asyncio.AbstractEventLoop, T] = {}

    def __len__(self) -> int:
        return len(self._values)

    def here(self) -> T:
        """The running loop's own, made on first use. Those of loops that are closed are let go of."""
        loop = asyncio.get_running_loop()
        self._drop_stale()
        value = self._values.get(loop)
        if value is None or self._spent(value):
            value = self._values[loop] = self._make()
        return value

    async def aclose(self) -> None:
        """Close all: those of other running loops on their own loop, which get ``FOREIGN_CLOSE`` seconds."""
        here = asyncio.get_running_loop()
        self._drop_stale()
        for loop, value in list(self._values.items()):
            self._values.pop(loop, None)
            if loop is here:
                await self._close(value)
            elif loop.is_running():
                closing = asyncio.run_coroutine_threadsafe(self._close(value), loop)
                with suppress(TimeoutError):
                    await asyncio.wait_for(asyncio.wrap_future(closing), FOREIGN_CLOSE)

    def _drop_stale(self) -> None:
        for stale in [loop for loop in self._values if loop.is_closed()]:
            self._forget(self._values.pop(stale))
