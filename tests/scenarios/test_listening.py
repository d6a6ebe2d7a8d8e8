"""The agent's own backchannels, as a caller hears them."""

from __future__ import annotations

from typing import Any

from antiphon import Agent
from antiphon.testing import Caller, CallResult, simulate

LONG = "I was at the station yesterday and"


def story(**backchannel: Any) -> CallResult:
    caller = Caller().says(LONG, at=1.0, seconds=3.0).says("then my train was late", after=1.0).waits_for_agent()
    agent = Agent(instructions="Help.")
    return simulate(agent, caller, llm="I am sorry to hear that.", turn_handling={"backchannel": backchannel})


def test_the_agent_says_mhm_in_a_long_turn_and_the_turn_stays_whole() -> None:
    result = story(enabled=True, after=2.0)
    assert result.words[0].text.startswith("Mhm")
    assert result.agent_sounds[0].start < result.caller_sounds[1].start
    assert result.turns == [f"{LONG} then my train was late"]
    assert [message.text for message in result.replies] == ["I am sorry to hear that."]
    assert not result.replies[0].interrupted


def test_in_the_callers_language_and_in_history_if_asked() -> None:
    result = story(enabled=True, after=2.0, texts=("Ja.",), in_history=True)
    assert [message.text for message in result.replies] == ["Ja.", "I am sorry to hear that."]


def test_an_agent_that_takes_over_says_it_too_in_its_own_words() -> None:
    second = Agent(
        instructions="Help.", turn_handling={"backchannel": {"enabled": True, "after": 2.0, "texts": ("Aha.",)}}
    )

    async def caller(live: Any) -> None:
        await live.says("Hello", at=1.0)
        await live.waits_for_agent()
        first.session.update_agent(second)
        await live.says(LONG, after=2.0, seconds=3.0)
        await live.says("then my train was late", after=1.0)
        await live.waits_for_agent()

    first = Agent(instructions="Greet.")
    result = simulate(first, caller, llm="I see.")
    assert [word.text for word in result.words if word.text.startswith("Aha")] == ["Aha."]
    assert result.turns[-1] == f"{LONG} then my train was late"


def test_by_default_it_listens_in_silence() -> None:
    assert [word.text for word in story().words] == ["I", "am", "sorry", "to", "hear", "that."]
