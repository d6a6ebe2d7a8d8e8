"""RTCP: compound packets to records and back (RFC 3550, 6; reduced-size as in RFC 5506).

Sender and receiver reports, source descriptions and goodbyes are read whole; feedback (RFC 4585), extended reports and
whatever else has a well-formed header is kept as ``OtherReport``. Strict about lengths: one packet that does not fit
makes the whole compound a ``PacketError``.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator

import msgspec

from antiphon.errors import PacketError
from antiphon.transport.rtp.packet import MOST_BYTES

SR, RR, SDES, BYE = 200, 201, 202, 203
_BLOCK = struct.Struct("!IIIIII")
_CNAME = 1


class ReportBlock(msgspec.Struct, frozen=True):
    """What its sender received of stream ``ssrc``. ``fraction_lost``: in 256ths, since the last report; ``lost``: since
    the start (may be negative: duplicates); ``highest``: extended sequence number; ``jitter``: in timestamp units;
    ``last_sr``: the middle 32 bits of the last sender report's NTP time; ``delay``: since then, in 65536ths of a second."""

    ssrc: int
    fraction_lost: int
    lost: int
    highest: int
    jitter: int
    last_sr: int = 0
    delay: int = 0


class SenderReport(msgspec.Struct, frozen=True, tag="sr"):
    """``ntp``: 64 bits, ``timestamp``: the same moment on the stream's RTP clock."""

    ssrc: int
    ntp: int
    timestamp: int
    packets: int
    octets: int
    reports: tuple[ReportBlock, ...] = ()


class ReceiverReport(msgspec.Struct, frozen=True, tag="rr"):
    ssrc: int
    reports: tuple[ReportBlock, ...] = ()


class SourceDescription(msgspec.Struct, frozen=True, tag="sdes"):
    """``names``: canonical name by SSRC; a source that gave none has the empty one."""

    names: dict[int, str]


class Goodbye(msgspec.Struct, frozen=True, tag="bye"):
    ssrcs: tuple[int, ...]
    reason: str = ""


class OtherReport(msgspec.Struct, frozen=True, tag="other"):
    """A packet that is passed over: its type, the five bits before it (a feedback's format) and its body."""

    packet_type: int
    count: int
    body: bytes


Report = SenderReport | ReceiverReport | SourceDescription | Goodbye | OtherReport


def parse_rtcp(data: bytes) -> tuple[Report, ...]:
    """Raises ``PacketError``."""
    if len(data) > MOST_BYTES:
        raise PacketError(f"An RTCP packet of {len(data)} bytes is refused.")
    return tuple(_parts(data))


def _parts(data: bytes) -> Iterator[Report]:
    if not data:
        raise PacketError("An RTCP packet is empty.")
    at = 0
    while at < len(data):
        if len(data) - at < 4:
            raise PacketError("An RTCP packet ends within a header.")
        first, kind, words = struct.unpack_from("!BBH", data, at)
        end = at + 4 * (words + 1)
        if first >> 6 != 2:
            raise PacketError(f"RTCP version {first >> 6} is unknown.")
        if end > len(data):
            raise PacketError("An RTCP packet is shorter than it says.")
        body = data[at + 4 : end]
        if first & 0x20:
            if end != len(data) or not body or not 0 < body[-1] <= len(body):
                raise PacketError("The padding of an RTCP packet does not fit.")
            body = body[: -body[-1]]
        yield _part(kind, first & 0x1F, body)
        at = end


def _part(kind: int, count: int, body: bytes) -> Report:
    if kind == SR:
        _require(len(body) >= 24 + 24 * count, "sender report")
        ssrc, ntp, timestamp, packets, octets = struct.unpack_from("!IQIII", body)
        return SenderReport(ssrc, ntp, timestamp, packets, octets, _blocks(body, 24, count))
    if kind == RR:
        _require(len(body) >= 4 + 24 * count, "receiver report")
        return ReceiverReport(int.from_bytes(body[:4], "big"), _blocks(body, 4, count))
    if kind == SDES:
        return SourceDescription(_names(body, count))
    if kind == BYE:
        _require(len(body) >= 4 * count, "goodbye")
        ssrcs, rest = struct.unpack_from(f"!{count}I", body), body[4 * count :]
        if rest:
            _require(len(rest) > rest[0], "goodbye")
        return Goodbye(ssrcs, rest[1 : 1 + rest[0]].decode("utf-8", "replace") if rest else "")
    return OtherReport(kind, count, body)


