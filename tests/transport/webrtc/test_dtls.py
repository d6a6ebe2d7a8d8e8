"""The handshake and what it is for, without a network: each datagram may be lost or forged."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

import pytest

from antiphon.transport.webrtc import dtls, srtp
from antiphon.transport.webrtc.demux import protocol

HERE, THERE = dtls.Certificate(), dtls.Certificate()


class Pair:
    """Client and server and the wire between them; ``loses()`` decides about each datagram."""

    def __init__(self, expected: dtls.Fingerprint | None = None, loses: Callable[[], bool] = lambda: False) -> None:
        self.client = dtls.DtlsEndpoint(HERE, "active", [expected or THERE.fingerprint])
        self.server = dtls.DtlsEndpoint(THERE, "passive", [HERE.fingerprint])
        self.sizes: list[int] = []
        self._loses = loses

    def start(self) -> Pair:
        self.client.start(0.0)
        self.server.start(0.0)
        self.exchange(0.0)
        return self

    def exchange(self, now: float) -> None:
        """Until both are silent."""
        while self.client.out or self.server.out:
            for sender, receiver in ((self.client, self.server), (self.server, self.client)):
                out, sender.out = sender.out, []
                for datagram in out:
                    self.sizes.append(len(datagram))
                    if not self._loses():
                        receiver.receive(now, datagram)


def test_both_ends_get_the_same_keys_in_two_round_trips() -> None:
    pair = Pair()
    pair.start()
    assert pair.client.state == pair.server.state == "connected"
    assert pair.client.keys is not None and pair.server.keys is not None
    assert pair.client.keys.profile == "SRTP_AEAD_AES_128_GCM"
    assert (pair.client.keys.ours, pair.client.keys.theirs) == (pair.server.keys.theirs, pair.server.keys.ours)
    assert max(pair.sizes) <= dtls.MTU


def test_lost_datagrams_are_sent_again_until_it_is_done() -> None:
    """In real time: OpenSSL's own timer has no other."""
    pairs = []
    for seed in range(16):
        dice = random.Random(seed)
        pairs.append(Pair(loses=lambda dice=dice: dice.random() < 0.2).start())  # type: ignore[misc]
    begin = time.monotonic()
    waiting = pairs
    while waiting:
        time.sleep(0.05)
        now = time.monotonic() - begin
        for pair in waiting:
            pair.client.advance(now)
            pair.server.advance(now)
            pair.exchange(now)
        waiting = [pair for pair in waiting if "handshake" in (pair.client.state, pair.server.state)]
    for pair in pairs:
        assert pair.client.state == pair.server.state == "connected"
        assert pair.client.keys is not None and pair.server.keys is not None
        assert pair.client.keys.ours == pair.server.keys.theirs


def test_a_flight_that_is_not_answered_is_sent_again_soon_and_given_up_in_time() -> None:
    client = dtls.DtlsEndpoint(HERE, "active", [THERE.fingerprint])
    client.start(0.0)
    first, client.out = client.out, []
    times = []
    for step in range(1, 1000):
        client.advance(step / 100)
        if client.out:
            assert client.out == first
            times.append(step / 100)
            client.out = []
    assert times == [0.25, 0.6] and client.state == "handshake"
    client.advance(10.0)
    assert client.state == "failed" and "10 s" in client.failure


def test_a_certificate_that_the_offer_does_not_name_is_refused_and_the_other_end_told() -> None:
    pair = Pair(HERE.fingerprint)
    pair.start()
    assert pair.client.state == "failed" and "fingerprint" in pair.client.failure
    assert pair.client.keys is None
    assert pair.server.state in ("closed", "failed")


@pytest.mark.parametrize("algorithm", ["sha-256", "sha-384", "sha-512"])
def test_each_kind_of_fingerprint_is_checked(algorithm: str) -> None:
    pair = Pair(dtls.fingerprint(algorithm, THERE.der))
    pair.start()
    assert pair.client.state == "connected"


