"""Which protocol a datagram on the shared port belongs to, by its first bytes (RFC 7983, 5761)."""

from __future__ import annotations

from typing import Literal

Protocol = Literal["stun", "dtls", "rtp", "rtcp", "unknown"]

MOST_DATAGRAM = 1500


def protocol(datagram: bytes) -> Protocol:
    """``unknown``: nothing that belongs here, or too short or too long for it."""
    size = len(datagram)
    if size < 8 or size > MOST_DATAGRAM:
        return "unknown"
    first = datagram[0]
    if 128 <= first <= 191:
        if 192 <= datagram[1] <= 223:
            return "rtcp"
        return "rtp" if size >= 12 else "unknown"
    if 20 <= first <= 63:
        return "dtls" if size >= 13 else "unknown"
    if first <= 3:
        return "stun" if size >= 20 else "unknown"
    return "unknown"
