"""What comes first: a caller hears what leads up to a hand-off, a task or a tool before what comes of it."""

from __future__ import annotations

from typing import Any

import pytest

from antiphon import Agent, AgentTask, function_tool
from antiphon.testing import Caller, CallResult, LLMFaults, ScriptedLLM, ScriptedTTS, calls, simulate

LEAD = "Sure, I will put you through to a colleague."


class Colleague(Agent):
    def __init__(self) -> None:
        super().__init__(instructions="Colleague.")

    async def on_enter(self) -> None:
        self.session.say("Colleague here.")


class Thinking(Agent):
    def __init__(self) -> None:
        super().__init__(instructions="Thinking.")

    async def on_enter(self) -> None:
        self.session.generate_reply(instructions="Greet.")


class City(AgentTask[str]):
    def __init__(self) -> None:
        super().__init__(instructions="City.")

    async def on_enter(self) -> None:
        self.session.say("Which city?")

    @function_tool
    async def set_city(self, city: str) -> None:
        """Note the city."""
        self.complete(city)


class Desk(Agent):
    def __init__(self) -> None:
        super().__init__(instructions="Desk.")

    async def on_enter(self) -> None:
        self.session.say("Hello.")

    @function_tool(effect="read")
    async def read(self) -> Agent:
        """Hand over."""
        return Colleague()

    @function_tool
    async def write(self) -> Agent:
        """Hand over."""
        return Colleague()

    @function_tool(effect="read")
    async def think(self) -> Agent:
        """Hand over."""
        return Thinking()

    @function_tool
    async def book(self) -> None:
        """Book a trip."""
        city = await City()
        self.session.say(f"Booking {city}.")

    @function_tool
    async def tell(self) -> None:
        """Say what was done."""
        self.session.say("Done and said.")


def told(tool: str, *, agent: Any = Desk, ttfb: float = 0.12, dribble: float = 0.0, **script: Any) -> CallResult:
    llm = ScriptedLLM(
        {"go": (LEAD, calls(tool)), "paris": ("Paris, very well.", calls("set_city", city="Paris")), **script},
        faults=LLMFaults(dribble=dribble),
    )
    caller = Caller().waits_for_agent().says("Go please").waits_for_agent(quiet=2.0)
    if tool == "book":
        caller = caller.says("Paris please").waits_for_agent(quiet=2.0)
    result = simulate(agent, caller, llm=llm, tts=ScriptedTTS(ttfb=ttfb))
    said = [message.text for message in result.history.messages if message.role == "assistant"]
    assert " ".join(said) == result.heard, "history has it in the order in which it was heard"
    return result


@pytest.mark.parametrize("tool", ["read", "write"])
@pytest.mark.parametrize("ttfb", [0.05, 0.12, 0.4])
@pytest.mark.parametrize("dribble", [0.0, 0.05])
def test_the_greeting_of_the_new_agent_comes_behind_the_words_that_lead_to_it(
    tool: str, ttfb: float, dribble: float
) -> None:
    result = told(tool, ttfb=ttfb, dribble=dribble)
    assert result.heard == f"Hello. {LEAD} Colleague here.", result


def test_so_does_a_greeting_that_the_model_makes() -> None:
    def greeting(request: Any) -> str:
        return "Colleague here." if request.instructions.startswith("Thinking.") else (LEAD, calls("think"))

    result = told("think", go=greeting)
    assert result.heard == f"Hello. {LEAD} Colleague here.", result


def test_what_a_task_and_the_tool_behind_it_say_comes_in_the_order_of_the_dialogue() -> None:
    result = told("book")
    assert result.heard == f"Hello. {LEAD} Which city? Paris, very well. Booking Paris.", result


def test_what_a_tool_says_comes_behind_the_words_before_its_call() -> None:
    result = told("tell")
    assert result.heard == f"Hello. {LEAD} Done and said.", result


def test_what_on_exit_says_comes_between_the_two_agents() -> None:
    class Polite(Desk):
        async def on_exit(self) -> None:
            if not self.session.close_reason:
                await self.session.say("Goodbye from me.")

    result = told("write", agent=Polite)
    assert result.heard == f"Hello. {LEAD} Goodbye from me. Colleague here.", result


def test_what_the_application_says_still_goes_before_a_reply() -> None:
    class Impatient(Desk):
        async def on_user_turn_completed(self, turn_ctx: Any, new_message: Any) -> None:
            self.session.say("One thing first.")

    result = told("write", agent=Impatient)
    assert result.heard == f"Hello. One thing first. {LEAD} Colleague here.", result
