"""Both ways of one party's audio over RTP and RTCP: the whole that a leg puts on its sockets.

A leg calls ``receive`` for each packet with the time it arrived, and once a tick ``capture``, ``packets`` and
``report``; ``play``, ``flush`` and ``heard`` are those of the leg. Encrypting, sockets and who the party is are the
leg's. Never raises for what a network brings: it is counted.
"""

from __future__ import annotations

from antiphon.audio.frames import AudioFrame
from antiphon.errors import PacketError
from antiphon.transport.rtp.outgoing import OutgoingAudio
from antiphon.transport.rtp.packet import is_rtcp, parse_rtp
from antiphon.transport.rtp.receiver import RtpReceiver
from antiphon.transport.rtp.rtcp import (
    Goodbye,
    ReceiverReport,
    Report,
    ReportBlock,
    SenderReport,
    SourceDescription,
    build_rtcp,
    parse_rtcp,
)
from antiphon.transport.rtp.sender import RtpSender

REPORT_EVERY = 2.0
_FIRST_REPORT = 0.5
_PLAYOUT = 0.06
"""Seconds from arrival to the ear at a far end that does not say: a usual jitter buffer and device."""


class RtpSession:
    """``name``: the canonical name in our reports (random, RFC 7022). ``left``: the far end said goodbye."""

    def __init__(self, receiver: RtpReceiver, sender: RtpSender, *, name: str) -> None:
        self.receiver, self.sender, self.name = receiver, sender, name
        self.left = False
        self.malformed = 0
        """Packets that were neither RTP nor RTCP."""
        self.playout = _PLAYOUT
        """Seconds from arrival to the far end's ear; to be set where the far end says."""
        self._outgoing = OutgoingAudio(sender.encoder.rate)
        self._skipped = 0
        self._next_report: float | None = None

    # --- from the network ----------------------------------------------------------------------------------------

    def receive(self, now: float, data: bytes) -> None:
        """A decrypted packet that arrived at ``now``, RTP or RTCP."""
        try:
            if is_rtcp(data):
                for report in parse_rtcp(data):
                    self._read(now, report)
            else:
                self.receiver.receive(now, parse_rtp(data))
        except PacketError:
            self.malformed += 1

    def capture(self, now: float) -> list[AudioFrame]:
        """The far end's sound that is complete by ``now``, at ``receiver.rate``."""
        return self.receiver.pull(now)

    def take_digits(self) -> str:
        """Keys pressed since the last call."""
        digits, self.receiver.digits = "".join(self.receiver.digits), []
        return digits

    # --- to the network ------------------------------------------------------------------------------------------

    def play(self, now: float, frame: AudioFrame) -> None:
        """Sound (at ``sender.encoder.rate``) that is due at ``now``."""
        self._outgoing.play(now, frame)

    def flush(self, now: float) -> int:
        """Take back what has not left; returns the samples."""
        return self._outgoing.flush(now)

    def heard(self, now: float) -> int:
        """Samples played that have been heard by ``now``: what has left, and had the time to travel and to sound."""
        self._outgoing.delay = self.playout + (self.sender.round_trip or 0.0) / 2
        return self._outgoing.heard(now)

    def packets(self, now: float) -> list[bytes]:
        """The RTP packets that are due: one for each 20 ms, silence included."""
        frames = self._outgoing.take(now)
        if self._outgoing.skipped > self._skipped:
            self.sender.skip(self._outgoing.skipped - self._skipped)
            self._skipped = self._outgoing.skipped
        return [self.sender.packet(now, frame) for frame in frames]

    def report(self, now: float) -> bytes:
        """The RTCP packet that is due, else nothing."""
        if self._next_report is None:
            self._next_report = now + _FIRST_REPORT
        if now < self._next_report:
            return b""
        self._next_report = max(self._next_report + REPORT_EVERY, now)
        return build_rtcp((self._own_report(now), SourceDescription({self.sender.ssrc: self.name})))

    def goodbye(self, now: float) -> bytes:
        """The last RTCP packet."""
        ssrc = self.sender.ssrc
        return build_rtcp((self._own_report(now), SourceDescription({ssrc: self.name}), Goodbye((ssrc,))))

    def _own_report(self, now: float) -> Report:
        reception = self.receiver.reception
        blocks: tuple[ReportBlock, ...] = () if reception is None else (reception.block(now),)
        return self.sender.report(now, blocks) if self.sender.packets else ReceiverReport(self.sender.ssrc, blocks)

    def _read(self, now: float, report: Report) -> None:
        reception = self.receiver.reception
        if isinstance(report, SenderReport | ReceiverReport):
            if isinstance(report, SenderReport) and reception is not None and reception.ssrc == report.ssrc:
                reception.sender_report(now, report)
            for block in report.reports:
                if block.ssrc == self.sender.ssrc:
                    self.sender.heard(now, block)
        elif isinstance(report, Goodbye):
            self.left = self.left or (reception is not None and reception.ssrc in report.ssrcs)
            self.receiver.goodbye(report.ssrcs)
