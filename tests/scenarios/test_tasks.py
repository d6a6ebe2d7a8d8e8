"""Sub-dialogues: an agent speaks until it has what it was sent for, and the one that was left goes on where it was."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from antiphon import (
    Agent,
    AgentTask,
    RunContext,
    SessionClosedError,
    TaskCancelledError,
    TaskDeclinedError,
    TaskError,
    function_tool,
)
from antiphon.testing import Caller, CallResult, ScriptedLLM, calls, simulate


class GetCity(AgentTask[str]):
    def __init__(self) -> None:
        super().__init__(instructions="Ask for the city.")

    async def on_enter(self) -> None:
        self.session.say("Which city please?")

    @function_tool(retry="replay")
    async def set_city(self, city: str) -> None:
        """Note the city."""
        self.complete(city)

    @function_tool
    async def decline(self, reason: str) -> None:
        """The caller does not want to say."""
        self.complete(TaskDeclinedError(reason))


class Desk(Agent):
    def __init__(self) -> None:
        super().__init__(instructions="Book trips.")
        self.entered = 0

    async def on_enter(self) -> None:
        self.entered += 1
        self.session.say("Hello there.")

    @function_tool
    async def book(self, ctx: RunContext[Any]) -> str:
        """Book a trip."""
        city = await GetCity()
        return f"booked to {city}"


SCRIPT: dict[Any, Any] = {
    "trip": calls("book"),
    "paris": [calls("set_city", city="Paris"), "All booked."],
    "no way": [calls("decline", reason="will not say"), "Then not."],
}


def dialogue(answer: str = "Paris it is", **options: Any) -> CallResult:
    caller = Caller().waits_for_agent().says("I want a trip").waits_for_agent().says(answer).waits_for_agent(quiet=2.0)
    agent = options.pop("agent", Desk)
    llm = options.pop("llm", None) or ScriptedLLM(SCRIPT)
    return simulate(agent, options.pop("caller", caller), llm=llm, **options)


def test_a_tool_awaits_a_dialogue_and_goes_on_with_its_result() -> None:
    llm = ScriptedLLM(SCRIPT)
    result = dialogue(llm=llm)
    assert result.heard == "Hello there. Which city please? All booked.", result
    assert {tool.name: tool.output for tool in result.tools} == {"book": "booked to Paris", "set_city": ""}
    assert [request.instructions for request in llm.requests] == ["Book trips.", "Ask for the city.", "Book trips."]
    assert not result.left
    assert not result.errors


def test_the_agent_that_was_left_neither_enters_again_nor_forgets() -> None:
    desk = Desk()
    llm = ScriptedLLM(SCRIPT)
    result = dialogue(agent=lambda: desk, llm=llm)
    assert desk.entered == 1
    assert [(item.old_agent, item.new_agent) for item in result.history.items if hasattr(item, "new_agent")] == [
        ("desk", "get_city"),
        ("get_city", "desk"),
    ]
    assert [message.text for message in llm.requests[-1].chat_ctx.messages if message.role == "user"] == [
        "I want a trip",
        "Paris it is",
    ]


def test_a_caller_who_declines_raises_from_the_await() -> None:
    class Careful(Desk):
        @function_tool
        async def book(self) -> str:
            """Book a trip."""
            try:
                return await GetCity()
            except TaskDeclinedError as exc:
                return f"not booked: {exc}"

    result = dialogue("No way", agent=Careful)
    assert {tool.name: tool.output for tool in result.tools}["book"] == "not booked: will not say"
    assert result.heard.endswith("Then not.")


def test_a_declined_task_that_nobody_catches_is_what_the_model_reads() -> None:
    result = dialogue("No way")
    [booked] = [tool for tool in result.tools if tool.name == "book"]
    assert booked.is_error
    assert booked.output == "will not say"
    assert not result.errors


def test_a_caller_who_hangs_up_ends_the_await() -> None:
    raised: list[BaseException] = []

    class Watching(Desk):
        @function_tool
        async def book(self) -> str:
            """Book a trip."""
            try:
                return await GetCity()
            except BaseException as exc:
                raised.append(exc)
                raise

    caller = Caller().waits_for_agent().says("I want a trip").waits_for_words("which").hangs_up()
    result = dialogue(agent=Watching, caller=caller)
    assert [type(exc) for exc in raised] == [SessionClosedError]
    assert all(tool.ended for tool in result.tools)
    assert not result.left


def test_the_dialogue_does_not_count_as_time_of_the_tool_and_nothing_fills_its_silences() -> None:
    class Hurried(Desk):
        @function_tool(effect="read", timeout=2.0)
        async def book(self) -> str:
            """Book a trip."""
            return f"booked to {await GetCity()}"

    caller = Caller().waits_for_agent().says("I want a trip").waits_for_words("please").stays_silent(12.0)
    result = dialogue(agent=Hurried, caller=caller.says("Paris it is").waits_for_agent(quiet=2.0))
    assert result.heard == "Hello there. Which city please? All booked."
    assert not result.tools[0].is_error


def test_the_time_of_the_tool_runs_again_behind_the_dialogue() -> None:
    class Hanging(Desk):
        @function_tool(effect="read", timeout=2.0)
        async def book(self) -> str:
            """Book a trip."""
            await GetCity()
            await asyncio.sleep(1000.0)
            return "never"

    llm = ScriptedLLM({**SCRIPT, "paris": [calls("set_city", city="Paris"), "That did not work."]})
    result = dialogue(agent=Hanging, llm=llm)
    assert result.heard.endswith("That did not work.")
    assert next(tool for tool in result.tools if tool.name == "book").is_error


def test_on_enter_may_await_and_who_says_nothing_behind_it_is_spoken_for() -> None:
    class Asking(Desk):
        async def on_enter(self) -> None:
            self.city = await GetCity()

    desk = Asking()
    caller = Caller().waits_for_words("please").says("Paris it is").waits_for_agent(quiet=2.0)
    llm = ScriptedLLM({"paris": [calls("set_city", city="Paris"), "So Paris. How can I help?"]})
    result = dialogue(agent=lambda: desk, caller=caller, llm=llm)
    assert result.heard == "Which city please? So Paris. How can I help?", result
    assert desk.city == "Paris"
    assert llm.requests[-1].instructions == "Book trips."


def test_on_exit_may_await_before_the_other_agent_enters() -> None:
    class Leaving(Desk):
        @function_tool(effect="read")
        async def book(self) -> Agent:
            """Hand over."""
            return Other()

        async def on_exit(self) -> None:
            if not self.session.close_reason:
                self.city = await GetCity()

    class Other(Agent):
        def __init__(self) -> None:
            super().__init__(instructions="The other.")

        async def on_enter(self) -> None:
            self.session.say("The other one here.")

    desk = Leaving()
    result = dialogue(agent=lambda: desk)
    assert result.heard == "Hello there. Which city please? The other one here.", str(result)
    assert desk.city == "Paris"
    entered = [fact.agent for fact in result.facts if type(fact).__name__ == "AgentEntered"]
    assert entered == ["leaving", "get_city", "leaving", "other"]


def test_tasks_within_tasks() -> None:
    class GetTrip(AgentTask[str]):
        def __init__(self) -> None:
            super().__init__(instructions="Ask for the trip.")

        async def on_enter(self) -> None:
            city = await GetCity()
            self.complete(f"trip to {city}")

    class Nesting(Desk):
        @function_tool
        async def book(self) -> str:
            """Book a trip."""
            return await GetTrip()

    result = dialogue(agent=Nesting)
    assert result.heard == "Hello there. Which city please? All booked.", result
    assert {tool.name: tool.output for tool in result.tools}["book"] == "trip to Paris"
    tasks = [fact for fact in result.facts if type(fact).__name__.startswith("Task")]
    assert [type(fact).__name__ for fact in tasks] == ["TaskEntered", "TaskEntered", "TaskResult", "TaskResult"]
    assert tasks[-1].result == '"trip to Paris"'


def test_two_tools_of_one_batch_that_await_take_their_turns() -> None:
    class GetDay(AgentTask[str]):
        def __init__(self) -> None:
            super().__init__(instructions="Ask for the day.")

        async def on_enter(self) -> None:
            self.session.say("Which day please?")

        @function_tool
        async def set_day(self, day: str) -> None:
            """Note the day."""
            self.complete(day)

    class Both(Desk):
        @function_tool
        async def choose_day(self) -> str:
            """Choose the day."""
            return await GetDay()

    llm = ScriptedLLM(
        {
            "trip": (calls("book"), calls("choose_day")),
            "paris": calls("set_city", city="Paris"),
            "monday": [calls("set_day", day="Monday"), "All booked."],
        }
    )
    caller = Caller().waits_for_agent().says("I want a trip").waits_for_words("city please").says("Paris it is")
    caller = caller.waits_for_words("day please").says("On Monday").waits_for_agent(quiet=2.0)
    result = dialogue(agent=Both, caller=caller, llm=llm)
    assert result.heard == "Hello there. Which city please? Which day please? All booked.", result
    assert {tool.name: tool.output for tool in result.tools}["choose_day"] == "Monday"


def test_a_task_without_a_greeting_of_its_own_opens_the_dialogue() -> None:
    class Silent(GetCity):
        async def on_enter(self) -> None:
            pass

    class Quiet(Desk):
        @function_tool
        async def book(self) -> str:
            """Book a trip."""
            return f"booked to {await Silent()}"

    llm = ScriptedLLM({**SCRIPT, "trip": [calls("book"), "And to which city?"]})
    result = dialogue(agent=Quiet, llm=llm)
    assert result.heard == "Hello there. And to which city? All booked.", result


def test_a_cancelled_await_ends_its_task() -> None:
    class Impatient(Desk):
        @function_tool
        async def book(self) -> str:
            """Book a trip."""
            try:
                async with asyncio.timeout(5.0):
                    return await GetCity()
            except TimeoutError:
                return "no answer"

    llm = ScriptedLLM({**SCRIPT, "trip": [calls("book"), "Never mind."]})
    caller = Caller().waits_for_agent().says("I want a trip").stays_silent(12.0).says("Paris it is").waits_for_agent()
    result = dialogue(agent=Impatient, caller=caller, llm=llm)
    assert "Never mind." in result.heard, result
    assert llm.requests[-1].instructions == "Book trips."
    assert not result.errors


def test_a_hand_off_out_of_a_task_ends_it() -> None:
    class Escaping(GetCity):
        @function_tool(effect="read")
        async def human(self) -> Agent:
            """The caller wants a person."""
            return Person()

    class Person(Agent):
        def __init__(self) -> None:
            super().__init__(instructions="A person.")

        async def on_enter(self) -> None:
            self.session.say("A person here.")

    raised: list[Exception] = []

    class Booking(Desk):
        @function_tool
        async def book(self) -> str:
            """Book a trip."""
            try:
                return await Escaping()
            except TaskCancelledError as exc:
                raised.append(exc)
                raise

    llm = ScriptedLLM({**SCRIPT, "person": calls("human"), "again": "Yes, a person."})
    caller = Caller().waits_for_agent().says("I want a trip").waits_for_words("please").says("Give me a person")
    caller = caller.waits_for_words("here").says("Once again").waits_for_agent(quiet=2.0)
    result = dialogue(agent=Booking, caller=caller, llm=llm)
    assert result.heard == "Hello there. Which city please? A person here. Yes, a person.", str(result)
    assert len(raised) == 1
    assert all(tool.ended for tool in result.tools)
    assert not result.errors


def test_application_code_runs_a_task_by_the_session() -> None:
    got: list[str] = []

    class Plain(Desk):
        @function_tool
        async def book(self) -> None:
            """Book a trip."""
            self.later = asyncio.get_running_loop().create_task(self.ask())

        async def ask(self) -> None:
            await asyncio.sleep(1.0)
            got.append(await self.session.run_task(GetCity()))

    result = dialogue(
        agent=Plain,
        caller=Caller()
        .waits_for_agent()
        .says("I want a trip")
        .waits_for_words("please")
        .says("Paris it is")
        .stays_silent(3.0),
    )
    assert got == ["Paris"], result


@pytest.mark.parametrize("where", ["outside", "turn hook", "twice", "completed twice"])
def test_what_cannot_be_awaited_says_so(where: str) -> None:
    raised: list[TaskError] = []

    class Wrong(Desk):
        async def on_user_turn_completed(self, turn_ctx: Any, new_message: Any) -> None:
            if where == "turn hook":
                try:
                    await GetCity()
                except TaskError as exc:
                    raised.append(exc)

        @function_tool
        async def book(self) -> str:
            """Book a trip."""
            task = GetCity()
            try:
                if where == "completed twice":
                    task.complete("Rome")
                    task.complete("Rome")
                elif where == "twice":
                    city = await task
                    await task
                    return city
                elif where == "outside":
                    asyncio.get_running_loop().call_soon(self.elsewhere)
            except TaskError as exc:
                raised.append(exc)
            return "nothing"

        def elsewhere(self) -> None:
            async def alone() -> None:
                try:
                    await GetCity()
                except TaskError as exc:
                    raised.append(exc)

            import contextvars

            self.task = asyncio.get_running_loop().create_task(alone(), context=contextvars.Context())

    result = dialogue(agent=Wrong)
    assert raised, result
    assert all(exc.hint for exc in raised)
    assert not result.left


def test_talking_over_the_question_does_not_end_what_waits_for_the_answer() -> None:
    class Cancellable(Desk):
        @function_tool(effect="read", cancellable=True)
        async def book(self) -> str:
            """Book a trip."""
            return f"booked to {await GetCity()}"

    caller = Caller().waits_for_agent().says("I want a trip").talks_over("Paris it is of course", after_word=2)
    result = dialogue(agent=Cancellable, caller=caller.waits_for_agent(quiet=2.0))
    assert {tool.name: tool.output for tool in result.tools}["book"] == "booked to Paris"
    assert result.heard.endswith("All booked.")


@pytest.mark.parametrize("block", range(3))
def test_a_new_owner_goes_on_in_the_task_and_the_tool_that_runs_again_gets_its_result(block: int) -> None:
    """At any event the core forgets all but its state: the task goes on, its result is asked for once."""

    class Durable(Desk):
        @function_tool(retry="replay")
        async def book(self) -> str:
            """Book a trip."""
            return f"booked to {await GetCity()}"

    inputs = len(dialogue(agent=Durable).log.inputs)
    for place in range(3 + block, inputs - 4, 3):
        result = dialogue(agent=Durable, forget_after=[place])
        story = f"forgot after {place}\n{result}"
        assert [tool.output for tool in result.tools if tool.name == "book"] == ["booked to Paris"], story
        assert result.heard.endswith("All booked."), story
        assert result.heard.count("Which city please?") <= 2, story
        assert len([fact for fact in result.facts if type(fact).__name__ == "TaskEntered"]) == 1, story
        assert not result.left, story


def test_a_task_says_nothing_more_when_it_is_complete() -> None:
    class Talkative(GetCity):
        @function_tool(retry="replay")
        async def set_city(self, city: str) -> str:
            """Note the city."""
            self.complete(city)
            return "noted: ask whether there is anything else"

    class Booking(Desk):
        @function_tool
        async def book(self) -> str:
            """Book a trip."""
            return f"booked to {await Talkative()}"

    llm = ScriptedLLM(SCRIPT)
    result = dialogue(agent=Booking, llm=llm)
    assert result.heard == "Hello there. Which city please? All booked.", result
    assert [request.instructions for request in llm.requests] == ["Book trips.", "Ask for the city.", "Book trips."]


def test_what_an_agent_was_about_to_do_it_does_with_its_own_tools_though_another_speaks() -> None:
    class Slow(Desk):
        async def on_user_turn_completed(self, turn_ctx: Any, new_message: Any) -> None:
            if not hasattr(self, "later"):
                self.later = asyncio.get_running_loop().create_task(self.ask())

        async def ask(self) -> None:
            await asyncio.sleep(0.5)
            await self.session.run_task(GetCity())

        @function_tool
        async def note(self) -> str:
            """Make a note."""
            return "noted"

    llm = ScriptedLLM({"trip": calls("note"), "paris": [calls("set_city", city="Paris"), "Fine."]}, ttft=1.5)
    result = dialogue(agent=Slow, llm=llm)
    assert [tool.output for tool in result.tools if tool.name == "note"] == ["noted"], result


class Human(Agent):
    def __init__(self) -> None:
        super().__init__(instructions="A human.")

    async def on_enter(self) -> None:
        self.session.say("Human here.")


def test_a_hand_off_ends_the_tasks_that_wait_for_their_turn_too() -> None:
    class OrHuman(GetCity):
        @function_tool(effect="read")
        async def human(self) -> Agent:
            """Hand over."""
            return Human()

    class Both(Desk):
        @function_tool
        async def book(self) -> str:
            """Book a trip."""
            return await OrHuman()

        @function_tool
        async def book_back(self) -> str:
            """Book the way back."""
            return await OrHuman()

    llm = ScriptedLLM({"trip": (calls("book"), calls("book_back")), "human": calls("human"), "now": "I am the human."})
    caller = Caller().waits_for_agent().says("I want a trip").waits_for_words("please").says("A human please")
    result = dialogue(agent=Both, caller=caller.waits_for_agent().says("What now").waits_for_agent(), llm=llm)
    assert result.heard == "Hello there. Which city please? Human here. I am the human.", result
    outputs = {tool.name: tool.output for tool in result.tools}
    assert outputs["book_back"] == outputs["book"] and "handed over" in outputs["book"]


def test_a_tool_of_an_agent_that_has_left_does_not_take_the_call_from_the_new_one() -> None:
    raised: list[BaseException] = []

    class Late(Desk):
        @function_tool
        async def book(self) -> str:
            """Book a trip."""
            self.session.update_agent(Human())
            await asyncio.sleep(1.5)
            try:
                return await GetCity()
            except TaskCancelledError as exc:
                raised.append(exc)
                raise

    llm = ScriptedLLM({"trip": calls("book"), "now": "I am the human."})
    caller = Caller().waits_for_agent().says("I want a trip").waits_for_agent().stays_silent(4.0).says("What now")
    result = dialogue(agent=Late, caller=caller.waits_for_agent(), llm=llm)
    assert result.heard == "Hello there. Human here. I am the human.", result
    assert raised


def test_run_task_in_a_tool_is_as_the_await_and_in_a_turn_hook_refused_as_that_is() -> None:
    refused: list[TaskError] = []

    class Hurried(Desk):
        async def on_user_turn_completed(self, turn_ctx: Any, new_message: Any) -> None:
            try:
                await self.session.run_task(GetCity())
            except TaskError as exc:
                refused.append(exc)

        @function_tool(effect="read", timeout=2.0)
        async def book(self) -> str:
            """Book a trip."""
            return f"booked to {await self.session.run_task(GetCity())}"

    caller = Caller().waits_for_agent().says("I want a trip").waits_for_words("please").stays_silent(12.0)
    result = dialogue(agent=Hurried, caller=caller.says("Paris it is").waits_for_agent(quiet=2.0))
    assert result.heard == "Hello there. Which city please? All booked.", result
    assert not result.tools[0].is_error
    assert [bool(exc.hint) for exc in refused] == [True]


def test_many_tasks_beside_each_other_are_not_nested() -> None:
    class Many(Desk):
        @function_tool
        async def book(self) -> str:
            """Book trips."""
            return " ".join(await asyncio.gather(*[GetCity() for _ in range(10)]))

    llm = ScriptedLLM({"trip": calls("book"), "paris": calls("set_city", city="Paris")})
    caller = Caller().waits_for_agent().says("I want a trip")
    for _ in range(10):
        caller = caller.waits_for_words("please").says("Paris")
    result = dialogue(agent=Many, caller=caller.stays_silent(2.0), llm=llm)
    assert [tool.output for tool in result.tools if tool.name == "book"] == [" ".join(["Paris"] * 10)], result
