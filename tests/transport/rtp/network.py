"""A sender, a network with a seed, and a listener, on virtual time; and real speech to send."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np

from antiphon.audio.frames import AudioFrame
from antiphon.audio.opus import OpusDecoder, OpusEncoder
from antiphon.audio.resample import resample
from antiphon.audio.wav import read_wav
from antiphon.transport.rtp.packet import parse_rtp
from antiphon.transport.rtp.receiver import RtpReceiver
from antiphon.transport.rtp.sender import RtpSender

START = 1000.0
TICK = 0.02
OPUS = 111
CALLERS = Path(__file__).parents[3] / "examples" / "coffee" / "callers"


@cache
def _spoken() -> np.ndarray:
    clips = [read_wav(str(path), 24_000)[0] for path in sorted(CALLERS.glob("*.wav"))]
    return np.concatenate(clips)


def speech(seconds: float) -> np.ndarray:
    """Real speech, ``(samples,) int16`` at 24 kHz."""
    return np.resize(_spoken(), round(seconds * 24_000))


def likeness(said: np.ndarray, said_rate: int, heard: np.ndarray, heard_rate: int) -> float:
    """How like two recordings are: of their seconds, each at its best shift of up to 0.2 s, the median correlation."""
    wanted, found = resample(said, said_rate, heard_rate).astype(float), heard.astype(float)
    margin = heard_rate // 5
    likes = []
    for begin in range(margin, min(wanted.size, found.size) - heard_rate - margin, heard_rate):
        one = wanted[begin : begin + heard_rate]
        if np.abs(one).max() < 2000:
            continue
        around = found[begin - margin : begin + heard_rate + margin]
        products = np.fft.irfft(np.fft.rfft(around, 2 * around.size) * np.conj(np.fft.rfft(one, 2 * around.size)))[
            : 2 * margin
        ]
        at = int(np.argmax(products))
        likes.append(float(np.corrcoef(one, around[at : at + heard_rate])[0, 1]))
    return float(np.median(likes))


@dataclass
class Network:
    """``delay`` and up to ``jitter`` more, seconds; ``loss``, ``duplicates``: fractions. ``in_order``: a late packet
    holds up those behind it. ``stalls``: from and until, in which nothing gets through and all is kept."""

    loss: float = 0.0
    jitter: float = 0.0
    delay: float = 0.03
    duplicates: float = 0.0
    in_order: bool = True
    stalls: tuple[tuple[float, float], ...] = ()
    seed: int = 1
    lost: int = 0
    last: float = 0.0
    random: random.Random = field(default_factory=random.Random)

    def __post_init__(self) -> None:
        self.random.seed(self.seed)

    def carry(self, sent: float, data: bytes) -> list[tuple[float, bytes]]:
        """When and how often the packet arrives."""
        chance = self.random.random
        if chance() < self.loss:
            self.lost += 1
            return []
        arrives = sent + self.delay + chance() * self.jitter
        for begin, end in self.stalls:
            if START + begin <= arrives < START + end:
                arrives = START + end
        if self.in_order:
            arrives = self.last = max(arrives, self.last + 1e-5)
        return [(arrives, data)] * (2 if chance() < self.duplicates else 1)


@dataclass
class Heard:
    """What came out. ``delays``: for each frame, seconds from its last sample's capture to its delivery."""

    receiver: RtpReceiver
    frames: list[AudioFrame]
    delays: list[float]
    last_tick: float = 0.0

    @property
    def sound(self) -> np.ndarray:
        return np.frombuffer(b"".join(frame.data for frame in self.frames), dtype="<i2")

    @property
    def seconds(self) -> float:
        return sum(frame.duration for frame in self.frames)

    @property
    def gaps(self) -> list[float]:
        """Seconds between the end of a frame and the begin of the next."""
        return [
            after.at - (frame.at + frame.duration) for frame, after in zip(self.frames, self.frames[1:], strict=False)
        ]

    def count(self, what: str) -> int:
        return self.receiver.counts.get(what, 0)


def listen(
    network: Network,
    seconds: float,
    *,
    drift: float = 0.0,
    sequence: int = 0,
    timestamp: int = 0,
    sound: np.ndarray | None = None,
    change: Callable[[int, bytes], bytes | None] = lambda _, data: data,
    receiver: RtpReceiver | None = None,
) -> Heard:
    """Send speech in packets of 20 ms, by a clock that is wrong by ``drift``, and collect what a receiver makes of it,
    tick by tick. ``change(n, packet)``: what is really sent (``None``: nothing)."""
    sound = speech(seconds) if sound is None else sound
    sender = RtpSender(7, OPUS, OpusEncoder(), sequence=sequence, timestamp=timestamp)
    arriving: list[tuple[float, bytes]] = []
    for number in range(sound.size // 480):
        captured = START + (number + 1) * TICK * (1 + drift)
        data = change(number, sender.packet(captured, sound[480 * number : 480 * (number + 1)].tobytes()))
        if data is not None:
            arriving += network.carry(captured, data)
    arriving.sort(key=lambda each: each[0])
    heard = Heard(receiver or RtpReceiver(OPUS, OpusDecoder), [], [])
    now, end, at = START, max(arriving[-1][0], START + sound.size / 24_000) + 0.3, 0
    while now < end:
        while at < len(arriving) and arriving[at][0] <= now:
            heard.receiver.receive(arriving[at][0], parse_rtp(arriving[at][1]))
            at += 1
        for frame in heard.receiver.pull(now):
            heard.frames.append(frame)
            heard.delays.append(now - (frame.at + frame.duration))
        now += TICK
    heard.last_tick = now - TICK
    return heard
