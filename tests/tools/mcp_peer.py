"""A scripted MCP server behind a transport in memory, for the virtual clock: it speaks the protocol, well or badly."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
from mcp.shared.message import SessionMessage
from mcp_types import jsonrpc_message_adapter

from antiphon.tools.mcp.servers import MCPServer
from antiphon.tools.mcp.transport import Link, Open, watched

OBJECT: dict[str, Any] = {"type": "object", "properties": {"text": {"type": "string"}}}
Handler = Callable[["Peer", dict[str, Any]], Awaitable[Any]]


def text(words: str, **more: Any) -> dict[str, Any]:
    """A tool's result."""
    return {"content": [{"type": "text", "text": words}], **more}


class Peer:
    """``tools``: what it lists. ``call``: answers ``tools/call`` requests; ``None``: never. ``connects_after``: seconds
    until it takes a connection; ``refuses``: how many connections fail first. ``calls``: what reached it."""

    def __init__(
        self,
        call: Handler | None = None,
        *,
        tools: list[dict[str, Any]] | None = None,
        connects_after: float = 0.0,
        refuses: int = 0,
    ) -> None:
        self.tools = tools if tools is not None else [{"name": "echo", "inputSchema": OBJECT}]
        self._call, self._connects_after, self.refuses = call, connects_after, refuses
        self.calls: list[dict[str, Any]] = []
        self.connections = 0
        self.lists = 0
        self._send: Any = None
        self._tasks: set[asyncio.Task[Any]] = set()

    @asynccontextmanager
    async def transport(self) -> AsyncIterator[Any]:
        self.connections += 1
        if self.connections <= self.refuses:
            raise ConnectionRefusedError("nobody is there")
        await asyncio.sleep(self._connects_after)
        to_client, from_server = anyio.create_memory_object_stream[Any](0)
        to_server, from_client = anyio.create_memory_object_stream[Any](0)
        self._send = to_client
        serving = asyncio.get_running_loop().create_task(self._serve(from_client), name="peer")
        try:
            yield from_server, to_server
        finally:
            for task in (serving, *self._tasks):
                task.cancel()
            await asyncio.gather(serving, *self._tasks, return_exceptions=True)
            for stream in (to_client, from_server, to_server, from_client):
                await stream.aclose()

    async def _serve(self, requests: Any) -> None:
        async for message in requests:
            request = message.message.model_dump(by_alias=True, exclude_none=True)
            task = asyncio.get_running_loop().create_task(self._answer(request), name="peer answer")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _answer(self, request: dict[str, Any]) -> None:
        method = request.get("method", "")
        if method == "initialize":
            capabilities = {"tools": {"listChanged": True}}
            info = {"name": "peer", "version": "1"}
            result = {"protocolVersion": "2025-11-25", "capabilities": capabilities, "serverInfo": info}
            await self.send({"id": request["id"], "result": result})
        elif method == "tools/list":
            self.lists += 1
            await self.send({"id": request["id"], "result": {"tools": self.tools}})
        elif method == "tools/call":
            self.calls.append(request)
            if self._call is not None:
                result = await self._call(self, request)
                if result is not None:
                    await self.send({"id": request["id"], "result": result})

    async def send(self, message: dict[str, Any]) -> None:
        """Send a JSON-RPC message, whatever it is."""
        await self._send.send(SessionMessage(jsonrpc_message_adapter.validate_python({"jsonrpc": "2.0", **message})))

    async def notify(self, method: str, **params: Any) -> None:
        await self.send({"method": f"notifications/{method}", "params": params})

    async def dies(self) -> None:
        """The connection ends."""
        await self._send.aclose()


class PeerServer(MCPServer):
    """The server of a peer, as a session uses it."""

    def __init__(self, peer: Peer, **options: Any) -> None:
        self.peer = peer
        super().__init__(name="peer", protocol="2025-11-25", **options)

    def _transport(self) -> Open:
        @asynccontextmanager
        async def opened(link: Link) -> AsyncIterator[Any]:
            async with watched(self.peer.transport(), link) as streams:
                yield streams

        return opened
