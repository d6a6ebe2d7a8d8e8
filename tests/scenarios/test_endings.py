"""However a call ends, it ends: within its bound, and with nothing left behind."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from antiphon import Agent
from antiphon.testing import (
    Caller,
    LegFaults,
    LiveCaller,
    LLMFaults,
    ScriptedLLM,
    ScriptedSTT,
    ScriptedTTS,
    Simulation,
    STTFaults,
    TTSFaults,
    run,
    simulate,
)

STORY = "one two three four five six seven eight nine ten eleven twelve"


class Teller(Agent):
    def __init__(self) -> None:
        super().__init__(instructions="Tell the story.")


@pytest.mark.parametrize("second", [0.0, 0.5, 1.3, 2.5, 2.75, 3.0, 3.2, 4.0, 5.5, 6.9, 8.0])
def test_caller_hangs_up_at_any_moment(second: float) -> None:
    async def caller(caller: LiveCaller) -> None:
        talk = asyncio.create_task(caller.says("Please tell me the story", at=1.0))
        await caller.hangs_up(at=second)
        talk.cancel()

    result = simulate(Teller, caller, llm=STORY)
    assert result.close_reason == "participant_disconnected"
    assert result.close_took <= 5.5
    assert not result.left
    assert not result.complaints


def test_caller_vanishes_and_the_session_ends_when_the_transport_notices() -> None:
    caller = Caller().says("Please tell me the story", at=1.0).waits_for_words("three").vanishes(noticed_after=4.0)
    result = simulate(Teller, caller, llm=STORY)
    told = result.replies[0]
    assert told.interrupted
    assert len(told.text.split()) <= 5, "nobody heard the rest"
    assert result.close_took <= 4.0 + 5.5
    assert not result.left


def test_caller_who_comes_back_within_the_grace_goes_on() -> None:
    caller = Caller().says("Please tell me the story", at=1.0).waits_for_words("three")
    caller.vanishes(noticed_after=0.5).comes_back(after=2.0).says("Are you still there", after=1.0).waits_for_agent()
    result = simulate(Teller, caller, llm={"still": "Yes, I am here.", ...: STORY}, party_grace=10.0)
    assert "Yes, I am here." in result.heard
    assert result.turns[-1] == "Are you still there"


STUCK: dict[str, Any] = {
    "llm": lambda: {"llm": ScriptedLLM(STORY, faults=LLMFaults(never=True))},
    "llm_dribble": lambda: {"llm": ScriptedLLM(STORY, faults=LLMFaults(dribble=7.0))},
    "tts": lambda: {"tts": ScriptedTTS(faults=TTSFaults(stalls_after=1))},
    "stt": lambda: {"stt": ScriptedSTT(faults=STTFaults(deaf_at=0.0))},
    "acks": lambda: {"leg": LegFaults(stops_acking_at=0.0)},
    "sink": lambda: {"leg": LegFaults(stops_accepting_at=3.0)},
    "late_acks": lambda: {"leg": LegFaults(ack_delay=3.0)},
}


@pytest.mark.parametrize("what", STUCK)
def test_close_is_bounded_whatever_hangs(what: str) -> None:
    async def caller(caller: LiveCaller) -> None:
        await caller.says("Please tell me the story", at=1.0)
        await caller.stays_silent(3.0)
        assert simulation.session is not None
        began = caller.now
        await simulation.session.aclose(2.0)
        took.append(caller.now - began)

    took: list[float] = []
    simulation = Simulation(Teller, caller, **{"llm": STORY, **STUCK[what]()})
    result = run(simulation.run())
    assert took[0] <= 2.5
    assert result.close_reason == "user_initiated"
    assert not result.left


def test_drain_says_what_is_queued_and_takes_no_new_turn() -> None:
    async def caller(caller: LiveCaller) -> None:
        await caller.says("Please tell me the story", at=1.0)
        await caller.waits_for_words("two")
        assert simulation.session is not None
        simulation.session.shutdown(drain=True)
        await caller.stays_silent(10.0)

    simulation = Simulation(Teller, caller, llm=STORY)
    result = run(simulation.run())
    assert result.heard == STORY
    assert result.replies[0].text == STORY
    assert not result.left


def test_a_leg_that_never_comes_up_does_not_hang_the_session() -> None:
    result = simulate(Teller, Caller().stays_silent(1.0), llm=STORY, leg=LegFaults(answers_at=100_000.0))
    assert result.close_took <= 200.0
    assert not result.left


def test_a_hundred_calls_leave_nothing_behind() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        before = len(asyncio.all_tasks(loop))
        for number in range(100):
            caller = Caller().says("Please tell me the story", after=0.5).stays_silent(0.1 * (number % 30)).hangs_up()
            result = await Simulation(Teller, caller, llm=STORY).run()
            assert not result.left, f"call {number}"
        assert len(asyncio.all_tasks(loop)) == before

    run(main())
