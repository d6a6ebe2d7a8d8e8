"""SRTP and SRTCP (RFC 3711, 7714): packets as they go over the network, from the keys of a DTLS handshake.

What is forged, replayed or too old is dropped and counted. Belongs to one thread at a time: the plane's.
"""

from __future__ import annotations

from collections.abc import Callable

import pylibsrtp

from antiphon.transport.webrtc.dtls import Profile, SrtpKeys

_PROFILES: dict[Profile, int] = {
    "SRTP_AES128_CM_SHA1_80": pylibsrtp.Policy.SRTP_PROFILE_AES128_CM_SHA1_80,
    "SRTP_AEAD_AES_128_GCM": pylibsrtp.Policy.SRTP_PROFILE_AEAD_AES_128_GCM,
}
_MOST_SOURCES = 16
_WINDOW = 1024
"""Packets: how far back a late one is still taken (20 s of voice)."""


class SrtpSession:
    """Both directions of one peer connection. ``refused``: packets that were not the peer's, came twice, or were of one
    source (SSRC) too many."""

    def __init__(self, keys: SrtpKeys) -> None:
        self.refused = 0
        self._sources: set[bytes] = set()
        self._out = self._session(keys.profile, keys.ours, pylibsrtp.Policy.SSRC_ANY_OUTBOUND)
        self._in = self._session(keys.profile, keys.theirs, pylibsrtp.Policy.SSRC_ANY_INBOUND)

    def protect(self, packet: bytes) -> bytes:
        """An RTP packet, for the network."""
        return self._out.protect(packet)

    def protect_rtcp(self, packet: bytes) -> bytes:
        return self._out.protect_rtcp(packet)

    def unprotect(self, data: bytes) -> bytes | None:
        """The RTP packet; ``None``: not the peer's, or not new."""
        return self._open(self._in.unprotect, data, data[8:12])

    def unprotect_rtcp(self, data: bytes) -> bytes | None:
        """The RTCP packet, or ``None``."""
        return self._open(self._in.unprotect_rtcp, data, data[4:8])

    def _open(self, act: Callable[[bytes], bytes], data: bytes, source: bytes) -> bytes | None:
        known = source in self._sources
        if known or len(self._sources) < _MOST_SOURCES:
            try:
                packet = act(data)
            except (pylibsrtp.Error, ValueError):
                pass
            else:
                if not known:
                    self._sources.add(source)
                return packet
        self.refused += 1
        return None

    @staticmethod
    def _session(profile: Profile, key: bytes, direction: int) -> pylibsrtp.Session:
        policy = pylibsrtp.Policy(key=key, ssrc_type=direction, srtp_profile=_PROFILES[profile])
        policy.window_size = _WINDOW
        return pylibsrtp.Session(policy)
