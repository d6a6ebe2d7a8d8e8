"""A ``WebRTC`` as an ASGI application, to be mounted in FastAPI, Starlette or served alone."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from typing import Any

from antiphon.web.calls import Calls
from antiphon.web.http import SOCKET, Request, Response, problem

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]


class AsgiSocket:
    """An accepted WebSocket of ASGI as a ``Socket``."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive, self._send = receive, send
        self._open = True

    async def receive(self) -> str | None:
        message = await self._receive()
        if message["type"] != "websocket.receive":
            self._open = False
            return None
        text: str | None = message.get("text")
        return text

    async def send(self, text: str) -> None:
        if self._open:
            await self._try({"type": "websocket.send", "text": text})

    async def close(self, code: int, reason: str) -> None:
        if self._open:
            self._open = False
            await self._try({"type": "websocket.close", "code": code, "reason": reason})

    async def _try(self, message: MutableMapping[str, Any]) -> None:
        with suppress(OSError, RuntimeError):  # the page is gone: what reads the socket says so
            await self._send(message)


def asgi_app(calls: Calls) -> AsgiApp:
    """The application. It has no lifespan of its own: close the ``WebRTC`` in that of the program."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await _websocket(calls, scope, receive, send)
        elif scope["type"] == "http":
            await _answer(send, calls.answer(_plain(scope)))
        elif scope["type"] == "lifespan":
            await _lifespan(calls, receive, send)

    return app


async def _websocket(calls: Calls, scope: Scope, receive: Receive, send: Send) -> None:
    await receive()  # websocket.connect
    plain = _plain(scope)
    refused = calls.refusal(plain) if plain.path == SOCKET else problem(404, "There is no such socket.")
    if refused is None:
        await send({"type": "websocket.accept"})
        await calls.serve(plain, AsgiSocket(receive, send))
    elif "websocket.http.response" in scope.get("extensions", {}):
        await _answer(send, refused, kind="websocket.http.response")
    else:
        await send({"type": "websocket.close", "code": 4000 + refused.status % 1000})


async def _answer(send: Send, response: Response, *, kind: str = "http.response") -> None:
    headers = [(name.lower().encode(), value.encode()) for name, value in response.headers.items()]
    headers.append((b"content-length", str(len(response.body)).encode()))
    await send({"type": f"{kind}.start", "status": response.status, "headers": headers})
    await send({"type": f"{kind}.body", "body": response.body})


async def _lifespan(calls: Calls, receive: Receive, send: Send) -> None:
    """Served alone: end the calls with the server."""
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            await send({"type": "lifespan.startup.complete"})
        else:
            await calls.aclose()
            await send({"type": "lifespan.shutdown.complete"})
            return


def _plain(scope: Scope) -> Request:
    path = scope["path"].removeprefix(scope.get("root_path", ""))
    client = scope.get("client") or ("", 0)
    headers: dict[str, str] = {}
    for name, value in scope["headers"]:
        headers[name.decode("latin-1").lower()] = value.decode("latin-1")
    return Request(
        method=scope.get("method", "GET"),
        path=path.lstrip("/"),
        headers=headers,
        address=client[0],
        secure=scope.get("scheme") in ("https", "wss"),
    )
