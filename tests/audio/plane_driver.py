"""A plane on a hand-driven clock, for stories about one line."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np

from antiphon.audio.frames import PLAY_RATE, AudioFrame
from antiphon.audio.plane import Plane
from antiphon.audio.seam import (
    ArmReflex,
    CloseLine,
    LegSpec,
    LineConfig,
    OpenLine,
    PauseSpeech,
    PlaySpeech,
    PushAudio,
    RenewSpeech,
    ResumeSpeech,
    Settled,
    StopSpeech,
)
from antiphon.audio.vad import EnergyVAD

T = TypeVar("T")
START = 100.0


def counting(samples: int, start: int = 1) -> np.ndarray:
    """Samples that name their own position, in steps small enough to survive nothing but an exact copy."""
    return ((np.arange(start, start + samples) % 16000) + 1).astype(np.int16)


def tone(seconds: float, rate: int, hertz: float = 300.0, size: float = 8000.0) -> np.ndarray:
    t = np.arange(round(seconds * rate)) / rate
    return (size * np.sin(2 * np.pi * hertz * t)).astype(np.int16)


class Story:
    """One line, one leg; ``run(seconds)`` lets time pass as a driver would."""

    def __init__(self, leg: Any, config: LineConfig | None = None, vad: Any = None, *, armed: bool = True) -> None:
        self.leg = leg
        self.plane = Plane(vad or EnergyVAD(), lambda _: lambda _: leg)
        self.now = START
        self.said: list[Any] = []
        self.plane.receive([OpenLine(line="a", leg=LegSpec("x"), config=config or LineConfig())])
        if armed:
            self.tell(ArmReflex(line="a", armed=True))
        self.look()

    def tell(self, *messages: Any) -> None:
        self.plane.receive(messages)

    def look(self) -> None:
        out, self.wake = self.plane.advance(self.now)
        self.said += out

    def run(self, seconds: float) -> None:
        end = self.now + seconds
        self.plane.touch("a")
        self.look()
        while self.wake is not None and self.wake <= end + 1e-9:
            self.now = max(self.now, self.wake)
            self.look()
        self.now = end

    def push(self, speech: str, samples: np.ndarray, rate: int = PLAY_RATE, *, last: bool = True) -> None:
        self.tell(PushAudio(line="a", speech=speech, frame=AudioFrame.pcm(samples.tobytes(), rate), last=last))

    def play(self, speech: str, *, interruptible: bool = True) -> None:
        self.tell(PlaySpeech(line="a", speech=speech, interruptible=interruptible))
        self.look()

    def renew(self, speech: str) -> None:
        self.tell(RenewSpeech(line="a", speech=speech))
        self.look()

    def pause(self, speech: str) -> None:
        self.tell(PauseSpeech(line="a", speech=speech))
        self.look()

    def resume(self, speech: str, at: int) -> None:
        self.tell(ResumeSpeech(line="a", speech=speech, at=at))
        self.look()

    def stop(self, speech: str) -> None:
        self.tell(StopSpeech(line="a", speech=speech))
        self.look()

    def close(self) -> Any:
        self.tell(CloseLine(line="a"))
        self.look()
        return self.said[-1]

    def heard(self, kind: type[T]) -> list[T]:
        return [message for message in self.said if isinstance(message, kind)]

    def settled(self) -> Settled:
        (only,) = self.heard(Settled)
        return only
