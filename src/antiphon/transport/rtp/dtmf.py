"""Keys pressed on a phone, as they travel in RTP: ``telephone-event`` (RFC 4733), read.

A key is many packets, which repeat and get lost: it is told once, at the first that comes.
"""

from __future__ import annotations

import struct

from antiphon.errors import PacketError
from antiphon.transport.rtp.packet import RtpPacket

DIGITS = "0123456789*#ABCD"
_LONGEST = 0xFFFF


class TelephoneEvents:
    """One stream of events. ``counts``: ``unknown`` events (flash and tones), ``old`` packets that came too late."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self._begun: int | None = None
        self._event = -1

    def receive(self, packet: RtpPacket) -> str:
        """The key that was pressed (one of ``DIGITS``), empty where the packet tells nothing new. Raises
        ``PacketError``."""
        if len(packet.payload) < 4:
            raise PacketError(f"A telephone-event has 4 bytes, not {len(packet.payload)}.")
        event, _, _ = struct.unpack_from("!BBH", packet.payload)
        if self._begun is not None:
            after = (packet.timestamp - self._begun) & 0xFFFFFFFF
            if after == 0:
                return ""
            if after >= 0x80000000:
                self._count("old")
                return ""
            if after == _LONGEST and event == self._event and not packet.marker:  # the next segment of a long press
                self._begun = packet.timestamp
                return ""
        self._begun, self._event = packet.timestamp, event
        if event >= len(DIGITS):
            self._count("unknown")
            return ""
        return DIGITS[event]

    def _count(self, what: str) -> None:
        self.counts[what] = self.counts.get(what, 0) + 1
