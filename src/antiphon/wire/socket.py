"""WebSockets as the wire uses them: open, send, receive, close, each with a time limit.

Owns: the seam (``Socket``, ``Connector``) and how a service's socket is opened. Never: formats, retries.
"""

from __future__ import annotations

import asyncio
from typing import Protocol, TypeVar

import msgspec

from antiphon.errors import ModelError
from antiphon.models.endings import Closed, Ending, Refused, ServiceError
from antiphon.models.speech_codec import ConnectSpec, Frame, Ready, STTCodec, TTSCodec
from antiphon.wire.address import socket_url
from antiphon.wire.faults import Service, deadline_error, without_key

MAX_FRAME = 4 * 1024 * 1024
"""Bytes of one message that is taken; a longer one ends the socket."""

CodecT = TypeVar("CodecT", STTCodec, TTSCodec)


class SpeechDeadlines(msgspec.Struct, frozen=True):
    """Seconds.

    ``connect``: until the socket is open and ready. ``send``: one frame may wait for the peer to take it. ``deaf``: of
    speech without any answer. ``final``: from asking for a final to any answer. ``finish``: for the last finals once there is no more audio. ``first``: from a text to its
    first audio. ``between``: between two pieces of a text's audio. ``close``: the closing handshake.
    """

    connect: float = 2.0
    send: float = 2.0
    deaf: float = 2.0
    final: float = 1.0
    finish: float = 3.0
    first: float = 3.0
    between: float = 3.0
    close: float = 0.1


class SocketRefusedError(Exception):
    """The handshake was answered with a status. Becomes a ``ModelError`` once the codec has said what it means."""

    def __init__(self, refused: Refused) -> None:
        super().__init__(f"HTTP {refused.status}")
        self.refused = refused


class Socket(Protocol):
    """One open WebSocket."""

    async def send(self, frame: Frame) -> None:
        """Returns when the frame is on its way: waits while the peer takes nothing. Raises ``ConnectionError``."""
        ...

    async def receive(self) -> Frame | Closed:
        """The next message. After ``Closed`` there are no more. One caller at a time."""
        ...

    async def close(self) -> None:
        """Close and free it, within the time given when it was opened. More than once is fine."""
        ...


class Connector(Protocol):
    """Opens sockets."""

    async def connect(self, url: str, spec: ConnectSpec, *, service: Service, deadlines: SpeechDeadlines) -> Socket:
        """Raises ``SocketRefusedError``, or ``ModelError`` where nothing answers."""
        ...

    async def aclose(self) -> None: ...


async def open_socket(
    connector: Connector, service: Service, codec: STTCodec | TTSCodec, *, key: str, deadlines: SpeechDeadlines
) -> Socket:
    """A socket that has sent its first frames and, where the codec waits for it, is ready. Raises ``ModelError``."""
    spec = codec.connect(key)
    socket: Socket | None = None
    try:
        async with asyncio.timeout(deadlines.connect):
            socket = await connector.connect(
                socket_url(service.base_url, spec), spec, service=service, deadlines=deadlines
            )
            for frame in spec.first:
                await socket.send(frame)
            while spec.waits:
                answer = await socket.receive()
                if isinstance(answer, Closed):
                    raise ending_error(codec, answer, key)
                for signal in codec.decode(answer):
                    if isinstance(signal, ServiceError):
                        raise ending_error(codec, signal, key)
                    if isinstance(signal, Ready):
                        return socket
            return socket
    except SocketRefusedError as refused:
        await _drop(socket)
        raise ending_error(codec, refused.refused, key) from None
    except TimeoutError:
        await _drop(socket)
        raise deadline_error(service, "connection", deadlines.connect) from None
    except ConnectionError as error:
        await _drop(socket)
        raise ending_error(codec, Closed(1006, str(error)), key) from None
    except ModelError as error:
        await _drop(socket)
        raise without_key(error, key) from None
    except BaseException:
        await _drop(socket)
        raise


async def _drop(socket: Socket | None) -> None:
    if socket is not None:
        await socket.close()


def ending_error(codec: STTCodec | TTSCodec, ending: Ending, key: str) -> ModelError:
    """The error for an ending, as the codec rules. A key that the service repeats is taken out."""
    failure = codec.classify(ending)
    error = ModelError(
        failure.message,
        hint=failure.hint,
        retryable=failure.retryable,
        status=failure.status or None,
        retry_after=failure.retry_after,
    )
    return without_key(error, key)
