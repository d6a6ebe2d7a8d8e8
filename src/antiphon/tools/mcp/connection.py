"""One connection to one MCP server: an actor. One task owns the client from its opening to its closing, and opens another
when it has died; everybody else hands it calls and gets futures.

A client of the ``mcp`` package may only be closed by the task that opened it, dies with its transport, and then answers
its calls with ``CancelledError``: here that stays inside. A call that may have reached the server is never made again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from typing import Any

from antiphon.errors import AntiphonError, MCPServerError, ToolError
from antiphon.tools.mcp.transport import Link, Open, require_mcp

logger = logging.getLogger("antiphon.mcp")

FIRST_RETRY, LAST_RETRY = 0.5, 30.0
"""Seconds between two tries to connect: the first wait, doubled up to the last."""
LISTED_PAGES = 20
"""Pages of a list of tools that are read."""
COALESCE = 0.3
"""Seconds for which notices of changed tools are collected before the list is read again."""
DRAIN = 30.0
"""Seconds that calls under way may go on after the connection was asked to close."""

Progress = Callable[[float, float | None, str | None], Awaitable[None]]
NOBODY_THERE = ("ConnectError", "ConnectTimeout")
"""Names of the HTTP client's errors that mean: nothing was sent."""
LINE = 300
"""Characters of an error's cause that are reported."""
UNKNOWN = "It is not known whether it took effect: do not repeat it without checking."


