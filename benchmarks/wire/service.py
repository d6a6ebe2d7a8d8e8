"""A service that speaks as Deepgram's ``/v1/listen`` does, at little cost: it counts bytes without unmasking them, and says one
interim result for each half second of audio, six words of it new. Prints its port."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import itertools
import json
import sys
from typing import Any

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
HALF_SECOND = 16_000
"""Bytes of 16 kHz, 16 bit."""
WORDS = "one more word is heard now"


BEGUN = itertools.count()
"""Connections so far: each gives its results at a moment of its own."""
METADATA = b'{"type":"Metadata","request_id":"r","sha256":"0","created":"","duration":0,"channels":1}'


def framed(payload: bytes, kind: int = TEXT) -> bytes:
    size = bytes([len(payload)]) if len(payload) < 126 else b"\x7e" + len(payload).to_bytes(2)
    return bytes([0x80 | kind]) + size + payload


def result(number: int) -> bytes:
    """The ``number``-th interim result of a stretch: all words so far, at most sixty."""
    text = " ".join([WORDS] * (number % 10 + 1))
    began = 5.0 * (number // 10)
    words = [
        {"word": each, "start": began + 0.08 * n, "end": began + 0.08 * n + 0.08, "confidence": 0.9}
        for n, each in enumerate(text.split())
    ]
    message: dict[str, Any] = {
        "type": "Results",
        "channel_index": [0, 1],
        "start": began,
        "duration": 0.5 * (number % 10 + 1),
        "is_final": number % 10 == 9,
        "speech_final": False,
        "from_finalize": False,
        "channel": {"alternatives": [{"transcript": text, "confidence": 0.9, "words": words}]},
        "metadata": {"request_id": "r", "model_info": {"name": "n", "version": "v", "arch": "a"}, "model_uuid": "u"},
    }
    return framed(json.dumps(message).encode())


RESULTS = [result(number) for number in range(2_000)]


class Listen(asyncio.Protocol):
    """One connection: the handshake, then frames (RFC 6455) of which little more than the length is read."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._left = b""
        self._open = False
        self._heard, self._said = next(BEGUN) * 1_234 % HALF_SECOND, 0

    def data_received(self, data: bytes) -> None:
        data = self._left + data if self._left else data
        at = 0 if self._open else self._shake_hands(data)
        while self._open and len(data) - at >= 6:
            size, begins = data[at + 1] & 127, at + 6
            if size == 126:
                size, begins = int.from_bytes(data[at + 2 : at + 4]), at + 8
            if begins + size > len(data):
                break
            self._take(
                data[at] & 15, data[begins - 4 : begins], data[begins : begins + size] if size < 126 else b"", size
            )
            at = begins + size
        self._left = data[at:]

    def _shake_hands(self, data: bytes) -> int:
        head, found, _ = data.partition(b"\r\n\r\n")
        if not found:
            return 0
        fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
        key = next(value for name, value in fields.items() if name.lower() == "sec-websocket-key")
        accept = base64.b64encode(hashlib.sha1(key.encode() + GUID).digest()).decode()
        self._transport.write(
            f"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Accept: {accept}\r\n\r\n".encode()
        )
        self._open = True
        return len(head) + 4

    def _take(self, kind: int, mask: bytes, payload: bytes, size: int) -> None:
        if kind == BINARY:
            self._heard += size
            while self._heard >= (self._said + 1) * HALF_SECOND:
                self._transport.write(RESULTS[self._said % len(RESULTS)])
                self._said += 1
            return
        said = bytes(byte ^ mask[n % 4] for n, byte in enumerate(payload))
        if kind == PING:
            self._transport.write(framed(said, PONG))
        elif kind == CLOSE or b"CloseStream" in said:
            self._transport.write(framed(METADATA) + framed(b"\x03\xe8", CLOSE))
            self._transport.close()


async def main() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Listen, "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)
    server.close()


asyncio.run(main())
