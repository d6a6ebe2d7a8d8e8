"""The reflex: what the plane does by itself when the caller speaks over the agent."""

from __future__ import annotations

import numpy as np
import pytest

from antiphon.audio.frames import PLAY_RATE, AudioFrame, Symbol
from antiphon.audio.seam import ArmReflex, LineConfig, MicAudio, PushAudio, Reflex, ReflexSettings, VadEdge
from antiphon.transport.memory import MemoryLeg
from antiphon.transport.symbolic import SymbolicLeg
from tests.audio.plane_driver import START, Story, counting, tone

CALLER_AT = 1.0


def caller(seconds: float, *, rate: int = 16_000) -> np.ndarray:
    return np.concatenate((np.zeros(round(CALLER_AT * rate), dtype=np.int16), tone(seconds, rate)))


def agent_speaks(story: Story, seconds: float = 5.0, *, interruptible: bool = True) -> None:
    story.push("s", np.full(round(seconds * PLAY_RATE), 10_000, dtype=np.int16))
    story.play("s", interruptible=interruptible)


def loudness_at(story: Story, seconds: float) -> int:
    """Size of the agent's sound so long after the caller began."""
    moment = START + CALLER_AT + seconds
    for due, frame in story.leg.played:
        if due <= moment < due + frame.duration:
            return abs(int(np.frombuffer(frame.data, dtype="<i2")[int((moment - due) * frame.rate)]))
    return 0


@pytest.mark.parametrize("rate", [8000, 16_000, 24_000, 48_000])
def test_ducked_within_200_ms_and_silent_within_420_without_the_core(rate: int) -> None:
    story = Story(MemoryLeg(caller(2.0, rate=rate), in_rate=rate, out_rate=rate))
    agent_speaks(story)
    story.run(CALLER_AT + 0.6)
    story.leg.close()
    assert loudness_at(story, 0.05) == pytest.approx(10_000, abs=100)
    assert 2_900 <= loudness_at(story, 0.2) <= 3_100
    assert loudness_at(story, 0.42) == 0
    assert [r.action for r in story.heard(Reflex)] == ["ducked", "paused"]
    assert sum(m.frame.samples for m in story.heard(MicAudio)) >= 1.5 * 16_000
    assert all(m.frame.speech for m in story.heard(MicAudio) if m.frame.at > START + CALLER_AT + 0.05)


def test_nobody_decides_and_the_agent_goes_on_where_it_stopped() -> None:
    story = Story(MemoryLeg(caller(3.0)))
    agent_speaks(story)
    story.run(CALLER_AT + 4.0)
    ducked, paused, resumed = story.heard(Reflex)
    assert [ducked.action, paused.action, resumed.action] == ["ducked", "paused", "resumed"]
    assert resumed.at - paused.at == pytest.approx(0.8, abs=0.03)
    story.run(3.0)
    assert story.settled().position == 5 * PLAY_RATE
    assert story.leg.sounded().size == 5 * PLAY_RATE


def test_a_short_sound_ducks_and_lets_go() -> None:
    story = Story(MemoryLeg(caller(0.25)))
    agent_speaks(story)
    story.run(CALLER_AT + 1.0)
    assert [r.action for r in story.heard(Reflex)] == ["ducked", "released"]
    story.leg.close()
    assert loudness_at(story, 0.9) == 10_000


def test_the_core_takes_the_pause_over_and_the_plane_keeps_out() -> None:
    story = Story(SymbolicLeg())
    story.leg.say("wait a moment please", 2.0, at=START + 1.0)
    agent_speaks(story)
    story.run(1.4)
    assert story.heard(Reflex)[-1].action == "paused"
    story.pause("s")
    story.run(5.0)
    assert [r.action for r in story.heard(Reflex)] == ["ducked", "paused"]
    story.resume("s", story.heard(Reflex)[-1].position)
    story.run(10.0)
    assert story.settled().position == 5 * PLAY_RATE
    assert sum(run.samples for run in story.leg.heard_runs) == 5 * PLAY_RATE


