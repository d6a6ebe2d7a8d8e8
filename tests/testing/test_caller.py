"""The caller does what the script says, when it says so, and hears what sounded."""

from __future__ import annotations

import asyncio

import pytest

from antiphon import Agent
from antiphon.audio.frames import AudioFrame, Symbol
from antiphon.testing import Caller, LiveCaller, ScriptedTTS, simulate
from antiphon.testing.ear import Ear
from antiphon.testing.speech import symbolic_frames


class Counter(Agent):
    def __init__(self) -> None:
        super().__init__(instructions="Count.")


COUNT = "one two three four five six"


def pieces(text: str, seconds: float, step: float) -> list[AudioFrame]:
    symbol = Symbol("speech", text, total=seconds)
    return list(symbolic_frames(symbol, rate=24_000, frame_seconds=step))


@pytest.mark.parametrize("step", [0.02, 0.1, 0.37, 5.0])
def test_the_ear_hears_each_word_once_whatever_the_frames(step: float) -> None:
    ear, at = Ear(100.0), 101.0
    for frame in pieces(COUNT, 1.8, step):
        ear.hear(at, frame)
        at += frame.duration
    assert ear.text == COUNT
    assert [round(word.start, 2) for word in ear.words] == [1.0, 1.3, 1.6, 1.9, 2.2, 2.5]
    assert [(round(s.start, 2), round(s.end, 2)) for s in ear.sounds] == [(1.0, 2.8)]


def test_a_word_that_was_cut_is_not_heard_whole_and_a_repeat_is_heard_again() -> None:
    ear = Ear(0.0)
    frames = pieces("one two three", 0.9, 0.1)
    for n in range(5):
        ear.hear(n * 0.1, frames[n])
    assert [(w.text, w.whole) for w in ear.words] == [("one", True), ("two", False)]
    for n in range(3, 9):
        ear.hear(2.0 + n * 0.1, frames[n])
    assert ear.text == "one two three"
    assert [w.text for w in ear.words] == ["one", "two", "two", "three"]


def test_times_are_kept() -> None:
    result = simulate(
        Counter,
        Caller()
        .says("one two", at=2.0)
        .stays_silent(3.0)
        .makes_noise(0.5)
        .coughs(after=1.0, seconds=0.25)
        .hums(after=1.0),
        llm="Yes.",
    )
    spoken = [(round(s.start, 2), round(s.end, 2), s.asks) for s in result.caller_sounds]
    assert spoken == [(2.0, 2.6, True), (5.6, 6.1, False), (7.1, 7.35, False), (8.35, 8.65, False)]


def test_talking_over_begins_right_after_the_word() -> None:
    result = simulate(
        Counter,
        Caller().says("Count please", at=1.0).talks_over("stop it", after_word=3),
        llm={"stop": "Ok.", ...: COUNT},
    )
    third = next(word for word in result.words if word.text == "three")
    assert 0 <= result.caller_sounds[-1].start - third.end <= 0.021


def test_a_caller_waits_with_patience_and_complains() -> None:
    result = simulate(
        Counter,
        Caller().waits_for_agent(patience=5.0).says("Hello").waits_for_words("goodbye", patience=10.0),
        llm=COUNT,
    )
    assert result.complaints == ["at 5.0 s: the agent said nothing for 5 s", "at 15.3 s: waited 10 s to say 'goodbye'"]


def test_a_caller_can_be_any_function() -> None:
    async def caller(caller: LiveCaller) -> None:
        await caller.says("Count please", at=1.0)
        await caller.waits_for_agent()
        for _ in range(2):
            if "six" in caller.heard:
                await caller.says("Again")
                await caller.waits_for_agent()
        await caller.presses("9")
        await asyncio.sleep(1)
        await caller.hangs_up()

    result = simulate(Counter, caller, llm=COUNT)
    assert len(result.turns) == 3
    assert result.hung_up_at is not None


def test_a_fault_in_the_caller_fails_the_test() -> None:
    async def caller(caller: LiveCaller) -> None:
        await caller.stays_silent(1.0)
        assert caller.heard == "something else"

    with pytest.raises(AssertionError, match="something else"):
        simulate(Counter, caller, llm=COUNT)


def test_silence_is_measured_where_the_caller_waits() -> None:
    result = simulate(Counter, Caller().says("Count", at=5.0).waits_for_agent().stays_silent(20.0), llm=COUNT)
    assert result.longest_silence() == pytest.approx(result.agent_sounds[0].start - 5.3, abs=0.01)
    slow = simulate(Counter, Caller().says("Count", at=5.0).waits_for_agent(), llm=COUNT, tts=ScriptedTTS(ttfb=1.5))
    assert slow.longest_silence() > result.longest_silence() + 1


def test_the_story_tells_what_happened() -> None:
    story = str(
        simulate(Counter, Caller().says("Count", at=1.0).talks_over("no stop it please", after_word=2), llm=COUNT)
    )
    for part in ("caller (0.3 s): Count", "agent (", "one two", "(interrupted)", "the session ended"):
        assert part in story
