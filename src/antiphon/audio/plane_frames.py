"""How seam messages cross a socket: framed lists of them, one list per tick."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from antiphon.audio.framing import TooLongError, Unframer
from antiphon.audio.seam import AnyFromPlane, AnyToPlane
from antiphon.errors import AudioError

MOST_BYTES = 256 * 1024 * 1024
_to_plane = msgspec.msgpack.Decoder(list[AnyToPlane])
_from_plane = msgspec.msgpack.Decoder(list[AnyFromPlane])


class Unpacker:
    """Collects bytes, gives messages."""

    def __init__(self, decoder: msgspec.msgpack.Decoder[Any]) -> None:
        self._decoder = decoder
        self._frames = Unframer(MOST_BYTES)

    def feed(self, data: bytes) -> Iterable[Any]:
        """Messages completed by ``data``, in order. Raises ``AudioError`` for what is not ours."""
        messages: list[Any] = []
        try:
            for body in self._frames.feed(data):
                messages += self._decoder.decode(body)
        except TooLongError as error:
            raise AudioError("The media plane's socket carries something else than its messages.") from error
        except msgspec.DecodeError as error:
            raise AudioError(f"The media plane's socket carries a message nobody knows: {error}.") from error
        return messages


def to_plane() -> Unpacker:
    """For the plane's end."""
    return Unpacker(_to_plane)


def from_plane() -> Unpacker:
    """For the core's end."""
    return Unpacker(_from_plane)
