"""What all adapted plugins need of LiveKit: a place to run in, and their errors told as ours.

Owns: the HTTP session that plugins expect around them, one for each loop, as long as the loop runs. Never: what a model
says.
"""

from __future__ import annotations

import asyncio
from contextvars import Context
from importlib import import_module
from typing import Any

from antiphon.errors import ModelError

TIMEOUT = 10.0
"""Seconds a plugin may take to connect."""


def once() -> Any:
    """Their options for one attempt: who retries is the session."""
    return import_module("livekit.agents").APIConnectOptions(max_retry=0, timeout=TIMEOUT)


class _HttpHome:
    """Plugins take their HTTP session from a context variable that LiveKit's worker sets, and keep it: it lives until the
    loop ends."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._context = Context()
        self._ready: asyncio.Future[None] = loop.create_future()
        self._task = loop.create_task(self._hold(), name="antiphon:livekit-http", context=self._context)

    async def _hold(self) -> None:
        try:
            async with import_module("livekit.agents.utils.http_context").open():
                self._ready.set_result(None)
                await asyncio.Event().wait()
        finally:
            _homes.pop(self._loop, None)

    async def enter(self) -> None:
        """Give the running task their session."""
        await asyncio.wait({self._ready, self._task}, return_when=asyncio.FIRST_COMPLETED)
        if self._task.done():
            await self._task
        for variable, value in self._context.items():
            if variable.name == "agent_http_session" and variable.get(None) is None:
                variable.set(value)


_homes: dict[asyncio.AbstractEventLoop, _HttpHome] = {}


async def enter() -> None:
    """Make the running task, and those it starts, a place where plugins find what LiveKit's worker gives them."""
    loop = asyncio.get_running_loop()
    if loop not in _homes:
        _homes[loop] = _HttpHome(loop)
    await _homes[loop].enter()


async def prewarm(theirs: Any) -> None:
    """Let a plugin connect ahead of need. Raises ``ModelError``."""
    try:
        await enter()
        theirs.prewarm()
    except Exception as exc:
        raise told(exc, theirs) from None


def told(error: Exception, theirs: Any) -> ModelError:
    """Their error as ours. ``retryable`` and the status are theirs, but that a lost connection may always be tried again:
    what was said before is the session's to judge. What is no error of LiveKit's or the network's is a fault of the plugin."""
    network = isinstance(error, OSError | TimeoutError | import_module("livekit.agents").APIConnectionError)
    status = getattr(error, "status_code", -1)
    retryable = network or getattr(error, "retryable", False)
    said = getattr(error, "message", "") if status > 0 else str(error)
    return ModelError(
        f"{theirs.provider}: {_without_keys(said or type(error).__name__, theirs)}",
        hint="Check the key that the plugin was given." if status in (401, 403) else "",
        retryable=bool(retryable),
        status=status if 400 <= status < 600 else None,
    )


def _without_keys(text: str, theirs: Any) -> str:
    """Some plugins put their request into the error's text."""
    for holder in (theirs, getattr(theirs, "_opts", None), getattr(theirs, "_client", None)):
        for name, value in getattr(holder, "__dict__", {}).items():
            if "key" in name and isinstance(value, str) and len(value) >= 8:
                text = text.replace(value, "***")
    return text
