"""One peer connection: an offer answered, a path found, keys agreed on, packets handed over both ways.

Lives in the network's loop; the plane's thread only takes packets out of its bounded ring, sends, and reads ``srtp``. What the
page must know goes out as signals. A path that is lost may come back; the page may move to another (ICE restart).
"""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any, Literal

from antiphon.errors import AntiphonError
from antiphon.transport.webrtc import sdp
from antiphon.transport.webrtc.candidates import candidate_line
from antiphon.transport.webrtc.demux import protocol
from antiphon.transport.webrtc.dtls import Certificate, DtlsEndpoint
from antiphon.transport.webrtc.ice import IceTransport
from antiphon.transport.webrtc.ice_settings import IceSettings
from antiphon.transport.webrtc.signals import Answer, Connection, Error, FromLeg, LocalCandidate
from antiphon.transport.webrtc.srtp import SrtpSession

if TYPE_CHECKING:
    from antiphon.transport.webrtc.network import Network

State = Literal["connecting", "connected", "lost", "closed"]

CONNECT_WITHIN = 15.0
"""Seconds from the answer until there must be a path."""
LOST_AFTER = 4.0
"""Seconds without a word from the peer."""

_MOST_PACKETS = 256
_MOST_EARLY = 32


class PeerConnection:
    """``tell`` gets the signals for the page, in the network thread. Made in that thread; ``begin`` starts it."""

    def __init__(
        self,
        network: Network,
        settings: IceSettings,
        certificate: Certificate,
        offer: sdp.Offer,
        id: int,
        *,
        ssrc: int,
        tell: Callable[[PeerConnection, FromLeg], None],
        now: Callable[[], float],
    ) -> None:
        self.id = id
        self.offer = offer
        self.ssrc = ssrc
        self.state: State = "connecting"
        self.srtp: SrtpSession | None = None
        self.media_heard_at = 0.0
        """When the plane last took a packet that is the peer's beyond doubt."""
        self.counts: dict[str, int] = {}
        self._network, self._settings, self._now, self._tell = network, settings, now, tell
        self._certificate = certificate
        self._session = secrets.randbits(62)
        self._version = 0
        self._arrived: deque[tuple[float, bytes]] = deque()
        self._dtls = DtlsEndpoint(certificate, offer.setup, offer.fingerprints)
        self._path = self._new_path(id)
        self._next_path: IceTransport | None = None
        self._trickled = False
        self._work: set[asyncio.Task[None]] = set()

    # --- the plane's side ----------------------------------------------------------------------------------------------

    def take(self, now: float) -> list[tuple[float, bytes]]:
        """The RTP and RTCP packets that have arrived by ``now``, with their times, still protected."""
        taken = []
        while self._arrived:
            taken.append(self._arrived.popleft())
        taken += [(now - age, data) for age, data in self._path.poll()]
        return taken

    def send(self, packets: Sequence[bytes]) -> None:
        """Protected packets, to the peer; what the socket does not take is lost and counted."""
        for packet in packets:
            if not self._path.transmit(packet):
                self._count("unsent")

    @property
    def all_counts(self) -> dict[str, int]:
        """``strangers`` and ``malformed``, ``overflow`` (the plane did not keep up), ``unsent`` (the socket did not)."""
        counts = dict(self.counts)
        for path in (self._path, self._next_path):
            if path is not None:
                counts["strangers"] = counts.get("strangers", 0) + path.strangers
                counts["malformed"] = counts.get("malformed", 0) + path.malformed
        return counts

    @property
    def rtt(self) -> float | None:
        """Seconds to the peer and back."""
        return self._path.rtt

    # --- the network's side --------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Answer the offer and connect."""
        self._network.watch(self)
        self._spawn(self._connect, self.offer, self._path)

    def renew(self, offer: sdp.Offer, id: int) -> bool:
        """Take a further offer of the same peer connection. False: it is not of this one."""
        same = offer.session == self.offer.session and set(offer.fingerprints) == set(self.offer.fingerprints)
        if not same or self.state == "closed" or not self._version:
            return False
        restart = (offer.ufrag, offer.pwd) != (self.offer.ufrag, self.offer.pwd)
        self.id, self.offer = id, offer
        if not restart:
            self._answer(self._next_path or self._path)
            return True
        if self._next_path is not None:
            self._network.spawn(self._next_path.aclose())
        self._next_path = self._new_path(id)
        self._spawn(self._move, offer, self._next_path)
        return True

    def add_candidate(self, id: int, candidate: str | None) -> None:
        """A trickled candidate of the offer ``id``."""
        if id == self.id and candidate:
            self._trickled = True
            (self._next_path or self._path).add_candidate(candidate)

    def advance(self, now: float) -> None:
        self._path.advance(now)
        self._dtls.advance(now)
        self._follow_dtls()
        if self.state in ("connected", "lost"):
            heard = max(self._path.heard_at, self.media_heard_at)
            if self._path.expired and now - heard > LOST_AFTER:
                self._fail(
                    "Nothing has arrived from the page for a long time.", "The page connects anew by a new offer."
                )
            elif now - heard > LOST_AFTER:
                self._become("lost")
            else:
                self._become("connected")

    def close(self) -> None:
        """Say goodbye, free the sockets. Says nothing to the page."""
        if self.state == "closed":
            return
        self.state = "closed"
        self._network.forget(self)
        self._dtls.close()
        self._flush_dtls()
        for task in self._work:
            task.cancel()
        for path in (self._path, self._next_path):
            if path is not None:
                self._network.spawn(path.aclose())

    # --- connecting ----------------------------------------------------------------------------------------------------

    async def _connect(self, offer: sdp.Offer, path: IceTransport) -> None:
        self._open(path, offer)
        self._tell(self, Connection(self.id, "connecting"))
        problem = await self._establish(path, offer)
        if self._path is not path:
            return
        if problem is not None:
            if self._next_path is None:
                self._fail(*problem)
            return
        self._dtls.start(self._now())
        self._follow_dtls()

    async def _move(self, offer: sdp.Offer, path: IceTransport) -> None:
        """An ICE restart: the old path carries sound until the new one is there."""
        self._open(path, offer)
        problem = await self._establish(path, offer)
        if self._next_path is not path:
            return
        self._next_path = None
        if problem is not None:
            if self.srtp is None:
                self._fail(*problem)
            else:
                self._tell(self, Error(self.id, *problem))
            self._network.spawn(path.aclose())
            return
        old, self._path = self._path, path
        self._count("strangers", old.strangers)
        self._count("malformed", old.malformed)
        if self.srtp is not None:
            path.hand_over()
        self._network.spawn(old.aclose())
        if self._dtls.state == "new":
            self._dtls.start(self._now())
            self._follow_dtls()

    def _open(self, path: IceTransport, offer: sdp.Offer) -> None:
        for candidate in offer.candidates:
            path.add_candidate(candidate)
        path.gather()
        self._answer(path)

    def _answer(self, path: IceTransport) -> None:
        self._version += 1
        text = sdp.write_answer(
            self.offer,
            session=self._session,
            version=self._version,
            ufrag=path.local_username,
            pwd=path.local_password,
            fingerprint=self._certificate.fingerprint,
            ssrc=self.ssrc,
            candidates=[candidate_line(candidate) for candidate in path.local_candidates],
            complete=path.gathered,
        )
        self._tell(self, Answer(self.id, text))

    async def _establish(self, path: IceTransport, offer: sdp.Offer) -> tuple[str, str] | None:
        """``None``: there is a path; else what went wrong and what to do."""
        try:
            await asyncio.wait_for(path.establish(offer.ufrag, offer.pwd), CONNECT_WITHIN)
        except (TimeoutError, ConnectionError):
            return self._no_path(path, offer)
        return None

    def _no_path(self, path: IceTransport, offer: sdp.Offer) -> tuple[str, str]:
        hint = "Let UDP through to this machine, or configure a TURN server."
        if path.problems:
            hint = f"{' '.join(path.problems)} {hint}"
        what = "" if offer.candidates or self._trickled else " The page named no ICE candidates."
        return f"No network path to the page was found within {CONNECT_WITHIN:g} s.{what}", hint

    def _new_path(self, id: int) -> IceTransport:
        def on_candidate(candidate: str | None) -> None:
            if self.id == id and self.state != "closed":
                self._tell(self, LocalCandidate(id, candidate))

        return IceTransport(self._settings, on_packet=self._on_packet, on_candidate=on_candidate, now=self._now)

    # --- packets -------------------------------------------------------------------------------------------------------

    def _on_packet(self, data: bytes) -> None:
        if protocol(data) == "dtls":
            self._dtls.receive(self._now(), data)
            self._follow_dtls()
        elif len(self._arrived) < (_MOST_EARLY if self.srtp is None else _MOST_PACKETS):
            self._arrived.append((self._now(), data))
        else:
            self._count("overflow")

    def _follow_dtls(self) -> None:
        self._flush_dtls()
        dtls = self._dtls
        if self.state == "closed":
            return
        if dtls.state == "failed":
            self._fail(dtls.failure, "Reload the page; the two ends do not agree on a key.")
        elif dtls.state == "closed":
            self._over()
        elif dtls.keys is not None and self.srtp is None:
            self.srtp = SrtpSession(dtls.keys)
            self._path.heard_at = self._now()
            self._path.hand_over()
            self._become("connected")

    def _flush_dtls(self) -> None:
        out, self._dtls.out = self._dtls.out, []
        for datagram in out:
            self._path.transmit(datagram)

    # --- states --------------------------------------------------------------------------------------------------------

    def _become(self, state: State) -> None:
        if state != self.state:
            self.state = state
            self._tell(self, Connection(self.id, state))

    def _fail(self, error: str, hint: str) -> None:
        self._tell(self, Error(self.id, error, hint))
        self._over()

    def _over(self) -> None:
        if self.state != "closed":
            self.close()
            self._tell(self, Connection(self.id, "closed"))

    def _spawn(self, work: Callable[..., Coroutine[Any, Any, None]], *given: Any) -> None:
        task = self._network.spawn(self._guard(work, *given))
        self._work.add(task)
        task.add_done_callback(self._work.discard)

    async def _guard(self, work: Callable[..., Coroutine[Any, Any, None]], *given: Any) -> None:
        """A fault in here is said and ends this peer connection, and no other."""
        try:
            await work(*given)
        except AntiphonError as error:
            self._fail(error.message, error.hint)
        except Exception as error:
            self._fail(f"{type(error).__name__}: {error}", "This is a fault in the transport.")

    def _count(self, what: str, by: int = 1) -> None:
        self.counts[what] = self.counts.get(what, 0) + by
