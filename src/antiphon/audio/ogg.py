"""Ogg Opus files: a writer whose file can be played at any time, while it grows and after a crash.

Owns pages and their checksums, the two headers, and positions; encodes what it is given as it comes and keeps no more
than the page that is open. Sources: RFC 3533 (Ogg), RFC 7845 (Opus in Ogg).
"""

from __future__ import annotations

import os
import struct
import zlib
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from antiphon.audio.opus import OpusEncoder

_GRANULES = 48_000
"""Positions are counted at this rate, whatever was encoded."""

_BITRATE_A_CHANNEL = 32_000
_COMPLEXITY = 2
_FRAME = 0.02
_BEGIN, _END = 2, 4
_MOST_SEGMENTS = 255
_SERIAL = 1
_VENDOR = b"antiphon"
_REVERSED = bytes(int(f"{octet:08b}"[::-1], 2) for octet in range(256))


class OggOpusWriter:
    """Takes int16 sound at ``rate`` (one that Opus has), one or two channels. ``commit`` puts all whole frames on disk.
    Raises ``OSError``, and ``ConfigurationError`` where there is no Opus library."""

    def __init__(self, path: str, rate: int, channels: int) -> None:
        self._encoder = OpusEncoder(
            rate,
            2 if channels == 2 else 1,
            bitrate=channels * _BITRATE_A_CHANNEL,
            complexity=_COMPLEXITY,
            fec=False,
            expected_loss=0.0,
            application="audio",
        )
        folder = os.path.dirname(path)
        if folder:
            os.makedirs(folder, exist_ok=True)
        self._file: BinaryIO = open(path, "wb", buffering=0)  # noqa: SIM115  (lives as long as the writer)
        self._channels, self._rate = channels, rate
        self._frame = round(_FRAME * rate)
        self._rest: NDArray[np.int16] = np.zeros((0, channels), dtype=np.int16)
        self._taken = 0
        self._encoded = 0
        self._page = 0
        self._packets: list[bytes] = []
        self._segments = 0
        self._skip = self._encoder.lookahead * _GRANULES // rate
        head = struct.pack("<8sBBHIhB", b"OpusHead", 1, channels, self._skip, rate, 0, 0)
        self._write_page([head], 0, _BEGIN)
        tags = struct.pack("<8sI8sI", b"OpusTags", len(_VENDOR), _VENDOR, 0)
        self._write_page([tags], 0, 0)

    def write(self, samples: NDArray[np.int16]) -> None:
        """Append ``(n,)`` or ``(n, channels)`` samples."""
        self._taken += len(samples)
        samples = np.concatenate((self._rest, samples.reshape(-1, self._channels)))
        whole = len(samples) // self._frame * self._frame
        for begin in range(0, whole, self._frame):
            self._encode(samples[begin : begin + self._frame])
        self._rest = samples[whole:].copy()

    def commit(self) -> None:
        """Close the page that is open."""
        if self._packets:
            self._close_page(self._position(self._encoded), 0)

    def close(self) -> None:
        """Complete the file: what is left is padded to a frame, and its length says where the sound ends."""
        try:
            wanted = self._taken + self._encoder.lookahead
            missing = wanted - self._encoded
            tail = np.zeros((max(0, -(-missing // self._frame)) * self._frame, self._channels), dtype=np.int16)
            tail[: len(self._rest)] = self._rest
            for begin in range(0, len(tail), self._frame):
                self._encode(tail[begin : begin + self._frame])
            self._close_page(self._position(wanted), _END)
        finally:
            self._file.close()

    def _encode(self, frame: NDArray[np.int16]) -> None:
        packet = self._encoder.encode(frame.astype("<i2", copy=False).tobytes())
        segments = len(packet) // 255 + 1
        if self._segments + segments > _MOST_SEGMENTS:
            self.commit()
        self._packets.append(packet)
        self._segments += segments
        self._encoded += self._frame

    def _position(self, samples: int) -> int:
        return samples * _GRANULES // self._rate

    def _close_page(self, position: int, flags: int) -> None:
        packets, self._packets, self._segments = self._packets, [], 0
        self._write_page(packets, position, flags)

    def _write_page(self, packets: list[bytes], position: int, flags: int) -> None:
        lacing = b"".join(b"\xff" * (len(packet) // 255) + bytes([len(packet) % 255]) for packet in packets)
        head = struct.pack("<4sBBqIII", b"OggS", 0, flags, position, _SERIAL, self._page, 0)
        page = bytearray(head + bytes([len(lacing)]) + lacing + b"".join(packets))
        struct.pack_into("<I", page, 22, checksum(page))
        self._page += 1
        rest = memoryview(page)
        while rest:
            written = self._file.write(rest)
            if not written:
                raise OSError("nothing could be written")
            rest = rest[written:]


def checksum(page: bytes | bytearray) -> int:
    """Ogg's CRC-32 (polynomial 0x04C11DB7, most significant bit first, no inversions): zlib's, with bits the other way
    round."""
    mirrored = zlib.crc32(page.translate(_REVERSED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int(f"{mirrored:032b}"[::-1], 2)
