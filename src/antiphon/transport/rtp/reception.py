"""What is reported to the sender of a stream: loss, jitter, and when its last report came (RFC 3550, 6.4 and A.3, A.8)."""

from __future__ import annotations

from antiphon.transport.rtp.rtcp import ReportBlock, SenderReport

_HALF = 0x8000


class Reception:
    """One received stream. ``clock_rate``: units of its timestamps a second."""

    def __init__(self, ssrc: int, clock_rate: int) -> None:
        self.ssrc = ssrc
        self.received = 0
        self.jitter = 0.0
        """Seconds."""
        self._rate = clock_rate
        self._first: int | None = None
        self._highest = 0
        self._transit = 0.0
        self._timestamp: int | None = None
        self._before = (0, 0)
        self._last_sr = 0
        self._sr_at: float | None = None

    @property
    def expected(self) -> int:
        return 0 if self._first is None else self._highest - self._first + 1

    @property
    def lost(self) -> int:
        """Packets since the start; negative where more came than were sent."""
        return self.expected - self.received

    def add(self, now: float, sequence: int, timestamp: int) -> None:
        """Count a packet that arrived at ``now``, duplicates and late ones too."""
        self.received += 1
        if self._first is None:
            self._first = self._highest = sequence
        else:
            self._highest = max(self._highest, self._highest + ((sequence - self._highest + _HALF) & 0xFFFF) - _HALF)
        if timestamp == self._timestamp:
            return  # packets of one moment say nothing of jitter
        transit = now - timestamp / self._rate
        if self._timestamp is not None:
            wrap = (1 << 32) / self._rate
            change = abs(transit - self._transit)
            self.jitter += (min(change, abs(wrap - change)) - self.jitter) / 16
        self._transit, self._timestamp = transit, timestamp

    def restart(self, sequence: int) -> None:
        """The sender began to count anew with this packet."""
        self.received, self._first, self._highest, self._before = 1, sequence, sequence, (0, 0)
        self._timestamp = None

    def sender_report(self, now: float, report: SenderReport) -> None:
        self._last_sr, self._sr_at = report.ntp >> 16 & 0xFFFFFFFF, now

    def block(self, now: float) -> ReportBlock:
        """The next report; the fraction lost is of the packets since the one before."""
        expected, received = self.expected - self._before[0], self.received - self._before[1]
        self._before = (self.expected, self.received)
        lost = expected - received
        delay = 0 if self._sr_at is None else round((now - self._sr_at) * 65536)
        return ReportBlock(
            ssrc=self.ssrc,
            fraction_lost=min(255, (lost << 8) // expected) if expected > 0 and lost > 0 else 0,
            lost=self.lost,
            highest=self._highest & 0xFFFFFFFF,
            jitter=min(0xFFFFFFFF, round(self.jitter * self._rate)),
            last_sr=self._last_sr,
            delay=min(0xFFFFFFFF, max(0, delay)),
        )