class Connection:
    """``on_tools``: told the server's list of tools, when connected and when it changes. ``on_down``: told why a
    connection could not be made or was lost, once an outage. Everything here runs on the MCP loop."""

    def __init__(
        self,
        name: str,
        open_transport: Open,
        *,
        mode: str,
        connect_timeout: float,
        on_tools: Callable[[list[Any]], None],
        on_down: Callable[[AntiphonError], None],
    ) -> None:
        self.name, self._open, self._mode, self._connect_timeout = name, open_transport, mode, connect_timeout
        self._on_tools, self._on_down = on_tools, on_down
        self._client: Any = None
        self._link = Link()
        self._up = asyncio.Event()
        self._stop = asyncio.Event()
        self._changed = asyncio.Event()
        self._calls: set[asyncio.Task[Any]] = set()
        self.opened = 0
        self.protocol = ""
        self._task = asyncio.get_running_loop().create_task(self._run(), name=f"mcp {name}")

    @property
    def busy(self) -> bool:
        """Whether calls are under way."""
        return bool(self._calls)

    async def close(self) -> None:
        """Close when the calls under way are over; returns when it is done."""
        self._stop.set()
        await asyncio.wait({self._task})

    # --- the owner -----------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        delay, down = FIRST_RETRY, False
        while not self._stop.is_set():
            opened = self.opened
            try:
                await self._serve()
                problem: BaseException | None = None
            except BaseException as exc:  # a dying client cancels its owner and raises groups
                problem = exc
                _uncancel()
            causes = _leaves(problem) if problem is not None else []
            self._link.unsent = bool(causes) and all(type(one).__name__ in NOBODY_THERE for one in causes)
            self._link.dead.set()
            self._link.over.set()
            if self._stop.is_set():
                return
            if self.opened > opened:
                delay, down = FIRST_RETRY, False
            if not down:
                down = True
                self._on_down(self._explain(problem, causes))
            with suppress(TimeoutError):
                async with asyncio.timeout(delay):
                    await self._stop.wait()
            delay = min(delay * 2, LAST_RETRY)

    async def _serve(self) -> None:
        """One client's life."""
        require_mcp()
        from mcp import Client

        link = self._link = Link()
        self._changed.clear()
        async with AsyncExitStack() as stack:
            async with asyncio.timeout(self._connect_timeout):
                client: Any = Client(self._open(link), mode=self._mode, message_handler=self._message)
                await stack.enter_async_context(client)
                self._on_tools(await self._listed(client))
            self.opened += 1
            self.protocol = client.protocol_version
            self._client = client
            self._up.set()
            listening = asyncio.get_running_loop().create_task(self._listen(client), name=f"mcp {self.name} changes")
            try:
                await self._until_over(client, link)
            finally:
                self._up.clear()
                self._client = None
                listening.cancel()
                with suppress(BaseException):
                    await listening

    async def _until_over(self, client: Any, link: Link) -> None:
        while not link.dead.is_set() and not self._stop.is_set():
            await _first(link.dead, self._stop, self._changed)
            if self._changed.is_set() and not link.dead.is_set():
                await asyncio.sleep(COALESCE)
                self._changed.clear()
                async with asyncio.timeout(self._connect_timeout):
                    self._on_tools(await self._listed(client))
        if self._calls and not link.dead.is_set():
            await asyncio.wait(self._calls, timeout=DRAIN)

    async def _listed(self, client: Any) -> list[Any]:
        tools: list[Any] = []
        cursor: str | None = None
        for _ in range(LISTED_PAGES):
            page = await client.list_tools(cursor=cursor, cache_mode="refresh")
            tools += page.tools
            cursor = page.next_cursor
            if cursor is None:
                break
        return tools

    async def _listen(self, client: Any) -> None:
        """Servers of 2026-07-28 tell of changes on a stream of its own, where they offer one."""
        from mcp import MCPError
        from mcp.client.subscriptions import ListenNotSupportedError, SubscriptionLost

        while True:
            try:
                async with client.listen(tools_list_changed=True) as changes:
                    async for _ in changes:
                        self._changed.set()
                return
            except (ListenNotSupportedError, MCPError):
                return
            except (SubscriptionLost, TimeoutError):
                await asyncio.sleep(FIRST_RETRY)
                self._changed.set()  # nobody says what was missed

    async def _message(self, message: Any) -> None:
        if getattr(message, "method", "") == "notifications/tools/list_changed":
            self._changed.set()

    def _explain(self, problem: BaseException | None, causes: list[BaseException]) -> AntiphonError:
        if isinstance(problem, AntiphonError):
            return problem
        if self._link.status in (401, 403):
            return MCPServerError(
                f"The MCP server {self.name} refuses us (HTTP {self._link.status}).", hint="Check its headers."
            )
        if isinstance(problem, TimeoutError):
            return MCPServerError(
                f"The MCP server {self.name} did not answer within {self._connect_timeout:g} s.",
                hint="Its tools join the call when it does; raise connect_timeout= if it is always that slow.",
            )
        if isinstance(problem, FileNotFoundError | PermissionError):
            return MCPServerError(f"The MCP server {self.name} cannot be started: {problem}.", hint="Check command=.")
        if any(type(one).__name__ == "ValidationError" for one in causes):
            return MCPServerError(
                f"What the MCP server {self.name} says is not valid: {_line(causes)}.",
                hint="None of its tools can be offered: tell whoever runs it.",
            )
        why = _line(causes) or "the connection ended"
        return MCPServerError(
            f"The MCP server {self.name} cannot be reached: {why}.", hint="Its tools join again when it is back."
        )

    # --- calls ---------------------------------------------------------------------------------------------------

    async def call(self, tool: str, arguments: dict[str, Any], *, timeout: float, progress: Progress | None) -> Any:
        """The server's ``CallToolResult``. Raises ``ToolError`` for all that can go wrong, within ``timeout`` s."""
        loop = asyncio.get_running_loop()
        until = loop.time() + timeout
        while True:
            client, link = await self._connected(until)
            alone = not self._calls
            task = loop.create_task(
                client.call_tool(tool, arguments, progress_callback=progress), name=f"mcp {self.name}.{tool}"
            )
            self._calls.add(task)
            task.add_done_callback(self._calls.discard)
            dead = loop.create_task(link.dead.wait(), name=f"mcp {self.name} watch")
            try:
                await asyncio.wait({task, dead}, timeout=until - loop.time(), return_when=asyncio.FIRST_COMPLETED)
            finally:
                dead.cancel()
                if not task.done():
                    task.cancel()
            if task.done() and not task.cancelled() and task.exception() is None:
                return task.result()
            if not task.done() and not link.dead.is_set():
                raise ToolError(f"{self.name} did not answer within {timeout:g} seconds. {UNKNOWN}")
            if not (link.dead.is_set() or link.refused or _closed(task)):
                raise self._failed(task)
            link.dead.set()
            with suppress(TimeoutError):
                async with asyncio.timeout_at(until):
                    await link.over.wait()
            if not (link.refused or (link.unsent and alone)):
                raise ToolError(f"The connection to {self.name} was lost during the call. {UNKNOWN}")

    async def _connected(self, until: float) -> tuple[Any, Link]:
        if self._stop.is_set():
            raise ToolError(f"The connection to {self.name} is closed.")
        if not self._up.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout_at(until):
                    await _first(self._up, self._stop)
        if self._client is None:
            raise ToolError(f"{self.name} cannot be reached at the moment, so nothing was done.")
        return self._client, self._link

    def _failed(self, task: asyncio.Task[Any]) -> ToolError:
        from mcp import MCPError

        error = task.exception()
        if isinstance(error, MCPError):
            return ToolError(f"{self.name} refused the call: {error}")
        logger.warning("%s: a call failed: %s: %s", self.name, type(error).__name__, error)
        return ToolError(f"{self.name} gave an answer that is not what it says of itself. {UNKNOWN}")


def _closed(task: asyncio.Task[Any]) -> bool:
    """Whether a call failed because its client died: it is cancelled then, or told so."""
    return not task.done() or task.cancelled() or "onnection closed" in str(task.exception())


async def _first(*events: asyncio.Event) -> None:
    """Wait for one of them."""
    tasks = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()


def _leaves(problem: BaseException) -> list[BaseException]:
    if isinstance(problem, BaseExceptionGroup):
        return [leaf for one in problem.exceptions for leaf in _leaves(one)]
    return [problem]


def _line(causes: list[BaseException]) -> str:
    """Their texts, as one line that a log can hold."""
    text = "; ".join(f"{type(one).__name__}: {one}" for one in causes)
    return " ".join(text.split())[:LINE]


def _uncancel() -> None:
    """A dying client cancels the task that owns it; nobody else ever does."""
    task = asyncio.current_task()
    while task is not None and task.cancelling():
        task.uncancel()