def test_symbolic_reflexes_come_at_the_very_moment() -> None:
    story = Story(SymbolicLeg())
    story.leg.say("no", 0.5, at=START + 1.0)
    agent_speaks(story)
    story.run(3.0)
    assert [(r.action, round(r.at - START, 3)) for r in story.heard(Reflex)] == [
        ("ducked", 1.12), ("paused", 1.35), ("resumed", 2.15),
    ]  # fmt: skip
    assert [(e.edge, round(e.at - START, 3), round(e.seen - START, 3)) for e in story.heard(VadEdge)] == [
        ("start", 1.0, 1.05), ("end", 1.5, 1.7),
    ]  # fmt: skip


@pytest.mark.parametrize("how", ["disarmed", "protected", "noise", "warming up"])
def test_cases_in_which_the_agent_goes_on(how: str) -> None:
    config = LineConfig(echo_warmup=3.0 if how == "warming up" else 0.0)
    story = Story(SymbolicLeg(), config)
    if how == "noise":
        story.leg.noise(1.0, at=START + 1.0)
    else:
        story.leg.say("hello", 1.0, at=START + 1.0)
    if how == "disarmed":
        story.tell(ArmReflex(line="a", armed=False))
    agent_speaks(story, 2.5, interruptible=how != "protected")
    story.run(4.0)
    assert not story.heard(Reflex)
    assert story.settled().position == round(2.5 * PLAY_RATE)
    assert bool(story.heard(VadEdge)) == (how != "noise")


def test_speech_that_began_before_the_agent_counts_from_when_the_agent_began() -> None:
    story = Story(SymbolicLeg())
    story.leg.say("and another thing", 2.0, at=START + 0.2)
    story.run(1.0)
    agent_speaks(story)
    story.run(0.5)
    assert [(r.action, round(r.at - START, 3)) for r in story.heard(Reflex)] == [("ducked", 1.12), ("paused", 1.35)]


def test_settings_are_the_lines_own() -> None:
    story = Story(SymbolicLeg(), LineConfig(reflex=ReflexSettings(duck_after=0.3, pause_after=0.6, hold_max=0.2)))
    story.leg.say("well", 2.0, at=START + 1.0)
    agent_speaks(story)
    story.run(2.5)
    assert [round(r.at - START, 3) for r in story.heard(Reflex)] == [1.3, 1.6, 1.8]


def test_symbolic_words_heard_are_the_stretches_that_sounded() -> None:
    story = Story(SymbolicLeg())
    frame = AudioFrame(b"", 22_050, 22_050, symbol=Symbol("speech", "one two", 0.0, 1.0), segment=3)
    story.tell(PushAudio(line="a", speech="s", frame=frame, last=True))
    story.play("s")
    story.run(0.4)
    story.pause("s")
    story.run(1.0)
    story.resume("s", PLAY_RATE // 4)
    story.run(2.0)
    runs = story.leg.heard_runs
    assert sum(run.seconds for run in runs) == pytest.approx(0.4 + 0.75)
    again = next(run for run in runs if run.at > START + 1.0)
    assert again.symbol is not None
    assert (again.at, again.symbol.start, again.segment) == (pytest.approx(START + 1.4), 0.25, 3)


def test_what_goes_on_after_a_pause_is_the_same_sound_to_the_sample() -> None:
    """A hum of 500 ms: ducked, paused, let go on by the core at the word. No sample is lost, the word's beginning comes again."""
    story = Story(MemoryLeg(caller(0.5), out_rate=PLAY_RATE))
    told = counting(3 * PLAY_RATE)
    story.push("s", told)
    story.play("s")
    story.run(CALLER_AT + 0.9)
    paused = story.heard(Reflex)[-1]
    assert paused.action == "paused"
    word = paused.position - 2_000
    story.resume("s", word)
    story.run(4.0)
    heard = story.leg.sounded()
    assert heard.size == told.size + 2_000
    fade, ducked = PLAY_RATE // 200, round((CALLER_AT + 0.1) * PLAY_RATE)
    assert np.array_equal(heard[:ducked], told[:ducked])
    assert np.array_equal(heard[paused.position + fade :], told[word + fade :])