def _require(fits: bool, what: str) -> None:
    if not fits:
        raise PacketError(f"An RTCP {what} is shorter than it says.")


def _blocks(body: bytes, at: int, count: int) -> tuple[ReportBlock, ...]:
    found = []
    for _ in range(count):
        ssrc, both, highest, jitter, last_sr, delay = _BLOCK.unpack_from(body, at)
        lost = both & 0xFFFFFF
        found.append(
            ReportBlock(ssrc, both >> 24, lost - (lost >> 23 << 24), highest, jitter, last_sr=last_sr, delay=delay)
        )
        at += 24
    return tuple(found)


def _names(body: bytes, count: int) -> dict[int, str]:
    names: dict[int, str] = {}
    at = 0
    for _ in range(count):
        _require(len(body) >= at + 5, "source description")
        ssrc = int.from_bytes(body[at : at + 4], "big")
        names.setdefault(ssrc, "")
        at += 4
        while True:
            _require(len(body) > at, "source description")
            item = body[at]
            if item == 0:
                at += 4 - at % 4
                break
            _require(len(body) >= at + 2 and len(body) >= at + 2 + body[at + 1], "source description")
            text = body[at + 2 : at + 2 + body[at + 1]]
            if item == _CNAME:
                names[ssrc] = text.decode("utf-8", "replace")
            at += 2 + len(text)
    return names


def build_rtcp(reports: Iterable[Report]) -> bytes:
    """One compound packet. Raises ``PacketError`` for a field that does not fit."""
    try:
        return b"".join(_build(report) for report in reports)
    except struct.error as error:
        raise PacketError(f"A field does not fit an RTCP packet: {error}.") from error


def _build(report: Report) -> bytes:
    match report:
        case SenderReport():
            head = (report.ssrc, report.ntp, report.timestamp, report.packets, report.octets)
            return _pack(SR, len(report.reports), struct.pack("!IQIII", *head) + _pack_blocks(report.reports))
        case ReceiverReport():
            return _pack(RR, len(report.reports), struct.pack("!I", report.ssrc) + _pack_blocks(report.reports))
        case SourceDescription():
            return _pack(SDES, len(report.names), b"".join(_pack_name(*pair) for pair in report.names.items()))
        case Goodbye():
            reason = report.reason.encode()[:255]
            tail = bytes([len(reason)]) + reason if reason else b""
            body = struct.pack(f"!{len(report.ssrcs)}I", *report.ssrcs) + tail + bytes(-len(tail) % 4)
            return _pack(BYE, len(report.ssrcs), body)
        case OtherReport():
            return _pack(report.packet_type, report.count, report.body)


def _pack(kind: int, count: int, body: bytes) -> bytes:
    if count > 31 or len(body) % 4:
        raise PacketError("An RTCP packet has at most 31 entries, and whole words.")
    return struct.pack("!BBH", 0x80 | count, kind, len(body) // 4) + body


def _pack_blocks(reports: tuple[ReportBlock, ...]) -> bytes:
    return b"".join(
        _BLOCK.pack(
            block.ssrc,
            block.fraction_lost << 24 | (max(-0x800000, min(block.lost, 0x7FFFFF)) & 0xFFFFFF),
            block.highest,
            block.jitter,
            block.last_sr,
            block.delay,
        )
        for block in reports
    )


def _pack_name(ssrc: int, name: str) -> bytes:
    text = name.encode()[:255]
    chunk = struct.pack("!IBB", ssrc, _CNAME, len(text)) + text
    return chunk + bytes(4 - len(chunk) % 4)
