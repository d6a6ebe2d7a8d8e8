"""Hand-offs and tasks used in ways that cannot work, and models that do not answer: each is said, none costs the call."""

from __future__ import annotations

import asyncio
import contextlib
import re
from typing import Any

import pytest

from antiphon import (
    Agent,
    AgentHandoff,
    AgentSession,
    AgentTask,
    ConfigurationError,
    ContextPolicy,
    Handoff,
    function_tool,
)
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


# --- settings that cannot hold -----------------------------------------------------------------------------------

IMPOSSIBLE = {"endpointing": {"min_delay": 9.0}}


@pytest.mark.parametrize("whose", ["agent", "session"])
def test_settings_that_cannot_hold_change_nothing(whose: str) -> None:
    refused: list[str] = []
    voice = ScriptedLLM("Not me.")

    class Trips(Desk):
        @function_tool(effect="read")
        async def other(self) -> Agent:
            """To the other."""
            return Other()

    async def story(caller: Any) -> None:
        await caller.waits_for_agent()
        settings = call.session.current_agent if whose == "agent" else call.session
        with pytest.raises(ConfigurationError, match="min_delay"):
            settings.update_options(llm=voice, turn_handling=IMPOSSIBLE)
        refused.append(whose)
        await caller.says("What now")
        await caller.waits_for_agent()
        await caller.says("The other please")
        await caller.waits_for_agent()

    call = Simulation(Trips, story, llm=ScriptedLLM({"now": "This now.", "other": calls("other")}))
    result = run(call.run())
    assert refused and result.heard == "Hello there. This now. The other one.", result
    assert not result.errors and not result.complaints and not voice.requests


def test_an_agent_whose_settings_cannot_hold_is_not_let_in() -> None:
    class Trips(Desk):
        @function_tool(effect="read")
        async def other(self) -> Agent:
            """To the other."""
            return Other(turn_handling=IMPOSSIBLE)

    async def story(caller: Any) -> None:
        await caller.waits_for_agent()
        await caller.says("The other please")
        await caller.waits_for_agent()
        call.session.update_options(turn_handling={"endpointing": {"latency": 0.5}})
        await caller.says("What now")
        await caller.waits_for_agent()

    llm = ScriptedLLM({"now": "This now.", "other": [calls("other"), "I cannot."]})
    call = Simulation(Trips, story, llm=llm)
    result = run(call.run())
    assert result.heard == "Hello there. I cannot. This now.", result
    assert switches(result) == [] and not result.complaints


# --- what cannot take over ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("returned", "says"),
    [
        (lambda: City(), "Await it in a tool"),
        (lambda: Handoff(City()), "Await it in a tool"),
        (lambda: Other, r"Write Other\(\.\.\.\)"),
        (lambda: (Other, "moved"), r"Write Other\(\.\.\.\)"),
        (lambda: Handoff(Other(), entry="shout"), "'greet', 'continue', 'silent'"),  # type: ignore[arg-type]
        (lambda: Handoff(Other(), context="summary"), r"Use ContextPolicy\.all\(\)"),  # type: ignore[arg-type]
    ],
)
def test_what_cannot_take_over_says_so_and_the_agent_goes_on(returned: Any, says: str) -> None:
    class Trips(Desk):
        @function_tool(effect="read")
        async def other(self) -> Any:
            """To the other."""
            return returned()

    llm = ScriptedLLM({"other": [calls("other"), "I cannot."], "now": "This now."})
    caller = Caller().waits_for_agent().says("The other please").waits_for_agent().says("What now").waits_for_agent()
    result = simulate(Trips, caller, llm=llm)
    assert result.heard == "Hello there. I cannot. This now.", result
    assert switches(result) == []
    [error] = [str(error) for error in result.errors]
    assert re.search(says, error), error


@pytest.mark.parametrize(
    ("begins", "says"), [(City(), "run_task"), (Other, "Other is a class"), ("other", "is not an agent")]
)
def test_a_session_begins_with_an_agent(begins: Any, says: str) -> None:
    session: AgentSession[None] = AgentSession(stt=None, llm=ScriptedLLM("x"), tts=None, turn_detector=None)
    with pytest.raises(ConfigurationError, match=says):
        run(session.start(begins))


def test_update_agent_takes_no_task() -> None:
    async def story(caller: Any) -> None:
        await caller.waits_for_agent()
        with pytest.raises(ConfigurationError, match="run_task"):
            call.session.update_agent(City())
        await caller.says("What now")
        await caller.waits_for_agent()

    call = Simulation(Desk, story, llm=ScriptedLLM("This now."))
    assert run(call.run()).heard == "Hello there. This now."


@pytest.mark.parametrize(
    "make",
    [
        lambda: Other(entry="shout"),
        lambda: Other(context="none"),
        lambda: Handoff(Other),  # type: ignore[arg-type]
        lambda: ContextPolicy("some"),  # type: ignore[arg-type]
        lambda: ContextPolicy.last(0),
        lambda: ContextPolicy.summary(keep_last_turns=-3),
        lambda: ContextPolicy.summary(timeout=-1),
    ],
)
def test_terms_that_mean_nothing_are_refused_where_they_are_made(make: Any) -> None:
    with pytest.raises(ConfigurationError) as raised:
        make()
    assert raised.value.hint


def test_a_task_may_not_return_what_is_no_policy() -> None:
    class Wrong(City):
        returns: Any = "summary"

    class Trips(Desk):
        @function_tool
        async def trip(self) -> str:
            """Book."""
            return await Wrong()

    llm = ScriptedLLM({"trip": [calls("trip"), "I cannot."]})
    result = simulate(Trips, Caller().waits_for_agent().says("A trip").waits_for_agent(), llm=llm)
    assert result.heard == "Hello there. I cannot."
    assert "ContextPolicy" in str(result.errors[0])


def test_tasks_whose_await_was_cancelled_are_forgotten() -> None:
    class Patient(Desk):
        async def on_enter(self) -> None:
            for _ in range(3):
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(City(), 3.0)
            known.append(len(self.session.tasks.speaking))

    known: list[int] = []
    simulate(Patient, Caller().stays_silent(15.0), llm=ScriptedLLM("Yes."))
    assert known == [0]
