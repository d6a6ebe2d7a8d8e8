"""MCP servers as toolsets: what is offered of them, under which names, and with which rules.

What a server says of its own tools (``readOnlyHint`` and the like) is a stranger's claim: it counts only with
``trust=True``. Without it every tool is a write: at most once, after the turn, never repeated.
"""

from __future__ import annotations

import asyncio
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

import msgspec

from antiphon.errors import AntiphonError, ConfigurationError, MCPServerError, ToolError
from antiphon.kernel.events import Effectfulness, OnDuplicate, Retry
from antiphon.tools.function_tool import FunctionTool, ToolOptions
from antiphon.tools.mcp.connection import Connection
from antiphon.tools.mcp.content import as_content, in_text
from antiphon.tools.mcp.loop import mcp_loop, on
from antiphon.tools.mcp.transport import Headers, Open, http, stdio
from antiphon.tools.results import RESULT_LIMIT
from antiphon.tools.run_context import RunContext
from antiphon.tools.toolset import Toolset

if TYPE_CHECKING:
    from antiphon.session.session import AgentSession

Protocol = Literal["auto", "2025-11-25", "2026-07-28"]
MODES = {"auto": "auto", "2025-11-25": "legacy", "2026-07-28": "2026-07-28"}
MAX_TOOLS = 128
"""Tools of one server that are offered."""
MAX_DESCRIPTION, MAX_SCHEMA = 2_000, 32_000
"""Characters of a tool's description (longer ones are cut) and of its schema (tools with longer ones are left out)."""
PROGRESS_EVERY = 0.5
"""Seconds between two reports of progress that are passed on."""


class MCPToolOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What holds for one tool of a server, as in ``function_tool``. ``name``, ``description``: instead of the server's.
    ``timeout``: seconds for the server to answer (0: the server's). ``progress``: ``event``: reports of progress are
    events; ``tell``: the model is told of the first, so that the conversation goes on while the tool works."""

    name: str = ""
    description: str = ""
    effect: Effectfulness | None = None
    retry: Retry = "never"
    timeout: float = 0.0
    filler: str | None = None
    confirm: bool | Callable[[str], bool] = False
    on_duplicate: OnDuplicate = "allow"
    cancellable: bool = False
    redact: bool | Sequence[str] = False
    result_limit: int = RESULT_LIMIT
    progress: Literal["event", "tell"] = "event"


class MCPServer(Toolset, ABC):
    """A server and what is offered of it. Make an ``MCPServerStdio`` or an ``MCPServerHTTP``.

    ``name``: in errors and logs. ``namespace``: put before each tool's name, as ``namespace__tool``. ``allow``,
    ``deny``: patterns of the server's tool names (``*`` and ``?``): only these, not these. ``options``: by tool name.
    ``trust``: believe what the server says of its tools' effects. ``timeout``: seconds for the answer to a call.
    ``connect_timeout``: seconds for one try to connect; tries go on, and a server that dies is connected again.
    ``wait``: seconds that ``session.start`` waits for it; otherwise its tools join the call when they are there.
    ``filler``: said if a call takes longer than a moment. ``protocol``: the era to speak. One object may serve several
    sessions, which share its connection.
    """

    def __init__(
        self,
        *,
        name: str,
        namespace: str = "",
        allow: Sequence[str] | None = None,
        deny: Sequence[str] = (),
        options: Mapping[str, MCPToolOptions] | None = None,
        trust: bool = False,
        timeout: float = 10.0,
        connect_timeout: float = 15.0,
        wait: float = 0.0,
        filler: str = "",
        protocol: Protocol = "auto",
    ) -> None:
        super().__init__(id=name)
        if protocol not in MODES:
            raise ConfigurationError(f"protocol={protocol!r} is not known.", hint=f"Use one of {', '.join(MODES)}.")
        self.name, self.namespace = name, namespace
        self.allow, self.deny = allow, deny
        self.options = dict(options or {})
        self.trust, self.timeout, self.connect_timeout, self.wait = trust, timeout, connect_timeout, wait
        self.filler, self.protocol = filler, protocol
        self._offered: list[FunctionTool] = []
        self._users: dict[Any, asyncio.AbstractEventLoop] = {}
        self._connection: Connection | None = None
        self._listed = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    @abstractmethod
    def _transport(self) -> Open:
        """How its connection is opened."""

    @property
    def tools(self) -> list[FunctionTool]:
        return list(self._offered)

    def result(self, tool: str, result: Any) -> Any:
        """What the model reads of a server's ``CallToolResult``. Override it for another reading."""
        return as_content(result)

    # --- a session's use of it -----------------------------------------------------------------------------------

    async def setup(self, session: AgentSession[Any]) -> None:
        self._users[session] = asyncio.get_running_loop()
        self._loop = mcp_loop()
        await on(self._loop, self._connect())

    async def _connect(self) -> None:
        if self._connection is None:
            self._listed = asyncio.Event()
            self._connection = Connection(
                self.name,
                self._transport(),
                mode=MODES[self.protocol],
                connect_timeout=self.connect_timeout,
                on_tools=self._take,
                on_down=self._down,
            )
        await self._listed.wait()

    async def aclose(self, session: AgentSession[Any]) -> None:
        """The last session closes the connection; a call that still runs (a write that outlives its session) first ends."""
        self._users.pop(session, None)
        if self._users or self._connection is None or self._loop is None:
            return
        connection, self._connection = self._connection, None
        self._offered = []
        closing = on(self._loop, connection.close())
        if connection.busy:
            asyncio.run_coroutine_threadsafe(closing, self._loop)
        else:
            await closing

    def _down(self, error: AntiphonError) -> None:
        for session, loop in list(self._users.items()):
            loop.call_soon_threadsafe(session.report_error, "mcp", str(error))

    def _take(self, listed: list[Any]) -> None:
        """The server's list of tools, as those that are offered."""
        offered: dict[str, FunctionTool] = {}
        problems: list[str] = []
        for one in listed:
            if not self._wanted(one.name):
                continue
            try:
                tool = self._tool(one)
                if tool.name in offered:
                    raise ConfigurationError(f"two tools are named {tool.name!r}")
                if len(offered) >= MAX_TOOLS:
                    raise ConfigurationError(f"it has more than {MAX_TOOLS} tools")
                offered[tool.name] = tool
            except ConfigurationError as exc:
                problems.append(f"{one.name[:80]}: {exc}")
        self._offered = list(offered.values())
        self._listed.set()
        if problems:
            shown = "; ".join(problems[:5])
            self._down(MCPServerError(f"{len(problems)} tools of the MCP server {self.name} are left out: {shown}."))
        for loop in set(self._users.values()):
            loop.call_soon_threadsafe(self.changed)

    def _wanted(self, name: str) -> bool:
        if any(fnmatchcase(name, pattern) for pattern in self.deny):
            return False
        return self.allow is None or any(fnmatchcase(name, pattern) for pattern in self.allow)

    def _tool(self, listed: Any) -> FunctionTool:
        own = self.options.get(listed.name, MCPToolOptions())
        name = own.name or (f"{self.namespace}__{listed.name}" if self.namespace else listed.name)
        schema = listed.input_schema
        if schema.get("type") != "object" or not isinstance(schema.get("properties", {}), dict):
            raise ConfigurationError("its schema is not that of an object")
        if len(msgspec.json.encode(schema)) > MAX_SCHEMA:
            raise ConfigurationError("its schema is too long")
        hints = listed.annotations if self.trust else None
        effect = own.effect or ("read" if hints is not None and hints.read_only_hint else "write")
        return MCPTool(
            self,
            listed.name,
            own,
            ToolOptions(
                name=re.sub(r"[^a-zA-Z0-9_-]", "_", name)[:64],
                description=(own.description or listed.description or "")[:MAX_DESCRIPTION],
                effect=effect,
                retry=own.retry,
                cancellable=own.cancellable,
                on_duplicate=own.on_duplicate,
                confirm=own.confirm,
                redact=own.redact,
                result_limit=own.result_limit,
                filler=self.filler if own.filler is None else own.filler,
                raw_schema={"parameters": {"properties": {}, **schema}},
            ),
        )

    async def _call(self, tool: str, own: MCPToolOptions, arguments: dict[str, Any], ctx: RunContext[Any]) -> Any:
        connection, loop = self._connection, self._loop
        if connection is None or loop is None:
            raise ToolError(f"The connection to {self.name} is closed.")
        timeout = own.timeout or self.timeout
        progress = _Progress(ctx, tell=own.progress == "tell")
        result = await on(loop, connection.call(tool, arguments, timeout=timeout, progress=progress))
        value = self.result(tool, result)
        if result.is_error:
            raise ToolError(in_text(value) or f"{self.name} says that {tool} failed.")
        return value


class MCPTool(FunctionTool):
    """One tool of a server. It only waits for an answer, so it runs on the core lane: a blocked user loop is no matter."""

    on_core = True

    def __init__(self, server: MCPServer, tool: str, own: MCPToolOptions, options: ToolOptions) -> None:
        async def call(raw_arguments: dict[str, Any], ctx: RunContext[Any]) -> Any:
            return await server._call(tool, own, raw_arguments, ctx)

        super().__init__(call, options)


class _Progress:
    """Reports of progress, so many a second; the newest counts."""

    def __init__(self, ctx: RunContext[Any], *, tell: bool) -> None:
        self._ctx, self._tell = ctx, tell
        self._last = -PROGRESS_EVERY
        self.dropped = 0

    async def __call__(self, progress: float, total: float | None, message: str | None) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._last < PROGRESS_EVERY:
            self.dropped += 1
            return
        self._last = now
        text = message or (f"{progress:g} of {total:g}" if total else f"{progress:g}")
        tell, self._tell = self._tell, False
        await self._ctx.update(text[:500], silent=not tell)


class MCPServerStdio(MCPServer):
    """A server that is a program: started with ``command`` and ``args``, ended with the session. ``env``: added to the few
    variables that it inherits. ``options``: of ``MCPServer``."""

    def __init__(
        self,
        command: str,
        args: Sequence[str] = (),
        *,
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
        name: str = "",
        **options: Any,
    ) -> None:
        self.command, self.args, self.env, self.cwd = command, list(args), env, cwd
        super().__init__(name=name or " ".join([command.rpartition("/")[2], *self.args[:1]]), **options)

    def _transport(self) -> Open:
        return stdio(self.command, self.args, self.env, self.cwd, self.name)


class MCPServerHTTP(MCPServer):
    """A server at an http(s) ``url``. ``headers``: values, or a function (or coroutine) that is asked before each request:
    for tokens that expire. ``transport``: ``http`` (streamable) or ``sse``; ``auto``: ``sse`` where the path ends so."""

    def __init__(
        self,
        url: str,
        *,
        headers: Headers = None,
        transport: Literal["auto", "http", "sse"] = "auto",
        name: str = "",
        **options: Any,
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigurationError(
                f"{url!r} is not the URL of an MCP server.",
                hint="Write it as https://host/path; for a program use MCPServerStdio(command, args).",
            )
        self.url, self.headers = url, headers
        self.sse = transport == "sse" or (transport == "auto" and parts.path.rstrip("/").endswith("/sse"))
        super().__init__(name=name or parts.netloc.rpartition("@")[2], **options)

    def _transport(self) -> Open:
        return http(self.url, self.headers, sse=self.sse)


def servers_of(given: Sequence[MCPServer | str]) -> list[MCPServer]:
    """Servers as a user writes them: a string is an http(s) URL. Raises ``ConfigurationError`` for anything else."""
    servers: list[MCPServer] = []
    for one in given:
        if isinstance(one, str):
            servers.append(MCPServerHTTP(one))
        elif isinstance(one, MCPServer):
            servers.append(one)
        else:
            raise ConfigurationError(
                f"{one!r} is not an MCP server.", hint="Pass a URL, MCPServerHTTP(...) or MCPServerStdio(...)."
            )
    return servers
