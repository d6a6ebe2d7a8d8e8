"""A leg that lives in memory and carries PCM: for tests and benchmarks, paced by the plane's time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from antiphon.audio.frames import AudioFrame
from antiphon.audio.leg import LegEvent
from antiphon.audio.wav import read_wav
from antiphon.errors import AudioError
from antiphon.transport.paced import PacedOutput, Played


class MemoryLeg:
    """``sound``: the caller's whole part, (samples,) int16 at ``in_rate``, from the moment it opens; silence follows
    (``repeat``: it begins again). ``can_flush``: what is sent and not due can be taken back."""

    symbolic = False

    def __init__(
        self,
        sound: NDArray[np.int16] | None = None,
        *,
        in_rate: int = 16_000,
        out_rate: int = 24_000,
        repeat: bool = False,
        can_flush: bool = True,
        delay: float = 0.0,
        quality: Literal["peer", "device", "paced", "estimated"] = "paced",
        needs_aec: bool = False,
        on_play: Callable[[float, AudioFrame], None] | None = None,
    ) -> None:
        self.in_rate, self.out_rate = in_rate, out_rate
        self.quality: Literal["peer", "device", "paced", "estimated"] = quality
        self.needs_aec = needs_aec
        self.played: list[Played] = []
        """What has sounded; complete after ``close``."""
        self.sent_digits = ""
        self.closed = False
        self._sound = sound if sound is not None else np.zeros(0, dtype=np.int16)
        self._repeat = repeat
        self._can_flush = can_flush
        self._on_play = on_play
        self._output = PacedOutput(out_rate, delay)
        self._opened = 0.0
        self._captured = 0
        self._events: list[LegEvent] = []

    def happen(self, event: LegEvent) -> None:
        """Let the plane see ``event`` at its next tick."""
        self._events.append(event)

    def sounded(self, rate: int | None = None) -> NDArray[np.int16]:
        """Everything that has sounded, end to end."""
        if rate not in (None, self.out_rate):
            raise AudioError(f"This leg plays at {self.out_rate} Hz.")
        data = b"".join(frame.data for _, frame in self.played)
        return np.frombuffer(data, dtype="<i2")

    def open(self, now: float) -> None:
        self._opened = now
        self._events.append(LegEvent("up"))

    def events(self, now: float) -> Sequence[LegEvent]:
        events, self._events = self._events, []
        return events

    def capture(self, now: float) -> Sequence[AudioFrame]:
        until = int((now - self._opened) * self.in_rate + 1e-6)
        if until <= self._captured:
            return ()
        at = self._opened + self._captured / self.in_rate
        block = np.zeros(until - self._captured, dtype="<i2")
        if self._repeat and self._sound.size:
            block[:] = self._sound[np.arange(self._captured, until) % self._sound.size]
        else:
            part = self._sound[self._captured : until]
            block[: part.size] = part
        self._captured = until
        return (AudioFrame.pcm(block.tobytes(), self.in_rate, at=at),)

    def play(self, now: float, frame: AudioFrame) -> None:
        self._output.play(now, frame)
        if self._on_play is not None:
            self._on_play(now, frame)

    def flush(self, now: float) -> int:
        return self._output.flush(now) if self._can_flush else 0

    def heard(self, now: float) -> int:
        self.played.extend(self._output.take(now))
        return self._output.heard(now)

    def send_digits(self, digits: str) -> None:
        self.sent_digits += digits

    def next_wake(self, now: float) -> float | None:
        return None

    def close(self) -> None:
        self.closed = True
        self.played.extend(self._output.take(float("1e12")))


def make_leg(options: Mapping[str, Any]) -> MemoryLeg:
    """``wav``: path of the caller's sound; the rest as ``MemoryLeg`` (plain values only)."""
    rest = dict(options)
    path = rest.pop("wav", "")
    sound = read_wav(str(path), int(rest.get("in_rate", 16_000)))[0] if path else None
    return MemoryLeg(sound, **rest)
