"""Hand-offs and tasks used in ways that cannot work, and models that do not answer: each is said, none costs the call."""

from __future__ import annotations

from typing import Any

from antiphon import Agent, AgentHandoff, AgentTask, ContextPolicy, function_tool
from antiphon.testing import Caller, CallResult, LLMFaults, ScriptedLLM, Simulation, calls, simulate
from antiphon.testing.loop import run


class Other(Agent):
    def __init__(self, **options: Any) -> None:
        super().__init__(instructions="Other.", id="other", **options)

    async def on_enter(self) -> None:
        self.session.say("The other one.")


class City(AgentTask[str]):
    def __init__(self) -> None:
        super().__init__(instructions="Ask for the city.")

    async def on_enter(self) -> None:
        self.session.say("Which city please?")

    @function_tool
    async def set_city(self, city: str) -> None:
        """Note the city."""
        self.complete(city)


class Desk(Agent):
    def __init__(self) -> None:
        super().__init__(instructions="Desk.", id="desk")

    async def on_enter(self) -> None:
        self.session.say("Hello there.")


def switches(result: CallResult) -> list[str]:
    return [item.new_agent for item in result.history.items if isinstance(item, AgentHandoff)]


def silent() -> ScriptedLLM:
    return ScriptedLLM("x", faults=LLMFaults(never=True))


def test_a_caller_who_hangs_up_while_a_hand_off_is_summed_up_leaves_nothing_behind() -> None:
    answers: list[Any] = []

    async def story(caller: Any) -> None:
        await caller.waits_for_agent()
        for _ in range(2):
            await caller.says("Hello now")
            await caller.waits_for_agent()
        answers.append(call.session.update_agent(Other(), context=ContextPolicy.summary(llm=silent())))
        await caller.hangs_up()

    call = Simulation(Desk, story, llm=ScriptedLLM("Yes."))
    result = run(call.run())
    assert not result.left, result.left
    assert answers[0].result() is False


def test_a_caller_who_hangs_up_while_a_task_is_summed_up_leaves_nothing_behind() -> None:
    class Summed(City):
        returns = ContextPolicy.summary(keep_last_turns=0, llm=silent())

    class Trips(Desk):
        @function_tool
        async def trip(self) -> str:
            """Book."""
            return await Summed()

    llm = ScriptedLLM({"trip": calls("trip"), "paris": calls("set_city", city="Paris"), ...: "Yes."})
    caller = Caller().waits_for_agent().says("A trip").waits_for_words("city").says("Paris").stays_silent(1.2)
    result = simulate(Trips, caller.hangs_up(), llm=llm)
    assert not result.left, result.left
