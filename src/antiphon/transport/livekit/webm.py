"""Opus packets out of a WebM file, as a browser's ``MediaRecorder`` writes it (RFC 8794, RFC 9559): one track, no lacing.

A recording that was broken off is read as far as it goes.
"""

from __future__ import annotations

from collections.abc import Iterator

from antiphon.errors import AudioError

EBML = b"\x1a\x45\xdf\xa3"
_INSIDE = {0x18538067, 0x1F43B675, 0xA0}
"""Segment, Cluster, BlockGroup: what they hold is looked at."""
_BLOCKS = {0xA3, 0xA1}
"""SimpleBlock, Block."""
_LACED = 0x06


def opus_packets(data: bytes) -> Iterator[bytes]:
    """The packets in their order. Raises ``AudioError`` for what is no WebM."""
    if not data.startswith(EBML):
        raise AudioError("This is no WebM file.")
    at = 0
    while at < len(data):
        name, at = _number(data, at, keep_marker=True)
        size, at = _number(data, at)
        if name is None or size is None:
            return
        if name in _INSIDE:
            continue
        if name in _BLOCKS:
            packet = _packet(data[at : at + size])
            if at + size <= len(data) and packet:
                yield packet
        at += size


def _number(data: bytes, at: int, *, keep_marker: bool = False) -> tuple[int | None, int]:
    """A variable-length number (RFC 8794, section 4), and where it ends; nothing: the data ends in it."""
    if at >= len(data):
        return None, at
    length = 9 - data[at].bit_length()
    if length > 8 or at + length > len(data):
        return None, len(data)
    value = int.from_bytes(data[at : at + length], "big")
    return (value if keep_marker else value & ((1 << (7 * length)) - 1)), at + length


def _packet(block: bytes) -> bytes:
    """What a block holds: behind its track's number, a time of two bytes and a byte of flags."""
    _, at = _number(block, 0)
    if len(block) < at + 3:
        return b""
    if block[at + 2] & _LACED:
        raise AudioError("The recording has laced blocks, which are not read.")
    return block[at + 3 :]
