"""Messages on a stream of bytes: each as msgpack, behind its length (four bytes, little-endian)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

import msgspec

HEAD = 4
"""Bytes of the length."""
_encoder = msgspec.msgpack.Encoder()


class TooLongError(ValueError):
    """A message is announced that is longer than any may be: what comes is no stream of messages."""


def frame(message: Any) -> bytes:
    """One message, ready to be written."""
    body = _encoder.encode(message)
    return struct.pack("<I", len(body)) + body


def length(head: bytes | bytearray, most: int) -> int:
    """Bytes of the message that follows these. Raises ``TooLongError`` for more than ``most``."""
    (size,) = struct.unpack("<I", head)
    if size > most:
        raise TooLongError(f"a message of {size} bytes, where {most} are allowed")
    return int(size)


class Unframer:
    """Collects bytes, gives whole messages, still packed. ``most``: bytes of one."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._bytes = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Those that ``data`` completes, in order. Raises ``TooLongError`` behind the last one that can be read."""
        self._bytes += data
        at = 0
        try:
            while len(self._bytes) - at >= HEAD:
                end = at + HEAD + length(self._bytes[at : at + HEAD], self._most)
                if len(self._bytes) < end:
                    break
                body = bytes(memoryview(self._bytes)[at + HEAD : end])
                at = end
                yield body
        finally:
            del self._bytes[:at]
