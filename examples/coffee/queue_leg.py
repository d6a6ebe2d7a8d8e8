"""A transport of one's own: a queue of callers at a counter, each a recording, who steps up when called.

The plane makes the leg by the name ``queue_leg:make_leg``; ``session.send_dtmf("#")`` rings the bell for the next one.
After the last caller the bell ends the call.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from aloud import open_loudspeaker

from antiphon.audio.frames import EAR_RATE, PLAY_RATE, AudioFrame
from antiphon.audio.leg import LegEvent
from antiphon.audio.wav import read_wav
from antiphon.transport.paced import PacedOutput

BELL = "#"


class QueueLeg:
    """``recordings``: (samples,) int16 at ``EAR_RATE``, one per caller, in order. Silence while nobody speaks.
    ``aloud``: play both sides through the loudspeaker, where one opens."""

    in_rate = EAR_RATE
    out_rate = PLAY_RATE
    quality: Literal["peer", "device", "paced", "estimated"] = "paced"
    symbolic = False
    needs_aec = False

    def __init__(self, recordings: Sequence[np.ndarray[Any, np.dtype[np.int16]]], *, aloud: bool = False) -> None:
        self._waiting = list(recordings)
        self._speaking = np.zeros(0, np.int16)
        self._output = PacedOutput(PLAY_RATE)
        self._events = [LegEvent("up")]
        self._opened = 0.0
        self._captured = 0
        self._loudspeaker = open_loudspeaker() if aloud else None

    def open(self, now: float) -> None:
        self._opened = now

    def events(self, now: float) -> Sequence[LegEvent]:
        events, self._events = self._events, []
        return events

    def capture(self, now: float) -> Sequence[AudioFrame]:
        count = int((now - self._opened) * EAR_RATE + 1e-6) - self._captured
        if count <= 0:
            return ()
        said, self._speaking = self._speaking[:count], self._speaking[count:]
        block = np.zeros(count, "<i2")
        block[: said.size] = said
        at = self._opened + self._captured / EAR_RATE
        self._captured += count
        if self._loudspeaker is not None:
            self._loudspeaker.play("caller", block, EAR_RATE)
        return (AudioFrame.pcm(block.tobytes(), EAR_RATE, at=at),)

    def play(self, now: float, frame: AudioFrame) -> None:
        self._output.play(now, frame)
        if self._loudspeaker is not None:
            self._loudspeaker.play("agent", np.frombuffer(frame.data, "<i2"), frame.rate)

    def flush(self, now: float) -> int:
        return self._output.flush(now)

    def heard(self, now: float) -> int:
        self._output.take(now)
        return self._output.heard(now)

    def send_digits(self, digits: str) -> None:
        for _ in range(digits.count(BELL)):
            if self._waiting:
                self._speaking = self._waiting.pop(0)
            else:
                self._events.append(LegEvent("down", "hangup"))

    def next_wake(self, now: float) -> float | None:
        return None

    def close(self) -> None:
        if self._loudspeaker is not None:
            self._loudspeaker.close()


def make_leg(options: Mapping[str, Any]) -> QueueLeg:
    """``recordings``: paths of WAV files; ``aloud`` as ``QueueLeg``. Raises ``AudioError`` for an unreadable file."""
    recordings = [read_wav(path, EAR_RATE)[0] for path in options["recordings"]]
    return QueueLeg(recordings, aloud=bool(options.get("aloud")))
