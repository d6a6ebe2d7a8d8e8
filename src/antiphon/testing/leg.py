"""The simulated caller's end of the line: the symbolic leg with an ear, and the same with samples.

It adds what a caller hears to the transport that the plane drives. It knows nothing of scripts.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence
from typing import Literal

import msgspec

from antiphon.audio.frames import EAR_RATE, AudioFrame, Symbol
from antiphon.testing.ear import Ear, Sound
from antiphon.transport.paced import PacedOutput
from antiphon.transport.symbolic import SymbolicLeg

WATCH_STEP = 0.02
"""Seconds between looks while a caller waits for a certain word."""
_TONE_HZ = 150.0
_LOUD = {"speech": 8_000, "noise": 100, "silence": 0}


class LegFaults(msgspec.Struct, frozen=True):
    """How the far end fails. Seconds of call time.

    ``ack_delay``: it says so late what was heard. ``stops_acking_at``: from then on it never says. ``stops_accepting_at``:
    from then on it takes no more sound. ``answers_at``: the line is up only then.
    """

    ack_delay: float = 0.0
    stops_acking_at: float | None = None
    stops_accepting_at: float | None = None
    answers_at: float | None = None


class SimulatedLeg(SymbolicLeg):
    """``origin``: the moment of the loop's clock at which the call begins."""

    def __init__(
        self,
        origin: float,
        *,
        quality: Literal["peer", "device", "paced", "estimated"] = "peer",
        faults: LegFaults | None = None,
    ) -> None:
        faults = faults or LegFaults()
        answer_at = None if faults.answers_at is None else origin + faults.answers_at
        super().__init__(quality=quality, ack_delay=faults.ack_delay, answer_at=answer_at)
        if faults.stops_acking_at is not None:
            self.stop_acks(origin + faults.stops_acking_at)
        if faults.stops_accepting_at is not None:
            self.stop_accepting(origin + faults.stops_accepting_at)
        self.origin = origin
        self.ear = Ear(origin)
        self.said: list[Sound] = []
        """What the caller said or did aloud."""
        self._watching = 0

    def utter(self, now: float, symbol: Symbol, *, asks: bool = False) -> None:
        """The caller begins to make this sound now."""
        self.said.append(Sound(now - self.origin, now - self.origin + symbol.total, symbol.text, asks))
        if symbol.kind == "noise":
            self.noise(symbol.total, now)
        else:
            self.say(symbol.text, symbol.total, now)

    def watch(self, by: int) -> None:
        """Somebody waits (+1), or no longer waits (-1), for a word: look often."""
        self._watching += by
        self._changed()

    def play(self, now: float, frame: AudioFrame) -> None:
        before = len(self.heard_runs)
        super().play(now, frame)
        for run in self.heard_runs[before:]:
            self.ear.hear(run.at, msgspec.structs.replace(frame, samples=run.samples))

    def next_wake(self, now: float) -> float | None:
        wake = super().next_wake(now)
        if not self._watching:
            return wake
        return now + WATCH_STEP if wake is None else min(wake, now + WATCH_STEP)


class PcmLeg(SimulatedLeg):
    """The same caller with samples: a tone where somebody speaks. The plane looks every 20 ms, as on a real line."""

    symbolic = False

    def __init__(self, origin: float, *, faults: LegFaults | None = None) -> None:
        super().__init__(origin, quality="paced", faults=faults)
        self._output = PacedOutput(self.out_rate, self.ack_delay)

    def capture(self, now: float) -> Sequence[AudioFrame]:
        return [_samples(frame) for frame in super().capture(now)]

    def play(self, now: float, frame: AudioFrame) -> None:
        if now < min(self._accepting_until, self._gone_at):
            self._output.play(now, frame)

    def flush(self, now: float) -> int:
        return self._output.flush(now)

    def heard(self, now: float) -> int:
        for played in self._output.take(now):
            self.ear.hear(played.due, played.frame)
        return self._output.heard(min(now, self._acking_until, self._gone_at))

    def next_wake(self, now: float) -> float | None:
        return None


def _samples(frame: AudioFrame) -> AudioFrame:
    loud = _LOUD[frame.symbol.kind] if frame.symbol is not None else 0
    if not loud:
        return AudioFrame(bytes(2 * frame.samples), EAR_RATE, frame.samples, at=frame.at)
    tone = array("h", (_TONE[n % len(_TONE)] * loud // 8_000 for n in range(frame.samples)))
    return AudioFrame(tone.tobytes(), EAR_RATE, frame.samples, at=frame.at)


_TONE = [round(8_000 * math.sin(2 * math.pi * _TONE_HZ * n / EAR_RATE)) for n in range(EAR_RATE // 50 * 2)]
