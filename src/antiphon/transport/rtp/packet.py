"""One RTP packet: bytes to fields and back (RFC 3550, 5.1), header extensions included (RFC 8285).

Strict about lengths: whatever is not a whole packet is a ``PacketError``. Knows nothing of streams.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

import msgspec

from antiphon.errors import PacketError

MOST_BYTES = 2048
"""A longer packet is refused: no audio needs one, and no path carries it in one piece."""

_HEADER = struct.Struct("!BBHII")
_ONE_BYTE, _TWO_BYTE = 0xBEDE, 0x1000


class RtpPacket(msgspec.Struct, frozen=True):
    """``sequence``: 16 bits, ``timestamp`` and ``ssrc``: 32. ``extension``: the header extension's data as it came,
    ``profile`` its first 16 bits (0: none)."""

    payload_type: int
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes
    marker: bool = False
    csrcs: tuple[int, ...] = ()
    profile: int = 0
    extension: bytes = b""


class AudioLevel(NamedTuple):
    """RFC 6464: the sender's own voice detector and its level, 0 to -127 dBov."""

    voice: bool
    level: int


def is_rtcp(data: bytes) -> bool:
    """Whether a packet that shares the port with RTP is RTCP (RFC 5761, 4)."""
    return len(data) > 1 and 192 <= data[1] <= 223


def parse_rtp(data: bytes) -> RtpPacket:
    """Raises ``PacketError``."""
    size = len(data)
    if size < 12:
        raise PacketError(f"An RTP packet has 12 bytes or more, not {size}.")
    if size > MOST_BYTES:
        raise PacketError(f"An RTP packet of {size} bytes is refused.")
    first, second, sequence, timestamp, ssrc = _HEADER.unpack_from(data)
    if first >> 6 != 2:
        raise PacketError(f"RTP version {first >> 6} is unknown.")
    start = 12
    csrcs: tuple[int, ...] = ()
    if count := first & 0x0F:
        start += 4 * count
        if size < start:
            raise PacketError("An RTP packet ends within its contributing sources.")
        csrcs = struct.unpack_from(f"!{count}I", data, 12)
    profile, extension = 0, b""
    if first & 0x10:
        if size < start + 4:
            raise PacketError("An RTP packet ends within its header extension.")
        profile, words = struct.unpack_from("!HH", data, start)
        start += 4
        extension = data[start : start + 4 * words]
        start += 4 * words
        if size < start:
            raise PacketError("An RTP packet ends within its header extension.")
    if first & 0x20:
        padding = data[-1]
        if not padding or start + padding > size:
            raise PacketError(f"An RTP packet of {size} bytes cannot have {padding} bytes of padding.")
        size -= padding
    return RtpPacket(
        second & 0x7F, sequence, timestamp, ssrc, data[start:size], second >= 0x80, csrcs, profile, extension
    )


def build_rtp(packet: RtpPacket) -> bytes:
    """The packet's bytes, without padding. Raises ``PacketError`` for a field that does not fit."""
    if not packet.csrcs and not packet.profile:  # nearly every packet
        return _header(packet, 0x80) + packet.payload
    if len(packet.csrcs) > 15:
        raise PacketError("An RTP packet has at most 15 contributing sources.")
    head = _header(packet, 0x80 | len(packet.csrcs) | (0x10 if packet.profile else 0))
    head += struct.pack(f"!{len(packet.csrcs)}I", *packet.csrcs)
    if packet.profile:
        extension = packet.extension + bytes(-len(packet.extension) % 4)
        head += struct.pack("!HH", packet.profile, len(extension) // 4) + extension
    return head + packet.payload


def _header(packet: RtpPacket, first: int) -> bytes:
    try:
        second = packet.payload_type | (0x80 if packet.marker else 0)
        return _HEADER.pack(first, second, packet.sequence, packet.timestamp, packet.ssrc)
    except struct.error as error:
        raise PacketError(f"A field does not fit an RTP packet: {error}.") from error


def extension_elements(packet: RtpPacket) -> dict[int, bytes]:
    """The header extension's elements by their number, one- and two-byte form; of two with the same number the first.
    Raises ``PacketError``."""
    if packet.profile == _ONE_BYTE:
        return _elements(packet.extension, 1)
    if packet.profile & 0xFFF0 == _TWO_BYTE:
        return _elements(packet.extension, 2)
    return {}


def _elements(data: bytes, head: int) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    at = 0
    while at < len(data):
        if data[at] == 0:  # padding
            at += 1
            continue
        if head == 1:
            number, size = data[at] >> 4, (data[at] & 0x0F) + 1
            if number == 15:
                break
        elif at + 1 < len(data):
            number, size = data[at], data[at + 1]
        else:
            raise PacketError("An RTP header extension ends within an element.")
        at += head
        if at + size > len(data):
            raise PacketError("An RTP header extension ends within an element.")
        if number:
            found.setdefault(number, data[at : at + size])
        at += size
    return found


def build_extension(elements: dict[int, bytes]) -> tuple[int, bytes]:
    """Profile and data of a header extension that holds these elements (numbers 1 to 14 of 1 to 16 bytes: the one-byte
    form; else the two-byte form, 1 to 255 and up to 255 bytes). Raises ``PacketError``."""
    if not elements:
        return 0, b""
    if all(1 <= number <= 14 and 1 <= len(data) <= 16 for number, data in elements.items()):
        parts = [bytes([number << 4 | len(data) - 1]) + data for number, data in elements.items()]
        profile = _ONE_BYTE
    elif all(1 <= number <= 255 and len(data) <= 255 for number, data in elements.items()):
        parts = [bytes([number, len(data)]) + data for number, data in elements.items()]
        profile = _TWO_BYTE
    else:
        raise PacketError("A header extension's element has a number from 1 to 255 and at most 255 bytes.")
    joined = b"".join(parts)
    return profile, joined + bytes(-len(joined) % 4)


def audio_level(element: bytes) -> AudioLevel:
    """What the element ``urn:ietf:params:rtp-hdrext:ssrc-audio-level`` says. Raises ``PacketError``."""
    if not element:
        raise PacketError("An audio level has one byte or more.")
    return AudioLevel(element[0] >= 0x80, -(element[0] & 0x7F))
