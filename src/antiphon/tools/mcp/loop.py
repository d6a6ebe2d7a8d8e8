"""The event loop that MCP connections live on: a thread of its own, one a process, so that no server, however slow, large
or talkative, takes time from the voice. Under the test kit's clock everything is one loop, and MCP is on it too."""

from __future__ import annotations

import asyncio
import atexit
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")
_lock = threading.Lock()
_loop: asyncio.AbstractEventLoop | None = None


def mcp_loop() -> asyncio.AbstractEventLoop:
    """The loop, running."""
    here = asyncio.get_running_loop()
    if getattr(here, "virtual", False):
        return here
    global _loop
    with _lock:
        if _loop is None or _loop.is_closed():
            _loop = asyncio.new_event_loop()
            threading.Thread(target=_loop.run_forever, name="antiphon-mcp", daemon=True).start()
            atexit.register(_stop, _loop)
        return _loop


def _stop(loop: asyncio.AbstractEventLoop) -> None:
    if loop.is_running():
        loop.call_soon_threadsafe(loop.stop)


async def on(loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on ``loop`` and wait for it here; being cancelled here cancels it there."""
    if asyncio.get_running_loop() is loop:
        return await coroutine
    return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(coroutine, loop))
