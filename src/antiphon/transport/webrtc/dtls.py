"""DTLS 1.2 for keys (RFC 5764, 8827): a handshake whose only result is the keys of SRTP.

Takes and gives datagrams, never touches a socket, and takes time as an argument. A flight that is not answered goes out again
soon, as it was; where it had arrived and the answer was lost the peer drops that as a replay, so OpenSSL makes it anew
after 1, 3 and 7 s, by the machine's own clock. The peer is who the fingerprints in its offer say, or nobody. Handshakes are long
computations (several ms): they belong in the network thread, never in the plane's tick.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Literal, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from OpenSSL import SSL

from antiphon.transport.webrtc.sdp import Fingerprint, Setup

State = Literal["new", "handshake", "connected", "failed", "closed"]
Profile = Literal["SRTP_AES128_CM_SHA1_80", "SRTP_AEAD_AES_128_GCM"]

MTU = 1200
"""Bytes of a datagram: fits every path that carries WebRTC."""
HANDSHAKE_WITHIN = 10.0
CERTIFICATE_DAYS = 30

_RESEND_AFTER = (0.25, 0.6)
_DTLS_1_2 = 0xFEFD
_RECORD_HEADER = 13
_PROFILES: dict[Profile, tuple[int, int]] = {"SRTP_AEAD_AES_128_GCM": (16, 12), "SRTP_AES128_CM_SHA1_80": (16, 14)}
"""Bytes of master key and master salt; in the order we prefer them."""
_CIPHERS = (
    b"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE+AESGCM:ECDHE+AES"
)


class SrtpKeys(NamedTuple):
    """``ours`` protects what we send, ``theirs`` what we receive: master key and salt, end to end."""

    profile: Profile
    ours: bytes
    theirs: bytes


class Certificate:
    """A self-signed ECDSA certificate, made new for a process and again before it runs out."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "antiphon")])
        today = datetime.now(UTC)
        self._certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self._key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(today - timedelta(days=1))
            .not_valid_after(today + timedelta(days=CERTIFICATE_DAYS))
            .sign(self._key, hashes.SHA256())
        )
        self.der = self._certificate.public_bytes(serialization.Encoding.DER)
        self.fingerprint = fingerprint("sha-256", self.der)
        self.context = self._make_context()

    def _make_context(self) -> SSL.Context:
        context = SSL.Context(SSL.DTLS_METHOD)
        context.set_min_proto_version(_DTLS_1_2)
        context.set_max_proto_version(_DTLS_1_2)
        context.set_options(SSL.OP_NO_QUERY_MTU | SSL.OP_NO_RENEGOTIATION | SSL.OP_NO_TICKET)
        context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
        context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, lambda *_: True)  # the fingerprint judges
        context.set_cipher_list(_CIPHERS)
        context.set_tlsext_use_srtp(b":".join(name.encode() for name in _PROFILES))
        context.use_certificate(self._certificate)
        context.use_privatekey(self._key)
        return context


def fingerprint(algorithm: str, der: bytes) -> Fingerprint:
    """Of a certificate; ``algorithm`` as SDP names it."""
    digest = hashlib.new(algorithm.replace("-", ""), der).hexdigest().upper()
    return Fingerprint(algorithm, ":".join(digest[at : at + 2] for at in range(0, len(digest), 2)))


