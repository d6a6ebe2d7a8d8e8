"""The sound of one peer connection in the plane's thread: decrypt and decode, encode and encrypt, and what was heard.

Owns nothing of the network: packets come from and go to a ``PeerConnection``. What the page's output has played, as the
page reports it, is what was heard; between reports nothing is added. Without reports the measured delay tells.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, NamedTuple

from antiphon.audio.frames import EAR_RATE, PLAY_RATE, AudioFrame
from antiphon.audio.opus import OpusDecoder, OpusEncoder
from antiphon.transport.rtp.receiver import RtpReceiver
from antiphon.transport.rtp.sender import RtpSender
from antiphon.transport.rtp.session import RtpSession
from antiphon.transport.webrtc.demux import protocol
from antiphon.transport.webrtc.signals import Playout, Stats

if TYPE_CHECKING:
    from antiphon.transport.webrtc.peer_connection import PeerConnection
    from antiphon.transport.webrtc.srtp import SrtpSession

REPORTS_FRESH = 1.0
"""Seconds after which a page that reported its playout is taken not to do so any more."""

_FASTEST = 2.0
"""How much faster than real time a page's jitter buffer may catch up."""
_SLACK = 0.02


class Interval(NamedTuple):
    """Counts at the begin of a second of stats."""

    received: int = 0
    lost: int = 0
    concealed_ms: int = 0


class PeerMedia:
    """Both ways of ``peer``, whose keys are there. ``bitrate`` (bits a second) and ``complexity`` (0 to 10): of our
    encoder."""

    def __init__(self, peer: PeerConnection, srtp: SrtpSession, now: float, *, bitrate: int, complexity: int) -> None:
        offer = peer.offer
        self.peer = peer
        most = offer.opus_options.get("maxaveragebitrate", "")
        if most.isascii() and most.isdigit() and len(most) < 8:
            bitrate = max(6000, min(bitrate, int(most)))
        encoder = OpusEncoder(
            PLAY_RATE,
            bitrate=bitrate,
            complexity=complexity,
            fec=offer.opus_options.get("useinbandfec", "0") == "1",
        )
        sender = RtpSender(
            peer.ssrc,
            offer.opus,
            encoder,
            sequence=secrets.randbits(15),
            timestamp=secrets.randbits(32),
        )
        events = () if offer.telephone_event is None else (offer.telephone_event,)
        receiver = RtpReceiver(offer.opus, lambda: OpusDecoder(EAR_RATE), events=events)
        self._session = RtpSession(receiver, sender, name=secrets.token_hex(8))
        self._usual_playout = self._session.playout
        self._srtp = srtp
        self._since = now
        self._reported_at: float | None = None
        self._played = 0.0
        self._heard = 0
        self._before = Interval()

    @property
    def sends(self) -> bool:
        """The page wants to hear."""
        return self.peer.offer.direction in ("sendrecv", "sendonly")

    @property
    def expects(self) -> bool:
        """The page means to speak."""
        return self.peer.offer.direction in ("sendrecv", "recvonly")

    # --- in ----------------------------------------------------------------------------------------------------------

    def capture(self, now: float) -> list[AudioFrame]:
        """The caller's sound that is complete by ``now``."""
        srtp, session = self._srtp, self._session
        for arrived, data in self.peer.take(now):
            rtcp = protocol(data) == "rtcp"
            packet = srtp.unprotect_rtcp(data) if rtcp else srtp.unprotect(data)
            if packet is not None:
                self.peer.media_heard_at = arrived
                session.receive(arrived, packet)
        return session.capture(now)

    def take_digits(self) -> str:
        """Keys that came by RTP since the last call."""
        return self._session.take_digits()

    @property
    def last_arrival(self) -> float:
        """When sound last came, or could have come for the first time."""
        return self._session.receiver.last_arrival or self._since

    # --- out ---------------------------------------------------------------------------------------------------------

    def send(self, now: float) -> None:
        """The packets that are due."""
        protect, session = self._srtp, self._session
        packets = [protect.protect(packet) for packet in session.packets(now)] if self.sends else []
        if report := session.report(now):
            packets.append(protect.protect_rtcp(report))
        self.peer.send(packets)

    def goodbye(self, now: float) -> None:
        """The last packet."""
        self.peer.send([self._srtp.protect_rtcp(self._session.goodbye(now))])

    def play(self, now: float, frame: AudioFrame) -> None:
        self._session.play(now, frame)

    def flush(self, now: float) -> int:
        """Take back what has not been sent."""
        return self._session.flush(now)

    # --- what was heard ------------------------------------------------------------------------------------------------

    def report(self, now: float, playout: Playout) -> None:
        """The page says how far its output is."""
        session, first = self._session, self._reported_at is None
        moved = max(0.0, playout.played - (0.0 if first else self._played))
        self._played, self._reported_at = playout.played, now
        session.playout = playout.delay + (self.round_trip or 0.0) / 2  # the report has travelled, too
        most = self._heard + int((_FASTEST * moved + _SLACK) * PLAY_RATE)
        self._heard = max(self._heard, min(session.heard(now), most))

    def reports(self, now: float) -> bool:
        """The page says what it plays."""
        return self._reported_at is not None and now - self._reported_at <= REPORTS_FRESH

    def heard(self, now: float) -> int:
        """Samples of what was played here that have been heard."""
        if not self.reports(now):
            self._session.playout = self._usual_playout
            self._heard = max(self._heard, self._session.heard(now))
        return self._heard

    @property
    def round_trip(self) -> float | None:
        """Seconds to the page and back."""
        return self._session.sender.round_trip or self.peer.rtt

    # --- for people ----------------------------------------------------------------------------------------------------

    @property
    def counts(self) -> dict[str, int]:
        """All that was lost or dropped on the way, by name."""
        counts = dict(self._session.receiver.counts)
        for what, count in (
            ("malformed", self._session.malformed),
            ("refused", self._srtp.refused),
            *self.peer.all_counts.items(),
        ):
            counts[what] = counts.get(what, 0) + count
        return counts

    def stats(self) -> Stats:
        """Since the last call."""
        receiver, sender = self._session.receiver, self._session.sender
        counts, before = receiver.counts, self._before
        after = Interval(counts.get("received", 0), counts.get("lost", 0), counts.get("concealed_ms", 0))
        received, lost, concealed = (new - old for new, old in zip(after, before, strict=True))
        self._before = after
        heard = sender.remote_jitter is not None
        return Stats(
            id=self.peer.id,
            rtt=self.round_trip,
            loss=round(lost / (received + lost), 4) if received + lost > 0 else 0.0,
            jitter=round(receiver.reception.jitter, 6) if receiver.reception else 0.0,
            concealed=min(1.0, round(concealed / 1000, 4)),
            remote_loss=round(sender.loss, 4) if heard else None,
            remote_jitter=sender.remote_jitter,
        )
