"""One party's sound as it goes out by RTP: frames in, packets out, and what the far end says of them.

Owns numbering, the mapping of the stream's clock to ours, the counts for sender reports, round-trip time and loss. Loss
is smoothed before the encoder hears of it: a bad second makes no stream thin.
"""

from __future__ import annotations

from antiphon.transport.rtp.codec import FrameEncoder
from antiphon.transport.rtp.packet import RtpPacket, build_rtp
from antiphon.transport.rtp.rtcp import ReportBlock, SenderReport

_UP, _DOWN = 0.5, 0.15
"""How fast the smoothed loss follows a higher and a lower report."""


class RtpSender:
    """``sequence`` (16 bits) and ``timestamp`` (32): where to begin; at random, for what is encrypted is then harder to
    guess (RFC 3550, 5.1)."""

    def __init__(
        self,
        ssrc: int,
        payload_type: int,
        encoder: FrameEncoder,
        *,
        clock_rate: int = 48_000,
        sequence: int = 0,
        timestamp: int = 0,
    ) -> None:
        self.ssrc = ssrc
        self.payload_type = payload_type
        self.round_trip: float | None = None
        """Seconds, from the last report that told."""
        self.loss = 0.0
        """Fraction of our packets that the far end loses, smoothed."""
        self.remote_jitter: float | None = None
        """Seconds, as the far end measures it."""
        self.packets = 0
        self.octets = 0
        self.encoder = encoder
        self._clock_rate = clock_rate
        self._sequence, self._timestamp = sequence & 0xFFFF, timestamp & 0xFFFFFFFF
        self._sent_at = 0.0
        self._sent_timestamp = self._timestamp
        self._pause = True

    def packet(self, now: float, pcm: bytes) -> bytes:
        """Encode one frame (int16 mono at the encoder's rate) that leaves at ``now``."""
        packet = RtpPacket(
            payload_type=self.payload_type,
            sequence=self._sequence,
            timestamp=self._timestamp,
            ssrc=self.ssrc,
            payload=self.encoder.encode(pcm),
            marker=self._pause,
        )
        self._sent_at, self._sent_timestamp, self._pause = now, self._timestamp, False
        self._sequence = (self._sequence + 1) & 0xFFFF
        self._advance(len(pcm) // 2)
        self.packets += 1
        self.octets += len(packet.payload)
        return build_rtp(packet)

    def skip(self, samples: int) -> None:
        """These samples (at the encoder's rate) are not sent: the stream pauses for as long."""
        self._advance(samples)
        self._pause = True

    def report(self, now: float, reports: tuple[ReportBlock, ...] = ()) -> SenderReport:
        """A sender report for ``now``. Its NTP time is the time of our own clock, which the RFC allows."""
        since = round((now - self._sent_at) * self._clock_rate)
        timestamp = (self._sent_timestamp + since) & 0xFFFFFFFF
        return SenderReport(
            self.ssrc, ntp_time(now), timestamp, self.packets & 0xFFFFFFFF, self.octets & 0xFFFFFFFF, reports
        )

    def heard(self, now: float, block: ReportBlock) -> None:
        """The far end reports on our stream."""
        if block.last_sr:
            trip = ((ntp_time(now) >> 16) - block.last_sr - block.delay) & 0xFFFFFFFF
            if trip < 10 << 16:  # else it wrapped: the delay is more than has passed
                self.round_trip = trip / 65536
        self.remote_jitter = block.jitter / self._clock_rate
        loss = block.fraction_lost / 256
        self.loss += (loss - self.loss) * (_UP if loss > self.loss else _DOWN)
        self.encoder.adapt(self.loss)

    def _advance(self, samples: int) -> None:
        self._timestamp = (self._timestamp + samples * self._clock_rate // self.encoder.rate) & 0xFFFFFFFF


def ntp_time(now: float) -> int:
    """A time in the 64 bits of an NTP timestamp: seconds and 2**32ths."""
    return int(now * (1 << 32)) & 0xFFFFFFFFFFFFFFFF
