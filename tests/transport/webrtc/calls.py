"""One line of a real plane with a WebRTC leg, and whoever serves the page: signals in and out, messages collected."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from antiphon.audio.frames import EAR_RATE, PLAY_RATE, AudioFrame
from antiphon.audio.process_plane import ProcessPlane
from antiphon.audio.seam import (
    CloseLine,
    LegSignal,
    LegSpec,
    LineClosed,
    LineConfig,
    MicAudio,
    OpenLine,
    PlaySpeech,
    Progress,
    PushAudio,
    Settled,
    SignalLeg,
)
from antiphon.audio.thread_plane import ThreadPlane
from antiphon.audio.vad import EnergyVAD
from antiphon.audio.wav import read_wav
from antiphon.transport.webrtc import signals

CALLERS = Path(__file__).parents[3] / "examples" / "coffee" / "callers"
LOOPBACK = {"ice": {"loopback": True}}
FORMS: dict[str, Callable[[], Any]] = {"thread": lambda: ThreadPlane(EnergyVAD), "process": lambda: ProcessPlane()}


class Line:
    """A line of ``plane``. ``on_signal`` may be changed: a page that comes back takes it over."""

    def __init__(self, plane: Any, name: str = "a", options: dict[str, Any] | None = None) -> None:
        self.plane, self.name = plane, name
        self.messages: list[Any] = []
        self.signals: list[signals.AnyFromLeg] = []
        self.on_signal: Callable[[str], Awaitable[None]] | None = None
        self._tasks: set[asyncio.Future[None]] = set()
        plane.subscribe(name, self._take)
        plane.send(OpenLine(line=name, leg=LegSpec("webrtc", options or LOOPBACK), config=LineConfig()))

    def signal(self, text: str) -> None:
        self.plane.send(SignalLeg(line=self.name, data=text))

    def say(self, speech: str, sound: NDArray[np.int16]) -> None:
        """``sound``: (samples,) int16 at ``PLAY_RATE``."""
        frame = AudioFrame.pcm(sound.tobytes(), PLAY_RATE)
        self.plane.send(PushAudio(line=self.name, speech=speech, frame=frame, last=True))
        self.plane.send(PlaySpeech(line=self.name, speech=speech))

    def of(self, kind: type[Any]) -> list[Any]:
        return [message for message in self.messages if isinstance(message, kind)]

    def said(self, kind: type[Any]) -> list[Any]:
        """The leg's signals of a kind."""
        return [signal for signal in self.signals if isinstance(signal, kind)]

    def heard(self) -> NDArray[np.int16]:
        """The caller's sound as the core gets it, at ``EAR_RATE``."""
        data = b"".join(message.frame.data for message in self.of(MicAudio))
        return np.frombuffer(data, dtype="<i2")

    async def close(self) -> LineClosed:
        self.plane.send(CloseLine(line=self.name))
        await until(lambda: self.of(LineClosed))
        closed: LineClosed = self.of(LineClosed)[0]
        return closed

    def _take(self, messages: Any) -> None:
        for message in messages:
            self.messages.append(message)
            if isinstance(message, LegSignal):
                self.signals.append(signals.read_from_leg(message.data))
                if self.on_signal is not None:
                    task = asyncio.ensure_future(self.on_signal(message.data))
                    self._tasks.add(task)
                    task.add_done_callback(self._tasks.discard)


@asynccontextmanager
async def plane_of(form: str) -> AsyncIterator[Any]:
    """A running plane."""
    plane = FORMS[form]()
    await plane.start()
    try:
        yield plane
    finally:
        await plane.aclose()


def speech(name: str, rate: int) -> NDArray[np.int16]:
    """A caller of the coffee shop."""
    return read_wav(str(CALLERS / f"{name}.wav"), rate)[0]


def likeness(sent: NDArray[np.int16], got: NDArray[np.int16], rate: int) -> float:
    """Median of the best correlations of the voiced fifths of a second of ``sent`` with what came out, wherever that is
    (a jitter buffer stretches time). Opus alone brings these voices to 0.85-0.95."""
    size = rate // 5
    x, y = sent.astype(np.float64), got.astype(np.float64)
    best = []
    length = 1 << int(np.ceil(np.log2(y.size + size)))
    spectrum = np.fft.rfft(y, length)
    power = np.concatenate([[0.0], np.cumsum(y * y)])
    energy = np.maximum(power[size:] - power[:-size], 1.0)
    for at in range(0, x.size - size, size):
        part = x[at : at + size]
        norm = float(np.dot(part, part))
        if norm < size * 300.0**2:
            continue
        cross = np.fft.irfft(spectrum * np.conj(np.fft.rfft(part, length)), length)[: energy.size]
        best.append(float(np.max(cross / np.sqrt(energy * norm))))
    assert best, "the sound has no voice"
    return float(np.median(best))


async def until(what: Callable[[], object], within: float = 10.0) -> None:
    """Wait for something to become true."""
    end = time.monotonic() + within
    while not what():
        assert time.monotonic() < end, "it did not happen in time"
        await asyncio.sleep(0.01)


__all__ = ["EAR_RATE", "FORMS", "PLAY_RATE", "Line", "Progress", "Settled", "likeness", "plane_of", "speech", "until"]
