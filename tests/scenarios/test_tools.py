"""Tools and hand-offs: nothing is lost, nothing runs twice, nothing acts for a reply that was thrown away."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from antiphon import Agent, RunContext, function_tool
from antiphon.testing import Caller, CallResult, ScriptedLLM, ScriptedTurnDetector, calls, simulate


class Desk(Agent):
    def __init__(self) -> None:
        super().__init__(instructions="Take bookings.")

    @function_tool
    async def book(self, day: str) -> str:
        """Book a day."""
        await asyncio.sleep(1.5)
        return f"{day} is booked"

    @function_tool(effect="read")
    async def look(self, day: str) -> str:
        """Look a day up."""
        return f"{day} is free"

    @function_tool(effect="read")
    async def billing(self, ctx: RunContext[Any]) -> Agent:
        """Hand over to billing."""
        return Billing()


class Billing(Agent):
    def __init__(self) -> None:
        super().__init__(instructions="Answer questions on bills.", id="billing")


def outputs(result: CallResult) -> list[str]:
    return [tool.output for tool in result.tools]


def test_a_write_never_runs_for_a_turn_that_goes_on() -> None:
    """The pause is long enough to speculate on "book Monday"; the caller was not done."""
    llm = ScriptedLLM(
        {
            "tuesday": [calls("book", day="Tuesday"), "Tuesday is yours."],
            "monday": [calls("book", day="Monday"), "Monday is yours."],
        },
        ttft=0.01,
    )
    for pause in (0.15, 0.2, 0.21, 0.22, 0.23, 0.24, 0.4, 0.55, 0.7, 0.9):
        caller = Caller().says("Please book Monday", at=1.0).says("no sorry Tuesday", after=pause)
        unsure = ScriptedTurnDetector([0.31, 0.31, 0.31, 0.9])
        result = simulate(Desk, caller.waits_for_agent(quiet=3.0), llm=llm, turn_detector=unsure)
        assert outputs(result) == ["Tuesday is booked"], result
        assert result.heard.endswith("Tuesday is yours.")
    assert any("Tuesday" not in request.user_text for request in llm.requests), "nothing was prepared for Monday"


@pytest.mark.parametrize("moment", [0.1, 0.3, 0.6, 0.9, 1.2, 1.5, 1.8, 2.1, 2.4])
def test_a_write_is_done_once_and_told_whenever_the_caller_interrupts(moment: float) -> None:
    llm = ScriptedLLM(
        {
            "monday": [("One moment please, I will do that for you.", calls("book", day="Monday")), "Monday is yours."],
            "really": "Yes, really.",
        }
    )
    caller = Caller().says("Please book Monday", at=1.0).says("Are you really doing it", after=0.6 + moment)
    result = simulate(Desk, caller.waits_for_agent(quiet=3.0), llm=llm)
    assert outputs(result) == ["Monday is booked"], result
    assert "Yes, really." in result.heard, result
    pairs = [item.call_id for item in result.history.items if hasattr(item, "call_id")]
    assert pairs == ["call_1", "call_1"] or len(set(pairs)) * 2 == len(pairs), "every call has its output"
    for request in llm.requests:
        asked = [item.call_id for item in request.chat_ctx.items if type(item).__name__ == "FunctionCall"]
        answered = [item.call_id for item in request.chat_ctx.items if type(item).__name__ == "FunctionCallOutput"]
        assert asked == answered, "no provider takes a call without its output"


def test_a_hand_off_happens_once_and_the_conversation_goes_along() -> None:
    llm = ScriptedLLM({"bill": [calls("billing"), "This is billing."], "hello": "Hello.", "sum": "It is ten."})
    caller = Caller().says("hello you", at=1.0).waits_for_agent().says("My bill please").waits_for_agent(quiet=2.0)
    result = simulate(Desk, caller.says("What is the sum").waits_for_agent(), llm=llm)
    assert result.heard == "Hello. This is billing. It is ten."
    assert llm.requests[-1].instructions == "Answer questions on bills."
    assert any(message.text == "hello you" for message in llm.requests[-1].chat_ctx.messages)
    assert [type(fact).__name__ for fact in result.facts].count("AgentEntered") == 2


@pytest.mark.parametrize("batch", [("billing", "look"), ("look", "billing"), ("billing", "billing")])
def test_a_hand_off_beside_other_calls_of_a_batch(batch: tuple[str, str]) -> None:
    answer = tuple(calls(name) if name == "billing" else calls(name, day="Monday") for name in batch)
    llm = ScriptedLLM({"bill": [answer, "This is billing."], ...: "Yes."})
    caller = Caller().says("My bill please", at=1.0).waits_for_agent(quiet=2.0).says("Hello you").waits_for_agent()
    result = simulate(Desk, caller, llm=llm)
    assert len(result.tools) == 2
    assert all(tool.output for tool in result.tools)
    assert [type(fact).__name__ for fact in result.facts].count("AgentEntered") == 2
    assert result.heard == "This is billing. Yes."
    assert not result.left


def test_words_said_during_a_hand_off_are_not_lost() -> None:
    class Slow(Desk):
        async def on_exit(self) -> None:
            await asyncio.sleep(1.0)

    llm = ScriptedLLM({"hurry": "Here I am.", "bill": [calls("billing"), "This is billing."]})
    caller = Caller().says("My bill please", at=1.0).says("and do hurry up", after=0.9).waits_for_agent(quiet=3.0)
    result = simulate(Slow, caller, llm=llm)
    assert "and do hurry up" in " ".join(result.turns)
    assert "Here I am." in result.heard