class DtlsEndpoint:
    """One association. ``role``: ``active`` is the client. ``expected``: one of these the peer's certificate must have.

    ``out``: datagrams to send, taken by the owner after each call. ``keys`` are there once ``state`` is ``connected``;
    ``failure`` says why it is ``failed``.
    """

    def __init__(self, certificate: Certificate, role: Setup, expected: Sequence[Fingerprint]) -> None:
        self.state: State = "new"
        self.failure = ""
        self.keys: SrtpKeys | None = None
        self.out: list[bytes] = []
        self._role, self._expected = role, tuple(expected)
        self._ssl = SSL.Connection(certificate.context, None)
        self._ssl.set_ciphertext_mtu(MTU)
        self._flight: list[bytes] = []
        self._resend_at: list[float] = []
        self._deadline = 0.0

    def start(self, now: float) -> None:
        """The path is there: begin, or wait for the peer to."""
        if self.state != "new":
            return
        self.state = "handshake"
        self._deadline = now + HANDSHAKE_WITHIN
        if self._role == "active":
            self._ssl.set_connect_state()
        else:
            self._ssl.set_accept_state()
        self._shake(now)

    def receive(self, now: float, datagram: bytes) -> None:
        """Whatever it is, it does no harm."""
        if not datagram or self.state not in ("handshake", "connected"):
            return
        self._ssl.bio_write(datagram)
        if self.state == "handshake":
            self._shake(now)
        else:
            self._read()

    def advance(self, now: float) -> None:
        """Send again what was not answered; give up in time."""
        if self.state != "handshake":
            return
        if now >= self._deadline:
            self._fail(f"The DTLS handshake was not answered within {HANDSHAKE_WITHIN:g} s.")
            return
        if self._resend_at and now >= self._resend_at[0]:
            self._resend_at.pop(0)
            self.out += self._flight
        if self._ssl.DTLSv1_get_timeout() == 0:
            self._attempt(self._ssl.DTLSv1_handle_timeout)
            self._collect()

    def close(self) -> None:
        """Say goodbye; there may be nobody to hear it."""
        if self.state == "connected":
            self._attempt(self._ssl.shutdown)
            self._collect()
        if self.state in ("new", "handshake", "connected"):
            self.state = "closed"

    # --- inside ------------------------------------------------------------------------------------------------------

    def _shake(self, now: float) -> None:
        try:
            self._ssl.do_handshake()
        except SSL.WantReadError:
            self._new_flight(now)
            return
        except SSL.Error as error:
            self._collect()
            self._fail(f"The DTLS handshake failed: {_reasons(error)}.")
            return
        self._collect()
        self._finish()

    def _new_flight(self, now: float) -> None:
        if flight := self._collect():
            self._flight = flight
            self._resend_at = [now + after for after in _RESEND_AFTER]

    def _finish(self) -> None:
        certificate = self._ssl.get_peer_certificate(as_cryptography=True)
        der = b"" if certificate is None else certificate.public_bytes(serialization.Encoding.DER)
        if not any(fingerprint(each.algorithm, der) == each for each in self._expected):
            self._attempt(self._ssl.shutdown)
            self._collect()
            self._fail("The peer's certificate is not the one its offer names (DTLS fingerprint).")
            return
        name = self._ssl.get_selected_srtp_profile().decode()
        profile = next((each for each in _PROFILES if each == name), None)
        if profile is None:
            self._fail("The peer agrees to no SRTP profile.")
            return
        key, salt = _PROFILES[profile]
        material = self._ssl.export_keying_material(b"EXTRACTOR-dtls_srtp", 2 * (key + salt))
        client = material[:key] + material[2 * key : 2 * key + salt]
        server = material[key : 2 * key] + material[2 * key + salt :]
        active = self._role == "active"
        self.keys = SrtpKeys(profile, client if active else server, server if active else client)
        self.state = "connected"

    def _read(self) -> None:
        """After the handshake: a repeated last flight is answered inside, a goodbye ends it, all else is dropped."""
        try:
            while True:
                self._ssl.recv(2048)
        except SSL.WantReadError:
            pass
        except SSL.ZeroReturnError:
            self.state = "closed"
        except SSL.Error:
            pass
        self._collect()

    def _collect(self) -> list[bytes]:
        """What OpenSSL has written, in datagrams of whole records; also put in ``out``."""
        written = bytearray()
        try:
            while True:
                written += self._ssl.bio_read(65536)
        except SSL.Error:
            pass
        datagrams: list[bytes] = []
        datagram = bytearray()
        at = 0
        while at < len(written):
            size = _RECORD_HEADER + int.from_bytes(written[at + 11 : at + 13], "big")
            if datagram and len(datagram) + size > MTU:
                datagrams.append(bytes(datagram))
                datagram.clear()
            datagram += written[at : at + size]
            at += size
        if datagram:
            datagrams.append(bytes(datagram))
        self.out += datagrams
        return datagrams

    @staticmethod
    def _attempt(act: Callable[[], object]) -> None:
        try:
            act()
        except SSL.Error:
            return

    def _fail(self, why: str) -> None:
        self.state, self.failure = "failed", why


def _reasons(error: SSL.Error) -> str:
    stack = error.args[0] if error.args and isinstance(error.args[0], list) else []
    return ", ".join(reason for *_, reason in stack if reason) or type(error).__name__
