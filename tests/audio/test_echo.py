"""The agent must not hear itself: a room that gives back what the loudspeaker plays."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import numpy as np
import pytest

from antiphon.audio.frames import EAR_RATE, AudioFrame
from antiphon.audio.mixing import loudness
from antiphon.audio.seam import LineError, MicAudio, PushAudio
from antiphon.transport.memory import MemoryLeg
from tests.audio.plane_driver import START, Story

DELAY = 0.055


class Room(MemoryLeg):
    """The microphone hears the loudspeaker, later and quieter, and a caller at times."""

    def __init__(self, caller: np.ndarray | None = None) -> None:
        super().__init__(out_rate=EAR_RATE, needs_aec=True)
        self._caller = caller if caller is not None else np.zeros(0, dtype=np.int16)
        self._air = np.zeros(EAR_RATE * 30)

    def play(self, now: float, frame: AudioFrame) -> None:
        super().play(now, frame)
        at = round((now - START + DELAY) * EAR_RATE)
        self._air[at : at + frame.samples] = 0.4 * np.frombuffer(frame.data, dtype="<i2")

    def capture(self, now: float) -> Sequence[AudioFrame]:
        frames = super().capture(now)
        heard = []
        for frame in frames:
            at = round((frame.at - START) * EAR_RATE)
            block = self._air[at : at + frame.samples].copy()
            part = self._caller[at : at + frame.samples]
            block[: part.size] += part
            heard.append(AudioFrame.pcm(block.astype("<i2").tobytes(), EAR_RATE, at=frame.at))
        return heard


def babble(seconds: float, rate: int, seed: int) -> np.ndarray:
    """Noise that swells and falls like speech."""
    random = np.random.default_rng(seed)
    samples = round(seconds * rate)
    swell = np.repeat(random.uniform(0.0, 1.0, round(seconds * 8)), rate // 8)[:samples]
    noise = np.convolve(random.normal(0, 12_000, samples), np.ones(6) / 6, "same")
    return (noise[: swell.size] * swell).astype(np.int16)


def heard_between(story: Story, start: float, end: float) -> np.ndarray:
    frames = [message.frame for message in story.heard(MicAudio)]
    data = b"".join(frame.data for frame in frames if start <= frame.at - START < end)
    return np.frombuffer(data, dtype="<i2")


def test_echo_is_cancelled_and_the_caller_is_not() -> None:
    pytest.importorskip("pywebrtc_audio")
    caller = np.concatenate((np.zeros(10 * EAR_RATE, dtype=np.int16), babble(2.0, EAR_RATE, 2)))
    story = Story(Room(caller), armed=False)
    agent = babble(8.0, EAR_RATE, 1)
    story.tell(PushAudio(line="a", speech="s", frame=AudioFrame.pcm(agent.tobytes(), EAR_RATE), last=True))
    story.play("s")
    story.run(13.0)
    echo = loudness((0.4 * agent[4 * EAR_RATE : 8 * EAR_RATE]).astype(np.int16))
    assert loudness(heard_between(story, 4.0, 7.9)) < echo - 20.0
    spoken = loudness(caller[10 * EAR_RATE :])
    assert loudness(heard_between(story, 10.0, 12.0)) > spoken - 6.0


def test_without_the_package_the_line_says_so_and_works(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pywebrtc_audio", None)
    story = Story(Room())
    story.run(0.5)
    (error,) = story.heard(LineError)
    assert "echo" in error.error
    assert "antiphon[console]" in error.hint
    assert story.heard(MicAudio)
