"""Simulators on a port: aiohttp on loopback.

Owns the server. Never: what a service does.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
from aiohttp import WSMsgType, web

from antiphon.testing.simulators.base import Frame, Peer, PeerClosedError, Request, Simulator


class _WebPeer(Peer):
    def __init__(self, request: Request, socket: web.WebSocketResponse, transport: object) -> None:
        super().__init__(request)
        self._socket, self._transport = socket, transport

    async def take(self) -> Frame:
        message = await self._socket.receive()
        if message.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
            raise PeerClosedError
        return message.data  # type: ignore[no-any-return]

    async def deliver(self, frame: Frame) -> None:
        try:
            await (self._socket.send_str(frame) if isinstance(frame, str) else self._socket.send_bytes(frame))
        except (ConnectionError, RuntimeError):
            raise PeerClosedError from None

    async def shut(self, code: int, reason: str) -> None:
        if self.closed is None:
            self.closed = (code, reason)
            if code == 1006:  # no frame may carry it
                await self.abort()
            else:
                await self._socket.close(code=code, message=reason.encode())

    async def abort(self) -> None:
        self.closed = self.closed or (1006, "")
        abort = getattr(self._transport, "abort", None)
        if abort is not None:
            abort()


def application(simulator: Simulator) -> web.Application:
    """The simulator as an aiohttp application."""

    async def handle(request: web.Request) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        body = b"" if headers.get("upgrade") else await request.read()
        asked = Request(request.method, request.path, tuple(request.query.items()), headers, body)
        if not headers.get("upgrade"):
            return await _answer(simulator, asked, request)
        refusal = await simulator.admit(asked)
        if refusal is not None:
            return web.Response(
                status=refusal.status,
                body=msgspec.json.encode(refusal.body),
                headers=refusal.headers,
                content_type="application/json",
            )
        socket = web.WebSocketResponse(compress=False, timeout=0.1)
        await socket.prepare(request)
        await simulator.run(_WebPeer(asked, socket, request.transport))
        return socket

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    return app


async def _answer(simulator: Simulator, asked: Request, request: web.Request) -> web.StreamResponse:
    status, headers, body = await simulator.answer(asked)
    if isinstance(body, bytes):
        return web.Response(status=status, headers=headers, body=body)
    response = web.StreamResponse(status=status, headers=headers)
    await response.prepare(request)
    try:
        async for piece in body:
            await response.write(piece)
    except ConnectionError:  # the client has gone, or the simulator breaks the connection
        if request.transport is not None:
            request.transport.abort()
    return response


@asynccontextmanager
async def serving(simulator: Simulator, *, port: int = 0, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """Serve it on loopback; gives its base URL."""
    runner = web.AppRunner(application(simulator), access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", port, ssl_context=tls)
        await site.start()
        server = site._server
        assert server is not None
        real = server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]
        yield f"{'https' if tls else 'http'}://127.0.0.1:{real}"
    finally:
        await runner.cleanup()
