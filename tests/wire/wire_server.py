"""A chat completions server on loopback that fails the way real services do. Each connection is plain asyncio, so that
it can break at any byte."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

Handler = Callable[["Exchange"], Awaitable[None]]

SSE = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


class Exchange:
    """One request and the means to answer it."""

    def __init__(self, head: str, body: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.head = head
        self.reader = reader
        self.body = body
        self.writer = writer

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    async def raw(self, data: str | bytes) -> None:
        self.writer.write(data.encode() if isinstance(data, str) else data)
        await self.writer.drain()

    async def chunk(self, data: str) -> None:
        await self.raw(f"{len(data.encode()):x}\r\n{data}\r\n")

    async def say(self, *words: str) -> None:
        for word in words:
            await self.chunk(f"data: {json.dumps({'choices': [{'delta': {'content': word}}]})}\n\n")

    async def finish(self, *, mark: bool = True) -> None:
        await self.chunk(f"data: {json.dumps({'choices': [{'delta': {}, 'finish_reason': 'stop'}]})}\n\n")
        usage = {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2}}
        await self.chunk(f"data: {json.dumps(usage)}\n\n")
        if mark:
            await self.chunk("data: [DONE]\n\n")
            await self.raw("0\r\n\r\n")

    async def refuse(self, status: int, body: str = "", headers: str = "") -> None:
        await self.raw(
            f"HTTP/1.1 {status} No\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n{headers}\r\n{body}"
        )

    async def gone(self) -> None:
        """Wait, saying nothing more, until the client has hung up."""
        await self.reader.read(1)

    def cut(self) -> None:
        self.writer.transport.abort()


class Server:
    """``handlers`` answer the requests in turn; the last one answers all that follow."""

    def __init__(self, *handlers: Handler) -> None:
        self.handlers = handlers
        self.requests: list[Exchange] = []
        self.connections = 0
        self.open = 0
        self.url = ""
        self.asked = asyncio.Event()
        self.freed = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open += 1
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                length = next(
                    (int(line[15:]) for line in head.split("\r\n") if line.lower().startswith("content-length:")), 0
                )
                exchange = Exchange(head, await reader.readexactly(length), reader, writer)
                self.requests.append(exchange)
                self.asked.set()
                handler = self.handlers[min(len(self.requests), len(self.handlers)) - 1]
                await handler(exchange)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.open -= 1
            self.freed.set()
            writer.close()


async def hang(exchange: Exchange) -> None:
    """Take the request and never answer."""
    await exchange.gone()


@asynccontextmanager
async def serving(*handlers: Handler) -> AsyncIterator[Server]:
    server = Server(*handlers)
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}/v1"
    try:
        yield server
    finally:
        listener.close()
