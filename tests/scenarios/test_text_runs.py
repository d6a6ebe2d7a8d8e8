"""Turns in writing, with nothing heard: what each brought about, when it is over, and what is said of it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from antiphon import Agent, AgentSession, AgentTask, ImageContent, RunContext, function_tool
from antiphon.errors import ConfigurationError, FormatError
from antiphon.testing import Caller, RunAssert, ScriptedLLM, calls, recorded, simulate, text_context


class GetCity(AgentTask[str]):
    def __init__(self) -> None:
        super().__init__(instructions="Ask for the city.")

    async def on_enter(self) -> None:
        self.session.say("Which city please?")

    @function_tool
    async def set_city(self, city: str) -> None:
        """Note the city."""
        self.complete(city)


class Billing(Agent):
    def __init__(self) -> None:
        super().__init__(instructions="Answer questions on bills.")


class Desk(Agent):
    def __init__(self) -> None:
        super().__init__(instructions="Take bookings.")

    @function_tool
    async def book(self) -> str:
        """Book a trip."""
        return f"booked to {await GetCity()}"

    @function_tool
    async def slow(self) -> str:
        """Take a while."""
        await asyncio.sleep(5)
        return "done at last"

    @function_tool(effect="read")
    async def billing(self, ctx: RunContext[Any]) -> Agent:
        """Hand over to billing."""
        return Billing()


SCRIPT = {
    "trip": calls("book"),
    "where": "To any city of Europe.",
    "rome": [calls("set_city", city="Rome"), "You are booked to Rome."],
    "bill": [calls("billing"), "This is billing."],
    "slow": [calls("slow"), "It is done."],
    "cat": "A cat.",
}


async def turns(*said: Any, llm: ScriptedLLM | None = None) -> list[RunAssert]:
    """The expectations on each turn of one session."""
    async with AgentSession[Any](stt=None, tts=None, llm=llm or ScriptedLLM(SCRIPT)) as session:
        await session.start(Desk(), text_context())
        return [(await session.run(user_input=text)).expect for text in said]


@pytest.mark.call(limit=120)
async def test_a_turn_inside_a_task_ends_when_the_task_waits_for_the_caller() -> None:
    first, aside, last = await turns("I need a trip", "Where can I go?", "To Rome")
    first.next_event().is_function_call(name="book", arguments={}, exact=True)
    first.contains_message(contains="Which city please?")
    with pytest.raises(AssertionError):
        first.contains_function_call_output()
    aside.next_event().is_message(contains="any city")
    aside.no_more_events()
    last.next_event().is_function_call(name="set_city", arguments={"city": "Rome"})
    last.contains_function_call_output(output="booked to Rome")
    last[-1].is_message(contains="You are booked")


@pytest.mark.call
async def test_a_turn_waits_for_its_tools() -> None:
    (turn,) = await turns("the slow one")
    turn.next_event().is_function_call(name="slow")
    turn.next_event().is_function_call_output(output="done at last")
    turn.next_event().is_message(contains="It is done.")
    turn.no_more_events()


@pytest.mark.call
async def test_a_hand_off_is_an_event_with_both_agents() -> None:
    (turn,) = await turns("My bill please")
    turn.contains_agent_handoff(new_agent=Billing, old_agent=Desk)
    with pytest.raises(AssertionError, match="from 'billing', it comes from 'desk'"):
        turn.next_event(type="agent_handoff").is_agent_handoff(old_agent="billing")


@pytest.mark.call
async def test_a_picture_may_be_asked_about() -> None:
    llm = ScriptedLLM(SCRIPT, images=True)
    (turn,) = await turns(["Which cat?", ImageContent(data=b"\x89PNG\r\n\x1a\n" + bytes(20))], llm=llm)
    turn.next_event().is_message(role="assistant", contains="a cat")
    assert llm.requests[0].chat_ctx.messages[-1].media


@pytest.mark.call
async def test_a_turn_can_be_looked_at_when_it_is_over() -> None:
    async with AgentSession[Any](stt=None, tts=None, llm=ScriptedLLM(SCRIPT)) as session:
        await session.start(Desk(), text_context())
        running = session.run(user_input="the slow one")
        with pytest.raises(ConfigurationError, match="not over yet"):
            _ = running.expect
        assert (await running).expect is running.expect


@pytest.mark.call
async def test_a_turn_is_over_when_the_session_ends() -> None:
    async with AgentSession[Any](stt=None, tts=None, llm=ScriptedLLM(SCRIPT)) as session:
        await session.start(Desk(), text_context())
        running = session.run(user_input="I need a trip")
        await asyncio.sleep(1.0)
        inside = session.run(user_input="the slow one")
        await session.aclose()
        for run in (running, inside):
            async with asyncio.timeout(5):
                await run


def test_a_real_clock_does_as_well() -> None:
    async def story() -> None:
        llm = ScriptedLLM({"hello": "Hello.", **SCRIPT})
        async with asyncio.timeout(20), AgentSession[Any](stt=None, tts=None, llm=llm) as session:
            await session.start(Desk())
            (await session.run(user_input="hello")).expect.next_event().is_message(contains="Hello.")
            turn = (await session.run(user_input="I need a trip")).expect
            turn.contains_message(contains="Which city please?")

    asyncio.run(story())


def spoken() -> Any:
    caller = Caller().says("hello you", at=1.0).waits_for_agent().says("My bill please").waits_for_agent(quiet=2.0)
    return simulate(Desk, caller, llm=ScriptedLLM({"hello": "Hello.", **SCRIPT}))


def test_a_call_can_be_looked_at_as_a_whole() -> None:
    expect = spoken().expect
    expect.next_event().is_message(role="user", contains="hello you")
    expect.next_event().is_message(role="assistant")
    expect.skip_next().next_event().is_function_call(name="billing")
    expect.contains_agent_handoff(new_agent=Billing)
    with pytest.raises(AssertionError, match=r"among the events of the call\.\nThe events:\n +0: user: 'hello you'"):
        expect.contains_message(contains="sorry")


def test_a_recorded_call_is_looked_at_and_held_again(tmp_path: Path) -> None:
    path = tmp_path / "call.jsonl"
    spoken().log.write(path)
    call = recorded(path)
    assert call.turns == ["hello you", "My bill please"]
    call.expect.contains_agent_handoff(new_agent=Billing)
    call.expect[0].is_message(role="user", contains="hello")

    async def again() -> RunAssert:
        return (await turns(*call.turns, llm=ScriptedLLM({"hello": "Hello.", **SCRIPT})))[-1]

    asyncio.run(again()).contains_message(contains="This is billing.")
    with pytest.raises(FormatError):
        recorded(tmp_path / "none.jsonl")
