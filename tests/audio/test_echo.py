"""The agent must not hear itself: a room that gives back what the loudspeaker plays."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from antiphon.audio.frames import EAR_RATE, AudioFrame
from antiphon.audio.mixing import loudness
from antiphon.audio.seam import LineConfig, LineError, MicAudio, PushAudio, Reflex
from antiphon.audio.vad import SileroVAD
from antiphon.audio.wav import read_wav
from antiphon.errors import AntiphonError
from antiphon.local.store import Store
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


def room_of(agent: np.ndarray, seed: int = 3) -> np.ndarray:
    """How ``agent`` comes back from a room: a loudspeaker's delay, then reflections that die away over 150 ms."""
    random = np.random.default_rng(seed)
    tail = random.normal(0, 1, round(0.15 * EAR_RATE)) * np.exp(-np.arange(round(0.15 * EAR_RATE)) / (0.03 * EAR_RATE))
    path = np.concatenate(([0.5], 0.06 * tail))
    return np.convolve(agent.astype(np.float64), path)


class SpeakingRoom(Room):
    """A room with reflections, known ahead because the agent's words are."""

    def __init__(self, agent: np.ndarray, caller: np.ndarray) -> None:
        super().__init__(caller)
        echo = room_of(agent)
        begin = round(DELAY * EAR_RATE)
        self._air[begin : begin + echo.size] = echo

    def play(self, now: float, frame: AudioFrame) -> None:
        MemoryLeg.play(self, now, frame)


def real_voice(number: int, seconds: float) -> np.ndarray:
    path = sorted((Path(__file__).parents[2] / "examples" / "coffee" / "callers").glob("*.wav"))[number]
    samples, _ = read_wav(str(path), EAR_RATE)
    return np.resize(samples, round(seconds * EAR_RATE))


def test_speech_in_a_room_with_reflections_interrupts_nobody_and_a_caller_over_it_does() -> None:
    """With the real detector: once the canceller has learned the room, only the caller makes the reflex act."""
    pytest.importorskip("pywebrtc_audio")
    try:
        silero = SileroVAD(str(Store().path("silero-vad", "silero_vad.onnx")))
    except AntiphonError as error:
        pytest.skip(str(error))
    agent = real_voice(0, 14.0)
    caller = np.concatenate((np.zeros(10 * EAR_RATE, dtype=np.int16), real_voice(1, 1.5)))
    story = Story(SpeakingRoom(agent, caller), LineConfig(echo_warmup=3.0), silero)
    story.push("s", agent, EAR_RATE)
    story.play("s")
    story.run(9.9)
    assert not [r for r in story.heard(Reflex) if r.action == "paused"]
    story.run(2.0)
    assert "paused" in [r.action for r in story.heard(Reflex) if r.at - START > 10.0]
    cleaned = heard_between(story, 4.0, 9.5)
    assert loudness(cleaned) < loudness(room_of(agent)[4 * EAR_RATE : round(9.5 * EAR_RATE)].astype(np.int16)) - 20.0
