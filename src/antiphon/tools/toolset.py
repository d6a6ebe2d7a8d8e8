"""Toolset: tools that come together, with something to set up before and to close behind."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from antiphon.tools.function_tool import FunctionTool, find_function_tools

if TYPE_CHECKING:
    from antiphon.session.session import AgentSession


class Toolset:
    """Give it to an agent or a session among its ``tools``.

    ``tools``: besides its own ``@function_tool`` methods. Override ``setup`` and ``aclose`` for what it needs; its tools
    are offered when ``setup`` has returned. ``wait``: seconds that ``session.start`` waits for that; a slower one
    joins the call when it is ready. A set that raises in ``setup`` is reported and its tools stay away.
    """

    wait: float = 5.0

    def __init__(self, *, id: str = "", tools: Sequence[FunctionTool] = ()) -> None:
        self.id = id or type(self).__name__
        self._given = [*tools, *find_function_tools(self)]
        self._watchers: list[Callable[[], None]] = []

    @property
    def tools(self) -> list[FunctionTool]:
        """What it offers now. Call ``changed`` where that changes while it runs."""
        return list(self._given)

    async def setup(self, session: AgentSession[Any]) -> None:
        """A session begins to use it."""

    async def aclose(self, session: AgentSession[Any]) -> None:
        """The session has ended."""

    def changed(self) -> None:
        """Other tools from the next request on."""
        for watcher in list(self._watchers):
            watcher()

    def watch(self, watcher: Callable[[], None]) -> None:
        self._watchers.append(watcher)

    def unwatch(self, watcher: Callable[[], None]) -> None:
        if watcher in self._watchers:
            self._watchers.remove(watcher)


Tool = FunctionTool | Toolset


def toolsets_in(tools: Iterable[Tool]) -> list[Toolset]:
    """The sets among them."""
    return [tool for tool in tools if isinstance(tool, Toolset)]
