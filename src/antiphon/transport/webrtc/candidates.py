"""Our own ICE candidates (RFC 8445, 5.1.1; RFC 8839)."""

from __future__ import annotations

import ipaddress

from aioice.candidate import Candidate, candidate_foundation, candidate_priority

COMPONENT = 1
"""RTP and RTCP share the only one."""


def host_candidate(address: str, port: int, rank: int) -> Candidate:
    """``rank``: 0 for the address that is liked best."""
    return Candidate(
        foundation=candidate_foundation("host", "udp", address),
        component=COMPONENT,
        transport="udp",
        priority=candidate_priority(COMPONENT, "host", 65535 - rank),
        host=address,
        port=port,
        type="host",
    )


def public_candidate(base: Candidate, address: str) -> Candidate | None:
    """``base`` as it is seen from outside under ``address``, if that is possible."""
    inside, outside = ipaddress.ip_address(base.host), ipaddress.ip_address(address)
    if inside.is_loopback or inside.version != outside.version:
        return None
    return Candidate(
        foundation=candidate_foundation("srflx", "udp", base.host),
        component=COMPONENT,
        transport="udp",
        priority=candidate_priority(COMPONENT, "srflx"),
        host=str(outside),
        port=base.port,
        type="srflx",
        related_address=base.host,
        related_port=base.port,
    )


def reaches_out(host: str) -> bool:
    """Whether a STUN server can be asked from there."""
    address = ipaddress.ip_address(host)
    return address.version == 4 and not address.is_loopback


def candidate_line(candidate: Candidate) -> str:
    """As it stands in SDP, without ``a=``."""
    return f"candidate:{candidate.to_sdp()}"
