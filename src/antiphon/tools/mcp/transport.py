"""Ways to a server: a child process, streamable HTTP, SSE. Each is an ``mcp`` transport that says when it has died.

Everything here runs on the MCP loop, and only here and in ``connection`` is the ``mcp`` package imported.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from antiphon.errors import ConfigurationError

logger = logging.getLogger("antiphon.mcp")

LINE_LIMIT = 2_000
"""Characters of one line of a server's stderr that reach the log."""
LINES_PER_SECOND = 20
"""Lines of a server's stderr that reach the log; more are counted."""
SESSION_HEADER = "mcp-session-id"


class Link:
    """What is known of a transport. ``dead``: nothing more comes. ``over``: its client is gone. ``refused``: the server
    does not know our session (any more), so what was sent has not been taken. ``unsent``: it died because nobody was
    there to take what was sent. ``status``: the newest HTTP error status."""

    def __init__(self) -> None:
        self.dead = asyncio.Event()
        self.over = asyncio.Event()
        self.refused = self.unsent = False
        self.status = 0


Open = Callable[[Link], AbstractAsyncContextManager[Any]]
"""Makes a transport that reports to the link."""


class _Watched:
    """A transport's read stream that notices its end."""

    def __init__(self, stream: Any, link: Link) -> None:
        from anyio import BrokenResourceError, ClosedResourceError, EndOfStream

        self._stream, self._link = stream, link
        self._end, self._ends = EndOfStream, (EndOfStream, ClosedResourceError, BrokenResourceError)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    async def receive(self) -> Any:
        try:
            return await self._stream.receive()
        except self._ends:
            self._link.dead.set()
            raise

    def __aiter__(self) -> _Watched:
        return self

    async def __anext__(self) -> Any:
        try:
            return await self.receive()
        except self._end:
            raise StopAsyncIteration from None

    async def __aenter__(self) -> _Watched:
        await self._stream.__aenter__()
        return self

    async def __aexit__(self, *exc: Any) -> Any:
        return await self._stream.__aexit__(*exc)


@asynccontextmanager
async def watched(transport: AbstractAsyncContextManager[Any], link: Link) -> AsyncIterator[Any]:
    """The transport's streams, the read stream watched."""
    async with transport as (read, write):
        yield _Watched(read, link), write


def stdio(command: str, args: list[str], env: Mapping[str, str] | None, cwd: str | None, name: str) -> Open:
    """A child process; its stderr goes to our log."""

    @asynccontextmanager
    async def opened(link: Link) -> AsyncIterator[Any]:
        from mcp import StdioServerParameters
        from mcp.client.stdio import stdio_client

        async with _stderr_to_log(name) as errlog:
            parameters = StdioServerParameters(command=command, args=args, env=dict(env or {}), cwd=cwd)
            async with watched(stdio_client(parameters, errlog=errlog), link) as streams:
                errlog.close()  # the server has its own end
                yield streams

    return opened


@asynccontextmanager
async def _stderr_to_log(name: str) -> AsyncIterator[Any]:
    loop = asyncio.get_running_loop()
    ours, theirs = os.pipe()
    errlog = os.fdopen(theirs, "w")
    reader = os.fdopen(ours, "rb", 0)
    transport, _ = await loop.connect_read_pipe(lambda: _StderrLog(name, loop), reader)
    try:
        yield errlog
    finally:
        errlog.close()
        transport.close()


class _StderrLog(asyncio.Protocol):
    """A server's stderr, line by line, so much of it a second."""

    def __init__(self, name: str, loop: asyncio.AbstractEventLoop) -> None:
        self._name, self._loop = name, loop
        self._rest = b""
        self._second, self._lines = 0.0, 0

    def data_received(self, data: bytes) -> None:
        *lines, rest = (self._rest + data).split(b"\n")
        self._rest = rest[-LINE_LIMIT:]
        for line in lines:
            self._log(line.decode(errors="replace").rstrip()[:LINE_LIMIT])

    def _log(self, line: str) -> None:
        now = self._loop.time()
        if now - self._second >= 1.0:
            if self._lines > LINES_PER_SECOND:
                logger.warning("%s: %d more lines on stderr", self._name, self._lines - LINES_PER_SECOND)
            self._second, self._lines = now, 0
        self._lines += 1
        if line and self._lines <= LINES_PER_SECOND:
            logger.info("%s: %s", self._name, line)


Headers = Mapping[str, str] | Callable[[], Any] | None


def http(url: str, given: Headers, *, sse: bool) -> Open:
    """Streamable HTTP, or the older SSE. ``given``: headers, or a function that is asked for them before each request."""

    @asynccontextmanager
    async def opened(link: Link) -> AsyncIterator[Any]:
        from mcp.client.sse import sse_client
        from mcp.client.streamable_http import streamable_http_client
        from mcp.shared._httpx_utils import create_mcp_http_client

        async def asked(request: Any) -> None:
            if given is not None:
                made = given() if callable(given) else given
                request.headers.update(dict(await made if inspect.isawaitable(made) else made))

        async def answered(response: Any) -> None:
            if response.status_code >= 400 and response.request.method == "POST":
                link.status = response.status_code
                if response.status_code in (400, 404) and SESSION_HEADER in response.request.headers:
                    link.refused = True

        def client(headers: Any = None, timeout: Any = None, auth: Any = None) -> Any:
            made = create_mcp_http_client(headers, timeout, auth)
            made.event_hooks = {"request": [asked], "response": [answered]}
            return made

        if sse:
            async with watched(sse_client(url, httpx_client_factory=client), link) as streams:
                yield streams
        else:
            async with client() as own, watched(streamable_http_client(url, http_client=own), link) as streams:
                yield streams

    return opened


def require_mcp() -> None:
    """Raises ``ConfigurationError`` where the package is not installed."""
    try:
        import mcp  # noqa: F401
    except ImportError as exc:
        raise ConfigurationError(
            "MCP servers need the package 'mcp'.", hint="Install it with: pip install 'antiphon[mcp]'"
        ) from exc
