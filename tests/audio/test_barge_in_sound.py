"""The reflex on real voices through the real detector: quick with whoever talks on, calm with whoever only hums."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from antiphon.audio.frames import EAR_RATE, PLAY_RATE
from antiphon.audio.onset import Onset
from antiphon.audio.seam import Reflex
from antiphon.audio.vad import SileroVAD
from antiphon.audio.wav import read_wav
from antiphon.errors import AntiphonError
from antiphon.local.store import Store
from antiphon.transport.memory import MemoryLeg
from tests.audio.plane_driver import START, Story

CALLERS = sorted((Path(__file__).parents[2] / "examples" / "coffee" / "callers").glob("*.wav"))
AT = 2.0
PHASES = range(0, 640, 80)


@cache
def voices() -> tuple[np.ndarray, ...]:
    """A second of each caller, from the first sound on."""
    found = []
    for path in CALLERS:
        samples, _ = read_wav(str(path), EAR_RATE)
        first = int(np.flatnonzero(np.abs(samples.astype(np.int32)) > 350)[0])
        found.append(samples[first : first + EAR_RATE])
    return tuple(found)


@pytest.fixture(scope="module")
def silero() -> Any:
    try:
        return SileroVAD(str(Store().path("silero-vad", "silero_vad.onnx")))
    except AntiphonError as error:
        pytest.skip(str(error))


def talk_over(silero: Any, voice: np.ndarray, phase: int, room: float = 12.0) -> Story:
    """``phase``: samples by which the voice begins later than a tick; ``room``: the noise around it."""
    sound = np.random.default_rng(5).normal(0, room, round((AT + 1.5) * EAR_RATE) + phase + voice.size)
    begin = round(AT * EAR_RATE) + phase
    sound[begin : begin + voice.size] += voice
    story = Story(MemoryLeg(np.clip(sound, -32768, 32767).astype(np.int16)), vad=silero)
    story.push("s", np.full(5 * PLAY_RATE, 10_000, dtype=np.int16))
    story.play("s")
    story.run(AT + 1.0)
    return story


def after(story: Story, action: str, phase: int) -> float:
    """Seconds from the voice's first sample to the reflex."""
    return next(r.at for r in story.heard(Reflex) if r.action == action) - START - AT - phase / EAR_RATE


@pytest.mark.parametrize(("room", "share"), [(12.0, 1.0), (60.0, 0.75)])
def test_whoever_talks_on_is_heard_within_60_ms_of_the_setting(silero: Any, room: float, share: float) -> None:
    """In a loud room one of the callers has only 300 ms before their first pause: the reflex waits for the next word."""
    stories = [(talk_over(silero, voice, phase, room), phase) for voice in voices() for phase in PHASES]
    assert all(after(story, "ducked", phase) < 0.2 for story, phase in stories)
    quick = [after(story, "paused", phase) < 0.41 for story, phase in stories]
    assert sum(quick) >= share * len(quick)


def test_a_hum_of_300_ms_ducks_the_agent_and_pauses_nothing(silero: Any) -> None:
    for voice in voices():
        for phase in PHASES:
            story = talk_over(silero, voice[: round(0.3 * EAR_RATE)], phase)
            assert [r.action for r in story.heard(Reflex)] == ["ducked", "released"]
            story.run(3.0)
            assert story.settled().position == 5 * PLAY_RATE
            assert story.leg.sounded().size == 5 * PLAY_RATE


def test_both_ends_of_a_sound_are_found_to_8_ms() -> None:
    random = np.random.default_rng(1)
    onset = Onset()
    sound = random.normal(0, 20, EAR_RATE)
    sound[8_100:11_000] += random.normal(0, 2_000, 2_900)
    for start in range(0, EAR_RATE - 512, 512):
        speech = start >= 8_192
        onset.hear(sound[start : start + 512].astype(np.int16), start / EAR_RATE, speech)
        if start == 9_216:
            assert onset.since == pytest.approx(8_100 / EAR_RATE, abs=0.0081)
    assert onset.until == pytest.approx(11_000 / EAR_RATE, abs=0.0081)
    assert onset.since is None


def test_a_few_lost_samples_do_not_make_a_room_loud() -> None:
    onset, room = Onset(), np.random.default_rng(1).normal(0, 20, EAR_RATE).astype(np.int16)
    room[8_000:8_400] = 0
    for start in range(0, EAR_RATE - 512, 512):
        onset.hear(room[start : start + 512], start / EAR_RATE, False)
        assert onset.since is None
