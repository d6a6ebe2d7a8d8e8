"""WebSockets over the network, by aiohttp.

Owns: sockets to services and their sessions (one per event loop). Never: formats, retries. Nothing is decompressed and no
redirect is followed: whatever a peer answers, it costs at most its own bounded frames.
"""

from __future__ import annotations

import aiohttp
from aiohttp import ClientHandlerType, ClientRequest, ClientResponse, ClientWSTimeout, WSMsgType

from antiphon.models.endings import Closed, Refused
from antiphon.models.speech_codec import ConnectSpec, Frame
from antiphon.wire.faults import Service, connection_error, retry_after
from antiphon.wire.http import HttpPool, proxy_for, read_body
from antiphon.wire.socket import MAX_FRAME, Socket, SocketRefusedError, SpeechDeadlines

REFUSAL_BODY = 64 * 1024
HEARTBEAT = 20.0
"""Seconds without a word from the peer after which it is pinged (RFC 6455, 5.5.2); half as long may its answer take. It
finds an idle socket whose peer has gone before a synthesis depends on it."""


async def _refuse(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
    """Anything but a switch of protocols ends here, before a redirect could be followed."""
    response = await handler(request)
    if response.status != 101:
        try:
            body = await read_body(response, REFUSAL_BODY)
        except (aiohttp.ClientError, OSError):
            body = b""
        finally:  # also where the body stalls and the deadline ends the wait
            response.close()
        raise SocketRefusedError(Refused(response.status, body, retry_after(response.headers)))
    return response


class AiohttpConnector:
    """Opens WebSockets. Serves any number of event loops."""

    def __init__(self) -> None:
        self._pool = HttpPool(middlewares=(_refuse,), decompress=False)

    async def connect(self, url: str, spec: ConnectSpec, *, service: Service, deadlines: SpeechDeadlines) -> Socket:
        try:
            socket = await self._pool.session().ws_connect(
                url,
                headers={"Accept-Encoding": "identity", **spec.headers},
                protocols=spec.subprotocols,
                compress=0,
                max_msg_size=MAX_FRAME,
                timeout=ClientWSTimeout(ws_close=deadlines.close),
                heartbeat=HEARTBEAT,
                proxy=proxy_for(url.replace("ws", "http", 1)),
            )
        except aiohttp.WSServerHandshakeError as error:
            raise SocketRefusedError(Refused(error.status, error.message.encode())) from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise connection_error(service, error) from None
        return _AiohttpSocket(socket)

    async def aclose(self) -> None:
        await self._pool.aclose()


class _AiohttpSocket:
    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket

    async def send(self, frame: Frame) -> None:
        try:
            if isinstance(frame, str):
                await self._socket.send_str(frame)
            else:
                await self._socket.send_bytes(frame)
        except (aiohttp.ClientError, OSError, RuntimeError) as error:
            raise ConnectionError(str(error)) from None

    async def receive(self) -> Frame | Closed:
        message = await self._socket.receive()
        if message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
            return message.data  # type: ignore[no-any-return]
        if message.type is WSMsgType.CLOSE:
            return Closed(message.data or 1005, message.extra or "")
        if message.type is WSMsgType.ERROR:
            return Closed(self._socket.close_code or 1006, str(message.data or ""))
        code = self._socket.close_code
        return Closed(1006 if code in (None, 1000) else code)

    async def close(self) -> None:
        await self._socket.close()
