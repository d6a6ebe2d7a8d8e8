"""How seam messages cross a socket: a four-byte length, then a msgpack list of messages. One list per tick."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from antiphon.audio.seam import AnyFromPlane, AnyToPlane
from antiphon.errors import AudioError

MOST_BYTES = 256 * 1024 * 1024
_encoder = msgspec.msgpack.Encoder()
_to_plane = msgspec.msgpack.Decoder(list[AnyToPlane])
_from_plane = msgspec.msgpack.Decoder(list[AnyFromPlane])


def pack(messages: Sequence[Any]) -> bytes:
    """One list, ready to be written."""
    body = _encoder.encode(messages)
    return struct.pack("<I", len(body)) + body


class Unpacker:
    """Collects bytes, gives whole lists."""

    def __init__(self, decoder: msgspec.msgpack.Decoder[Any]) -> None:
        self._decoder = decoder
        self._bytes = bytearray()

    def feed(self, data: bytes) -> Iterable[Any]:
        """Messages completed by ``data``, in order. Raises ``AudioError`` for what is not ours."""
        self._bytes += data
        messages: list[Any] = []
        at = 0
        while len(self._bytes) - at >= 4:
            (size,) = struct.unpack_from("<I", self._bytes, at)
            if size > MOST_BYTES:
                raise AudioError("The media plane's socket carries something else than its messages.")
            if len(self._bytes) - at - 4 < size:
                break
            try:
                messages += self._decoder.decode(bytes(memoryview(self._bytes)[at + 4 : at + 4 + size]))
            except msgspec.DecodeError as error:
                raise AudioError(f"The media plane's socket carries a message nobody knows: {error}.") from error
            at += 4 + size
        del self._bytes[:at]
        return messages


def to_plane() -> Unpacker:
    """For the plane's end."""
    return Unpacker(_to_plane)


def from_plane() -> Unpacker:
    """For the core's end."""
    return Unpacker(_from_plane)