def test_nonsense_does_not_stop_a_handshake_nor_end_a_connection() -> None:
    dice = random.Random(3)
    pair = Pair()
    for each in (pair.client, pair.server):
        each.start(0.0)
        each.receive(0.0, b"")
        for _ in range(300):
            size = dice.randrange(1, 400)
            each.receive(0.0, bytes([22, 254, 253]) + dice.randbytes(size))
            each.receive(0.0, dice.randbytes(size))
    pair.exchange(0.0)
    assert pair.client.state == pair.server.state == "connected"
    for _ in range(300):
        pair.client.receive(0.0, bytes([dice.randrange(20, 26), 254, 253]) + dice.randbytes(60))
    assert pair.client.state == "connected"


def test_a_goodbye_ends_the_other_end() -> None:
    pair = Pair()
    pair.start()
    pair.client.close()
    pair.exchange(0.0)
    assert pair.server.state == "closed"


def sessions() -> tuple[srtp.SrtpSession, srtp.SrtpSession]:
    pair = Pair()
    pair.start()
    assert pair.client.keys is not None and pair.server.keys is not None
    return srtp.SrtpSession(pair.client.keys), srtp.SrtpSession(pair.server.keys)


def packet(sequence: int, ssrc: int = 7) -> bytes:
    return bytes([0x80, 111]) + sequence.to_bytes(2, "big") + bytes(4) + ssrc.to_bytes(4, "big") + b"sound"


@pytest.mark.parametrize("profile", ["SRTP_AEAD_AES_128_GCM", "SRTP_AES128_CM_SHA1_80"])
def test_packets_pass_once_and_only_whole(profile: dtls.Profile) -> None:
    size = 28 if "GCM" in profile else 30
    ours = srtp.SrtpSession(dtls.SrtpKeys(profile, b"a" * size, b"b" * size))
    theirs = srtp.SrtpSession(dtls.SrtpKeys(profile, b"b" * size, b"a" * size))
    sent = [ours.protect(packet(sequence)) for sequence in range(5)]
    order = [0, 2, 1, 4, 3]
    assert [theirs.unprotect(sent[each]) for each in order] == [packet(each) for each in order]
    assert theirs.refused == 0
    assert theirs.unprotect(sent[2]) is None
    assert theirs.unprotect(sent[4][:-1] + b"x") is None
    assert theirs.unprotect(b"") is None and theirs.unprotect(bytes(3000)) is None
    report = bytes([0x80, 201, 0, 1, 0, 0, 0, 7])
    protected = ours.protect_rtcp(report)
    assert theirs.unprotect_rtcp(protected) == report
    assert theirs.unprotect_rtcp(protected) is None
    assert theirs.refused == 5


def test_a_peer_cannot_open_streams_without_end() -> None:
    ours, theirs = sessions()
    passed = [theirs.unprotect(ours.protect(packet(1, ssrc))) for ssrc in range(100, 140)]
    assert sum(each is not None for each in passed) == 16
    assert theirs.refused == 24
    assert theirs.unprotect(ours.protect(packet(2, 100))) == packet(2, 100)


@pytest.mark.parametrize(
    ("datagram", "kind"),
    [
        (b"", "unknown"),
        (bytes(20), "stun"),
        (bytes(19), "unknown"),
        (bytes([3]) + bytes(30), "stun"),
        (bytes([4]) + bytes(30), "unknown"),
        (bytes([22, 254, 253]) + bytes(10), "dtls"),
        (bytes([22, 254, 253]) + bytes(9), "unknown"),
        (bytes([64]) + bytes(30), "unknown"),
        (bytes([0x80, 111]) + bytes(10), "rtp"),
        (bytes([0x80, 111]) + bytes(9), "unknown"),
        (bytes([0x80, 0x80 | 111]) + bytes(10), "rtp"),
        (bytes([0x80, 200]) + bytes(6), "rtcp"),
        (bytes([0x81, 206]) + bytes(10), "rtcp"),
        (bytes([0xC0]) + bytes(30), "unknown"),
        (bytes([0x80, 111]) + bytes(1500), "unknown"),
    ],
)
def test_the_first_bytes_tell_the_protocol(datagram: bytes, kind: str) -> None:
    assert protocol(datagram) == kind
