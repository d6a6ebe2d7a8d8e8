"""Instructions by the way of talking, and those worked out for each request: where they stand, and when they fail."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from antiphon import Agent, AgentSession, ChatContext, Instructions
from antiphon.testing import Caller, CallResult, ScriptedLLM, simulate, text_context


def systems(context: ChatContext) -> list[str]:
    return [m.text for m in context.messages if m.role == "system"]


def test_what_is_said_and_what_is_typed_have_their_own() -> None:
    told = Instructions("Serve.", audio="Spell out numbers.", text="Use Markdown.")
    llm = ScriptedLLM("Yes.")

    caller = Caller().says("Do you have tea?").waits_for_agent().writes("and coffee?").waits_for_agent()
    simulate(Agent(instructions=told), caller.says("Thank you.").waits_for_agent(), llm=llm)
    own = {request.user_text: systems(request.chat_ctx) for request in llm.requests}
    assert own["Do you have tea?"] == own["Thank you."] == ["Serve.", "Spell out numbers."]
    assert own["and coffee?"] == ["Serve.", "Use Markdown."]


@pytest.mark.call
async def test_what_is_worked_out_comes_last_and_anew_for_each_request() -> None:
    llm = ScriptedLLM("Yes.")
    hours = iter(["It is nine.", "", "It is eleven."])

    async def clock(session: AgentSession[Any]) -> str:
        assert session.userdata == "Ada"
        return f"{next(hours)}"

    agent = Agent(instructions=Instructions("Serve.", dynamic=clock))
    async with AgentSession[Any](llm=llm, userdata="Ada") as session:
        await session.start(agent, text_context())
        await session.run(user_input="Hello.")
        await session.run(user_input="Hello?")
        await session.generate_reply(instructions="Be brief.")
    assert agent.instructions == "Serve."
    first, second, third = (request.chat_ctx for request in llm.requests)
    assert [getattr(item, "text", "") for item in first] == ["Serve.", "Hello.", "It is nine."]
    assert systems(second) == ["Serve."], "there was nothing to add"
    assert [getattr(item, "text", "") for item in third][-2:] == ["It is eleven.", "Be brief."]


@pytest.mark.call
async def test_a_function_alone_and_its_change() -> None:
    llm = ScriptedLLM("Yes.")
    agent = Agent(instructions=lambda session: f"Serve {session.userdata}.")
    async with AgentSession[Any](llm=llm, userdata="Ada") as session:
        await session.start(agent, text_context())
        await session.run(user_input="Hello.")
        await agent.update_instructions("Serve nobody.")
        await session.run(user_input="Hello?")
    assert [systems(request.chat_ctx) for request in llm.requests] == [["Serve Ada."], ["Serve nobody."]]


@pytest.mark.parametrize("how", ["raises", "hangs"])
def test_a_function_that_fails_costs_no_reply(how: str) -> None:
    """It said something once; that still holds, the error is told, and the reply is hardly late."""
    llm = ScriptedLLM("Yes.")
    asked: list[int] = []

    async def dynamic(session: AgentSession[Any]) -> str:
        asked.append(1)
        if len(asked) == 1:
            return "It is nine."
        if how == "raises":
            raise RuntimeError("no clock")
        await asyncio.sleep(60.0)
        return "never"

    caller = Caller().writes("one").waits_for_agent().writes("two").waits_for_agent()
    result: CallResult = simulate(Agent(instructions=dynamic), caller, llm=llm)
    assert [systems(request.chat_ctx) for request in llm.requests] == [["It is nine."], ["It is nine."]]
    assert any("no clock" in error or "were not there" in error for error in result.errors)
    assert result.longest_silence() < 2.5


@pytest.mark.call
async def test_a_session_of_text_alone_begins_with_text() -> None:
    llm = ScriptedLLM("Welcome.")
    async with AgentSession[Any](llm=llm) as session:
        await session.start(Agent(instructions=Instructions("Serve.", audio="Speak.", text="Write.")), text_context())
        await session.generate_reply(instructions="Greet them.")
    assert systems(llm.requests[0].chat_ctx) == ["Serve.", "Write.", "Greet them."]
