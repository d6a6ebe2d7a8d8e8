"""Tools that hold the floor: what they say comes in one piece, and the caller is never shut out."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from antiphon import Agent, AgentSession, ChatMessage, RunContext, SessionClosedError, function_tool
from antiphon.testing import Caller, ScriptedLLM, calls, simulate, text_context

FEES = "First come the fees. They are ten a month."
RISKS = "Now the risks. There are none to speak of."


class Bank(Agent):
    """``news``: what another part of the application says in the middle."""

    def __init__(self) -> None:
        super().__init__(instructions="Open accounts.")
        self.news: list[asyncio.Task[Any]] = []
        self.refused = ""

    @function_tool
    async def open_account(self, ctx: RunContext[Any]) -> str:
        """Open an account."""
        self.news.append(asyncio.create_task(self._tell_news()))
        async with ctx.foreground():
            await ctx.session.say(FEES)
            await asyncio.sleep(0.5)
            await ctx.session.say(RISKS)
        return "opened"

    async def _tell_news(self) -> None:
        await asyncio.sleep(3.0)
        await self.session.say("Rates have changed.")

    @function_tool
    async def wait_long(self, ctx: RunContext[Any]) -> str:
        """Ask for the floor much too late."""
        try:
            await asyncio.sleep(4.0)
            async with ctx.foreground():
                await ctx.session.say("This is never said.")
        except SessionClosedError as exc:
            self.refused = str(exc)
        return "late"


def test_what_a_tool_says_comes_in_one_piece() -> None:
    llm = ScriptedLLM({"account": [("Gladly, let me read you the terms.", calls("open_account")), "It is open."]})
    result = simulate(Bank, Caller().says("An account please", at=1.0).waits_for_agent(quiet=4.0), llm=llm)
    assert f"Gladly, let me read you the terms. {FEES} {RISKS}" in result.heard, result
    assert "Rates have changed." in result.heard.partition(RISKS)[2], result
    assert result.longest_silence() < 4.0


def test_the_caller_may_interrupt_and_ask_and_is_answered_at_once() -> None:
    llm = ScriptedLLM({"account": [calls("open_account"), "It is open."], "how long": "One minute."})
    caller = Caller().says("An account please", at=1.0).waits_for_words("ten a").says("Sorry, how long will it take")
    result = simulate(Bank, caller.waits_for_agent(quiet=4.0), llm=llm)
    before, news, _ = result.heard.partition("Rates have changed.")
    assert news and RISKS in before and "One minute." in before, result


@pytest.mark.call
async def test_a_text_session_knows_the_floor_too() -> None:
    async with AgentSession[Any](llm=ScriptedLLM({"account": [calls("open_account"), "It is open."]})) as session:
        await session.start(Bank(), text_context())
        result = await session.run(user_input="An account please")
    said = [item.text for item in result.events if isinstance(item, ChatMessage)]
    assert said == [FEES, RISKS, "It is open."]


def test_a_tool_past_its_deadline_is_refused_with_a_reason() -> None:
    bank = Bank()
    llm = ScriptedLLM({"wait": [calls("wait_long"), "That takes longer."]})
    caller = Caller().says("Please wait", at=1.0).waits_for_agent(quiet=6.0)
    result = simulate(bank, caller, llm=llm, tool_timeout=3.0)
    assert "ran past its deadline" in bank.refused and "tool_timeout" in bank.refused
    assert "never said" not in result.heard
