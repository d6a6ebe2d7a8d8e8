"""The routes of a ``WebRTC`` for aiohttp."""

from __future__ import annotations

from contextlib import suppress

from aiohttp import WSMsgType, web

from antiphon.web.calls import Calls
from antiphon.web.http import SOCKET, Request, Response

_PING = 20.0
"""Seconds between two signs of life: a page whose machine is gone is noticed."""


class AiohttpSocket:
    """``web.WebSocketResponse`` as a ``Socket``."""

    def __init__(self, socket: web.WebSocketResponse) -> None:
        self._socket = socket

    async def receive(self) -> str | None:
        message = await self._socket.receive()
        return message.data if message.type is WSMsgType.TEXT else None

    async def send(self, text: str) -> None:
        with suppress(ConnectionError):
            await self._socket.send_str(text)

    async def close(self, code: int, reason: str) -> None:
        await self._socket.close(code=code, message=reason.encode())


def aiohttp_routes(calls: Calls, path: str) -> list[web.AbstractRouteDef]:
    """Everything below ``path``; the path itself leads to ``path/``."""
    base = path.rstrip("/")

    async def answer(request: web.Request) -> web.StreamResponse:
        plain = _plain(request)
        if plain.path == SOCKET:
            refused = calls.refusal(plain)
            if refused is None:
                return await _socket(request, plain)
        else:
            refused = calls.answer(plain)
        return _response(refused)

    async def _socket(request: web.Request, plain: Request) -> web.StreamResponse:
        # Past the limit of ours the page is told what is wrong; far past it the library closes the socket.
        socket = web.WebSocketResponse(
            heartbeat=_PING, max_msg_size=4 * calls.settings.limits.message_bytes, timeout=1.0, compress=False
        )
        if not socket.can_prepare(request).ok:
            return _response(Response(426, b"A WebSocket is spoken here.", {"Upgrade": "websocket"}))
        try:
            await socket.prepare(request)
        except ConnectionError:  # the page has gone meanwhile; nobody reads the answer
            return _response(Response(400))
        await calls.serve(plain, AiohttpSocket(socket))
        return socket

    async def moved(request: web.Request) -> web.StreamResponse:
        raise web.HTTPPermanentRedirect(f"{base}/")

    routes: list[web.AbstractRouteDef] = [web.route("*", base + "/{path:.*}", answer)]
    return [web.get(base, moved), *routes] if base else routes


def _plain(request: web.Request) -> Request:
    return Request(
        method=request.method,
        path=request.match_info["path"],
        headers={name.lower(): value for name, value in request.headers.items()},
        address=request.remote or "",
        secure=request.secure,
    )


def _response(response: Response) -> web.Response:
    return web.Response(status=response.status, body=response.body, headers=response.headers)
