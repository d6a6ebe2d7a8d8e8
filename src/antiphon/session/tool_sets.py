"""The toolsets and MCP servers of one session: set up, offered when ready, watched for changes, closed behind it.

Runs on the user's lane. Nothing here delays a call by more than a set's own ``wait``, and a set that cannot be set up is
reported and left out.
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from antiphon.errors import AntiphonError
from antiphon.tools.function_tool import FunctionTool
from antiphon.tools.toolset import Tool, Toolset, toolsets_in

if TYPE_CHECKING:
    from antiphon.session.live_session import LiveSession

CLOSE_WITHIN = 3.0
"""Seconds a set may take to close before the session goes without it."""


class ToolSets:
    """Each set once, however many agents have it."""

    def __init__(self, session: LiveSession) -> None:
        self._session: Any = session
        self._setting_up: dict[Toolset, asyncio.Task[None]] = {}
        self._ready: set[Toolset] = set()
        self._closing: asyncio.Task[None] | None = None

    def open(self, tools: Iterable[Tool]) -> None:
        """Begin to set up the sets among ``tools``."""
        for one in toolsets_in(tools):
            if one not in self._setting_up and self._closing is None:
                self._setting_up[one] = asyncio.get_running_loop().create_task(
                    self._set_up(one), name=f"toolset {one.id}"
                )

    async def _set_up(self, one: Toolset) -> None:
        one.watch(self._changed)
        try:
            await one.setup(self._session)
        except Exception as exc:
            text = str(exc) if isinstance(exc, AntiphonError) else traceback.format_exc()
            self._session.report_error("tool", f"{one.id}: {text}")
            return
        self._ready.add(one)
        self._changed()

    def _changed(self) -> None:
        self._session.tools_changed()

    async def settle(self) -> None:
        """Wait for what is being set up, each as long as it says."""
        loop = asyncio.get_running_loop()
        started = loop.time()
        for one, task in list(self._setting_up.items()):
            left = started + one.wait - loop.time()
            if left > 0 and not task.done():
                await asyncio.wait({task}, timeout=left)

    def flat(self, tools: Iterable[Tool]) -> dict[str, FunctionTool]:
        """Functions by name, those of ready sets before the others: a function of the same name wins."""
        tools = list(tools)
        found = {tool.name: tool for one in toolsets_in(tools) if one in self._ready for tool in one.tools}
        found.update({tool.name: tool for tool in tools if isinstance(tool, FunctionTool)})
        return found

    def close(self) -> None:
        """Begin to close all sets."""
        if self._closing is None:
            self._closing = asyncio.get_running_loop().create_task(self._close(), name="toolsets close")

    async def closed(self) -> None:
        if self._closing is not None:
            await asyncio.wait({self._closing})

    async def _close(self) -> None:
        sets, self._ready = list(self._setting_up), set()
        for task in self._setting_up.values():
            task.cancel()
        await asyncio.gather(*self._setting_up.values(), return_exceptions=True)
        closing = [
            asyncio.get_running_loop().create_task(self._close_one(one), name=f"toolset {one.id}") for one in sets
        ]
        if closing:
            _, late = await asyncio.wait(closing, timeout=CLOSE_WITHIN)
            for task in late:
                task.cancel()
                self._session.report_error("tool", f"{task.get_name()} did not close in time and was left behind.")

    async def _close_one(self, one: Toolset) -> None:
        one.unwatch(self._changed)
        try:
            await one.aclose(self._session)
        except Exception:
            self._session.report_error("tool", f"{one.id}: {traceback.format_exc()}")
