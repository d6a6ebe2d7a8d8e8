"""One party's sound as it comes by RTP: packets in, frames out, on one time line without holes.

Chooses the stream (SSRC) that is listened to, decodes what the jitter buffer orders, and keeps the frames' times: each
begins where the one before ended. A sender whose clock is not ours is followed by leaving out or repeating a quiet
frame. Malformed packets are counted and become a loss; nothing here raises for what a network brings.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable

import numpy as np

from antiphon.audio.frames import AudioFrame
from antiphon.errors import AudioError, PacketError
from antiphon.transport.rtp.codec import FrameDecoder
from antiphon.transport.rtp.dtmf import TelephoneEvents
from antiphon.transport.rtp.jitter_buffer import JitterBuffer, Piece
from antiphon.transport.rtp.packet import RtpPacket
from antiphon.transport.rtp.reception import Reception

_SLIP = 0.02
_JUMP = 0.08
_QUIET = 150
"""Peak (about -47 dBFS) up to which a frame may be left out or repeated."""
_GONE = 0.1
_MOST_WAITING = 32
_SHORT = 0.02
_SETTLING = 50
"""Packets in which the fastest of a stream is found: until then times are set right, and no sound is touched."""


class RtpReceiver:
    """``payload_type``: what ``decoder`` makes a decoder for. ``events``: payload types of ``telephone-event``.

    ``counts``, in packets: ``received``, ``lost``, ``late``, ``duplicate``, ``overflow``, ``restart``, ``malformed``,
    ``unknown_payload``, ``stranger``, ``new_source``; in milliseconds: ``recovered_ms`` (from copies), ``concealed_ms``
    (made up), ``silence_ms`` (pauses), ``left_out_ms``, ``repeated_ms`` (the clocks differ).
    """

    def __init__(
        self,
        payload_type: int,
        decoder: Callable[[], FrameDecoder],
        *,
        clock_rate: int = 48_000,
        events: Iterable[int] = (),
    ) -> None:
        self.payload_type = payload_type
        self.events = frozenset(events)
        self.reception: Reception | None = None
        """Of the stream that is listened to."""
        self.last_arrival: float | None = None
        """When its last packet came."""
        self.digits: list[str] = []
        """Keys pressed since they were last taken."""
        self._make, self._clock_rate = decoder, clock_rate
        self._decoder = decoder()
        self.rate = self._decoder.rate
        """Hz of the frames."""
        self._unit = self.rate // 400
        self._buffer = JitterBuffer(clock_rate)
        self._telephone = TelephoneEvents()
        self._counts: dict[str, int] = {}
        self._at: float | None = None
        self._waiting: deque[tuple[float, RtpPacket]] = deque(maxlen=_MOST_WAITING)
        self._left = False

    @property
    def counts(self) -> dict[str, int]:
        """All since the start."""
        counts = dict(self._counts)
        for what, count in (*self._buffer.counts.items(), *self._telephone.counts.items()):
            counts[what] = counts.get(what, 0) + count
        return counts

    @property
    def patience(self) -> float:
        """Seconds that a missing packet is waited for at present."""
        return self._buffer.patience

    def receive(self, now: float, packet: RtpPacket) -> None:
        """Take a packet that arrived at ``now``."""
        if packet.payload_type != self.payload_type and packet.payload_type not in self.events:
            self._count("unknown_payload")
            return
        if self.reception is None:
            self._listen_to(packet.ssrc)
        elif packet.ssrc != self.reception.ssrc:
            self._stranger(now, packet)
            return
        self._take(now, packet)

    def goodbye(self, ssrcs: Iterable[int]) -> None:
        """These sources say that they are over: the next one is listened to at once."""
        self._left = self._left or (self.reception is not None and self.reception.ssrc in ssrcs)

    def pull(self, now: float) -> list[AudioFrame]:
        """The sound that has become complete by ``now``, oldest first."""
        frames: list[AudioFrame] = []
        for piece in self._buffer.pull(now):
            pcm = self._sound(piece)
            if self._keep_time(frames, piece.at, pcm):
                self._frame(frames, pcm)
        return frames

    # --- which stream ----------------------------------------------------------------------------------------------

    def _listen_to(self, ssrc: int) -> None:
        self.reception = Reception(ssrc, self._clock_rate)
        self._left = False
        self._waiting.clear()

    def _stranger(self, now: float, packet: RtpPacket) -> None:
        """A source takes the place of one that has fallen silent or said goodbye; until then its packets wait."""
        waiting = self._waiting
        if waiting and waiting[0][1].ssrc != packet.ssrc:
            waiting.clear()
        waiting.append((now, packet))
        self._count("stranger")
        silent = self.last_arrival is None or now - self.last_arrival > _GONE
        if not self._left and (len(waiting) < 2 or not silent):
            return
        held = list(waiting)
        self._counts = self.counts
        self._buffer, self._telephone = JitterBuffer(self._clock_rate), TelephoneEvents()
        self._decoder = self._make()
        self._count("new_source")
        self._count("stranger", -len(held))
        self._listen_to(packet.ssrc)
        for arrival, each in held:
            self._take(arrival, each)

    def _take(self, now: float, packet: RtpPacket) -> None:
        assert self.reception is not None
        self.last_arrival = now
        self._count("received")
        self.reception.add(now, packet.sequence, packet.timestamp)
        payload, samples = packet.payload, 0
        if packet.payload_type in self.events:
            payload = b""
            try:
                digit = self._telephone.receive(packet)
            except PacketError:
                self._count("malformed")
            else:
                if digit:
                    self.digits.append(digit)
        elif payload:
            try:
                samples = self._decoder.samples(payload) * self._clock_rate // self.rate
            except AudioError:
                self._count("malformed")
                return
        restarts = self._buffer.counts.get("restart", 0)
        self._buffer.push(now, packet.sequence, packet.timestamp, payload, samples)
        if self._buffer.counts.get("restart", 0) != restarts:
            self.reception.restart(packet.sequence)

    # --- sound -----------------------------------------------------------------------------------------------------

    def _sound(self, piece: Piece) -> bytes:
        wanted = piece.samples * self.rate // self._clock_rate
        try:
            if piece.payload:
                skip = piece.skip * self.rate // self._clock_rate
                return self._decoder.decode(piece.payload)[2 * skip :]
            if piece.following:
                copied = self._decoder.carries_copy(piece.following)
                self._count_ms("recovered_ms" if copied else "concealed_ms", wanted)
                return self._decoder.recover(piece.following, self._fitting(wanted))[: 2 * wanted]
        except AudioError:
            self._count("malformed")
        if piece.silent:
            self._count_ms("concealed_ms" if piece.lost else "silence_ms", wanted)
            return bytes(2 * wanted)
        if not piece.following:
            self._count_ms("concealed_ms", wanted)
        return self._decoder.conceal(self._fitting(wanted))[: 2 * wanted]

    def _fitting(self, samples: int) -> int:
        return -(-samples // self._unit) * self._unit

    def _keep_time(self, frames: list[AudioFrame], at: float, pcm: bytes) -> bool:
        """Keep the frames' times within 20 ms of when they were captured. False: this frame is to be left out."""
        if self._at is None or self.reception is None or self.reception.received < _SETTLING:
            self._at = at
        ahead = self._at - at
        if abs(ahead) > _JUMP:
            self._at = at
        elif abs(ahead) > _SLIP and len(pcm) <= 2 * _SHORT * self.rate and _quiet(pcm):
            if ahead > 0:
                self._count_ms("left_out_ms", len(pcm) // 2)
                return False
            self._count_ms("repeated_ms", len(pcm) // 2)
            self._frame(frames, pcm)
        return True

    def _frame(self, frames: list[AudioFrame], pcm: bytes) -> None:
        assert self._at is not None
        frames.append(AudioFrame.pcm(pcm, self.rate, at=self._at))
        self._at += len(pcm) / (2 * self.rate)

    def _count_ms(self, what: str, samples: int) -> None:
        self._count(what, round(1000 * samples / self.rate))

    def _count(self, what: str, by: int = 1) -> None:
        self._counts[what] = self._counts.get(what, 0) + by


def _quiet(pcm: bytes) -> bool:
    return bool(np.abs(np.frombuffer(pcm, dtype="<i2").astype(np.int32)).max(initial=0) <= _QUIET)
