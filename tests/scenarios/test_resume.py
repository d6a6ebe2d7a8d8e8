"""A call whose process dies goes on in another: nothing is said or done twice, nothing that was heard is forgotten."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest

from antiphon import Agent, AgentSession, AgentTask, RunContext, function_tool
from antiphon.audio.inline_plane import InlinePlane
from antiphon.chat.context import ChatContext
from antiphon.kernel import events as ev
from antiphon.kernel import facts as ft
from antiphon.models.log import LogEntry, LogHeader
from antiphon.store.recovery import recover
from antiphon.testing import Caller, ScriptedLLM, calls
from antiphon.testing.llm import LLMRequest
from tests.scenarios.resume_story import (
    AlwaysThere,
    Call,
    Died,
    Forgetful,
    KeepingPlane,
    StoppedOwner,
    died_and_went_on,
)

STORY = "Once upon a time there was a king who had three daughters. They lived in a very large garden by the sea. Nobody knew."


class Greeter(Agent):
    def __init__(self) -> None:
        super().__init__(instructions="Be kind.")

    async def on_enter(self) -> None:
        self.session.say("Hello there.")


class Teller(Agent):
    """Has a story to tell, and something to say behind it."""

    def __init__(self) -> None:
        super().__init__(instructions="Tell stories.")

    async def on_enter(self) -> None:
        self.session.say(STORY)
        self.session.say("That was it.")


def heard_samples(position: int) -> Any:
    return lambda event: event.position >= position


def once(heard: str, text: str, *, torn: int) -> bool:
    """Whether ``heard`` is ``text``, once; at the moment of the death ``torn`` words may be missing or be heard twice."""
    words, whole = heard.split(), text.split()
    for at in range(len(words) + 1):
        rest = len(words) - at
        if words[:at] == whole[:at] and words[at:] == whole[len(whole) - rest :]:
            return abs(len(words) - len(whole)) <= torn
    return False


def test_the_greeting_is_not_repeated_and_the_call_goes_on() -> None:
    caller = Caller().waits_for_agent().says("How are you").waits_for_agent()
    call = died_and_went_on(Greeter, caller, Died("speech.done"), llm="Very well.")
    assert call.heard == "Hello there. Very well.", call
    assert call.resumption is not None and call.resumption.exact
    assert call.close_reason == "participant_disconnected" and not call.errors
    assert call.history == "assistant: Hello there.\nuser: How are you\nassistant: Very well."
    assert call.agents[1].session is call.sessions[1]


@pytest.mark.parametrize("seconds", [0.5, 1.5, 3.0, 6.0])
@pytest.mark.parametrize("attach", [True, False])
def test_a_sentence_that_was_begun_is_said_once_and_what_was_queued_behind_it(seconds: float, attach: bool) -> None:
    caller = Caller().waits_for_words("That was it.", patience=30.0).waits_for_agent()
    died = Died("play.acked", heard_samples(int(seconds * 24_000)))
    call = died_and_went_on(Teller, caller, died, attach=attach, away=0.0 if attach else 0.7)
    whole = f"{STORY} That was it."
    assert once(call.heard, whole, torn=0 if attach else 1), call
    told = " ".join(m.text for m in call.sessions[-1].history.messages)
    assert told == whole, call


@pytest.mark.parametrize(("seconds", "lag"), [(0.1, 0.3), (0.1, 0.1), (0.3, 0.1), (0.9, 0.1), (2.0, 0.1)])
def test_where_the_plane_has_more_than_the_log_the_sentence_is_said_once(seconds: float, lag: float) -> None:
    """Inputs wait up to a tenth of a second for their commit, and a voice is faster than the caller's ear."""

    def behind(entries: Sequence[LogEntry]) -> Sequence[LogEntry]:
        known = [entry for entry in entries if entry.at <= entries[-1].at - lag]
        assert len(known) < len(entries)
        return known

    caller = Caller().waits_for_words("That was it.", patience=30.0).waits_for_agent()
    died = Died("play.acked", heard_samples(int(seconds * 24_000)))
    call = died_and_went_on(Teller, caller, died, cut=behind)
    assert once(call.heard, f"{STORY} That was it.", torn=1), call
    assert call.close_reason == "participant_disconnected"


@pytest.mark.parametrize("attach", [True, False])
def test_an_answer_that_was_begun_goes_on_behind_what_was_heard(attach: bool) -> None:
    """The model is asked again, with what the caller has heard; here it keeps to its text."""

    def goes_on(request: LLMRequest) -> str:
        said = " ".join(m.text for m in request.chat_ctx.messages if m.role == "assistant" and m.text)
        said = said.replace("[being said now, not heard to its end yet] ", "")
        return " ".join(STORY.split()[len(said.split()) :]) or "The end."

    caller = Caller().says("Tell me a story", at=0.5).waits_for_words("Nobody knew.", patience=30.0).waits_for_agent()
    died = Died("play.acked", heard_samples(2 * 24_000))
    call = died_and_went_on(
        lambda: Agent(instructions="Tell stories."), caller, died, llm=goes_on, attach=attach, away=0.0
    )
    assert once(call.heard, STORY, torn=1), call
    told = " ".join(m.text for m in call.sessions[-1].history.messages if m.role == "assistant")
    assert told == STORY, call


def test_what_a_reply_was_asked_for_survives() -> None:
    class Asks(Agent):
        def __init__(self) -> None:
            super().__init__(instructions="Be kind.")

        async def on_enter(self) -> None:
            self.session.generate_reply(instructions="Speak of tea.", tools=["look"], tool_choice="required")

        @function_tool(effect="read")
        async def look(self) -> str:
            """Look."""
            return "nothing"

        @function_tool(effect="read")
        async def other(self) -> str:
            """Another."""
            return "nothing"

    llm = ScriptedLLM(lambda request: "Tea." if "tea" in request.instructions else "Well.")
    call = died_and_went_on(Asks, Caller().waits_for_agent(), Died("reply"), llm=llm)
    assert call.heard == "Tea." and not call.errors, call
    last = llm.requests[-1]
    assert [tool.name for tool in last.tools] == ["look"] and last.tool_choice == "required"


@dataclass
class Order:
    items: list[str] = field(default_factory=list)


class Triage(Agent):
    def __init__(self) -> None:
        super().__init__(instructions="Find out what they need.")

    @function_tool(effect="read")
    async def billing(self) -> Agent:
        """Hand over to billing."""
        return Billing()


class Billing(Agent):
    def __init__(self) -> None:
        super().__init__(instructions="Deal with bills.", state=Order())

    async def on_enter(self) -> None:
        self.session.say("Billing here.")

    @function_tool
    async def add(self, item: str) -> str:
        """Add an item."""
        self.state.items.append(item)
        return f"{len(self.state.items)}: {', '.join(self.state.items)}"


BILLS: dict[Any, Any] = {
    "bill": calls("billing"),
    "tea": [calls("add", item="tea"), "Tea it is."],
    "cake": [calls("add", item="cake"), "And cake."],
}


def test_behind_a_hand_off_the_second_agent_goes_on_with_its_state() -> None:
    caller = Caller().says("My bill please", at=0.5).waits_for_agent().says("one tea").waits_for_agent()
    caller.says("and a cake").waits_for_agent()
    call = died_and_went_on(Triage, caller, Died("speech.done", lambda fact: call_number(fact) >= 2), llm=BILLS)
    assert call.outputs("add") == ["1: tea", "2: tea, cake"], call
    assert call.heard == "Billing here. Tea it is. And cake.", call
    assert type(call.sessions[1].current_agent) is Billing and call.sessions[1].current_agent.id == "billing"
    assert not call.errors


def call_number(fact: Any) -> int:
    """Which of the speeches it is: those of replies count."""
    return int(fact.speech.split(".")[2].partition("#")[0]) if fact.speech.startswith("reply.") else 0


class Plain(Agent):
    """Needs what a new process does not know."""

    def __init__(self, name: str) -> None:
        super().__init__(instructions=f"You are {name}.", id="plain")


class Restorable(Agent):
    def __init__(self, name: str) -> None:
        super().__init__(instructions=f"You are {name}.", state={"name": name})

    @classmethod
    def restore(cls, state: Any) -> Agent:
        return cls(state["name"])


def test_an_agent_whose_constructor_takes_arguments_is_made_anew_where_it_says_how() -> None:
    class Hands(Triage):
        @function_tool(effect="read")
        async def other(self) -> Agent:
            """Hand over."""
            return Restorable("Ann")

    caller = Caller().says("the other one", at=0.5).waits_for_agent().says("hello").waits_for_agent()
    llm = ScriptedLLM({"other": [calls("other"), "Ann here."], "hello": "Hello."})
    call = died_and_went_on(Hands, caller, Died("state.saved", lambda event: "Ann" in event.state, after=1.0), llm=llm)
    assert not call.errors and call.heard == "Ann here. Hello.", call
    assert llm.requests[-1].instructions == "You are Ann."


def test_where_an_agent_cannot_be_made_anew_it_is_said_and_the_given_one_goes_on() -> None:
    class Hands(Triage):
        @function_tool(effect="read")
        async def other(self) -> Agent:
            """Hand over."""
            return Plain("Ann")

    caller = Caller().says("the other one", at=0.5).waits_for_agent().says("hello").waits_for_agent()
    llm = ScriptedLLM({"other": [calls("other"), "Ann here."], "hello": "Hello."})
    died = Died("speech.done", lambda fact: call_number(fact) >= 1, after=0.5)
    call = died_and_went_on(Hands, caller, died, llm=llm)
    assert call.heard == "Ann here. Hello.", call
    assert len(call.errors) == 1 and "restore" in call.errors[0], call.errors
    assert llm.requests[-1].instructions == "Find out what they need."


def test_userdata_is_filled_in_place_with_what_was_saved() -> None:
    orders: list[Order] = []

    class Waiter(Agent):
        def __init__(self) -> None:
            super().__init__(instructions="Take orders.")

        @function_tool
        async def add(self, ctx: RunContext[Order], item: str) -> str:
            """Add an item."""
            ctx.userdata.items.append(item)
            return ", ".join(ctx.userdata.items)

    def options() -> dict[str, Any]:
        orders.append(Order())
        return {"userdata": orders[-1]}

    caller = Caller().says("one tea", at=0.5).waits_for_agent().says("and a cake").waits_for_agent()
    died = Died("tool.result", after=0.2)  # before the answer has been said
    call = died_and_went_on(Waiter, caller, died, llm=BILLS, options=options)
    assert call.outputs("add") == ["tea", "tea, cake"], call
    assert call.sessions[1].userdata is orders[1] and orders[1].items == ["tea", "cake"]
    assert call.heard == "Tea it is. And cake." and not call.errors


class GetCity(AgentTask[str]):
    def __init__(self) -> None:
        super().__init__(instructions="Ask for the city.")

    async def on_enter(self) -> None:
        self.session.say("Which city please?")

    @function_tool(retry="replay")
    async def set_city(self, city: str) -> None:
        """Note the city."""
        self.complete(city)


EFFECTS: list[str] = []


class Desk(Agent):
    def __init__(self) -> None:
        super().__init__(instructions="Book trips.")

    async def on_enter(self) -> None:
        self.session.say("Hello there.")

    @function_tool(retry="replay")
    async def book(self, ctx: RunContext[Any]) -> str:
        """Book a trip."""

        def reserve() -> str:
            EFFECTS.append("reserved")
            return "R1"

        number = await ctx.step("reserve", reserve)
        return f"{number} to {await GetCity()}"


TRIPS: dict[Any, Any] = {"trip": calls("book"), "paris": [calls("set_city", city="Paris"), "All booked."]}
TRIP = Caller().waits_for_agent().says("I want a trip").waits_for_agent().says("Paris it is").waits_for_agent(quiet=2.0)


@pytest.mark.parametrize(
    "died",
    [
        Died("step.result"),
        Died("task.entered"),
        Died("task.entered", after=0.5),
        Died("speech.done", lambda fact: fact.speech.startswith("say"), after=3.0),
        Died("task.result"),
    ],
    ids=lambda died: f"{died.kind}+{died.after}",
)
def test_a_task_in_a_tool_that_writes_goes_on_and_the_effect_happens_once(died: Died) -> None:
    EFFECTS.clear()
    call = died_and_went_on(Desk, TRIP, died, llm=TRIPS)
    assert call.outputs("book") == ["R1 to Paris"], call
    assert EFFECTS == ["reserved"], call
    assert call.heard.count("Which city please?") == 1 and call.heard.endswith("All booked."), call
    assert len(call.facts(ft.TaskEntered)) == 1 and not call.errors


class Named(AgentTask[str]):
    """Its constructor wants something: the code that runs again brings it."""

    def __init__(self, what: str) -> None:
        super().__init__(instructions=f"Ask for the {what}.")
        self.what = what

    async def on_enter(self) -> None:
        self.session.say(f"Which {self.what} please?")

    @function_tool(retry="replay")
    async def set_city(self, city: str) -> None:
        """Note the city."""
        self.complete(city)


class NamedDesk(Desk):
    @function_tool(retry="replay")
    async def book(self, ctx: RunContext[Any]) -> str:
        """Book a trip."""
        return f"to {await Named('city')}"


def test_a_task_that_cannot_be_made_anew_is_the_one_that_the_tool_brings_again() -> None:
    call = died_and_went_on(NamedDesk, TRIP, Died("task.entered", after=2.0), llm=TRIPS)
    assert call.outputs("book") == ["to Paris"], call
    assert call.heard.count("Which city please?") == 1 and call.heard.endswith("All booked."), call


def test_a_task_of_the_application_is_taken_up_by_its_next_of_that_kind() -> None:
    results: list[str] = []

    def entrypoint(session: AgentSession[Any]) -> None:
        async def ask() -> None:
            results.append(await session.run_task(GetCity()))

        session.call_user(ask)

    llm = {"paris": [calls("set_city", city="Paris"), "Thank you."]}
    caller = Caller().waits_for_agent().says("Paris it is").waits_for_agent()
    plain = lambda: Agent(instructions="Be kind.", id="kind")  # noqa: E731
    call = died_and_went_on(plain, caller, Died("task.entered", after=1.5), llm=llm, entrypoint=entrypoint)
    assert results == ["Paris"] and len(call.facts(ft.TaskEntered)) == 1, call
    assert call.heard.count("Which city please?") == 1


def test_a_write_that_may_not_run_again_is_in_doubt_and_the_model_is_told() -> None:
    acted: list[str] = []

    class Shop(Agent):
        def __init__(self) -> None:
            super().__init__(instructions="Take orders.")

        @function_tool
        async def pay(self, ctx: RunContext[Any]) -> str:
            """Pay."""
            acted.append("paid")
            await asyncio.sleep(1.0)
            return "paid"

    llm = ScriptedLLM({"pay": [calls("pay"), "I am not sure whether it was paid."]})
    caller = Caller().says("please pay", at=0.5).waits_for_agent()
    call = died_and_went_on(Shop, caller, Died("tool.intent", after=0.3), llm=llm)
    assert acted == ["paid"] and len(call.facts(ft.ToolInDoubt)) == 1, call
    assert "not known whether" in llm.requests[-1].outputs[0].output
    assert call.heard == "I am not sure whether it was paid.", call


ORDER = "I would like to order one tea and a cake please"


@pytest.mark.parametrize("plane", [InlinePlane, KeepingPlane])
@pytest.mark.parametrize("word", ["would", "tea", "cake"])
def test_words_of_the_callers_open_turn_are_understood_once(plane: type[InlinePlane], word: str) -> None:
    """Whether the plane can give their sound again or not."""
    caller = Caller().says(ORDER, at=0.8).waits_for_agent()
    died = Died("stt.partial", lambda event: event.text.endswith(word))
    call = died_and_went_on(Greeter, caller, died, llm="Certainly.", plane=plane, away=0.0)
    assert [fact.text for fact in call.facts(ft.TurnCommitted)] == [ORDER], call
    assert call.heard == "Hello there. Certainly.", call


@pytest.mark.parametrize("plane", [InlinePlane, KeepingPlane, AlwaysThere, Forgetful])
def test_who_began_to_speak_while_nobody_was_there_is_heard_out(plane: type[InlinePlane]) -> None:
    """Whether the plane kept what it had to say, and in how many parts it says it."""
    caller = Caller().says(ORDER, at=1.2).waits_for_agent()
    call = died_and_went_on(Greeter, caller, Died("speech.done"), llm="Certainly.", plane=plane, away=1.0)
    (turn,) = [fact.text for fact in call.facts(ft.TurnCommitted)]
    assert ORDER.endswith(turn) and call.heard == "Hello there. Certainly.", call
    assert turn == ORDER or plane in (InlinePlane, KeepingPlane)
    edges = [event.edge for event in call.log.inputs if isinstance(event, ev.Vad)]  # type: ignore[union-attr]
    assert edges[:2] == ["start", "end"], call


def test_words_that_were_said_while_nobody_was_there_are_understood_too() -> None:
    caller = Caller().says(ORDER, at=0.8).waits_for_agent()
    died = Died("stt.partial", lambda event: event.text.endswith("one"))
    call = died_and_went_on(Greeter, caller, died, llm="Certainly.", plane=AlwaysThere, away=1.0)
    assert [fact.text for fact in call.facts(ft.TurnCommitted)] == [ORDER], call


def test_words_that_an_owner_was_told_of_who_stood_still_are_understood_by_the_next() -> None:
    """Nothing of them is in the log, no turn is open in it."""
    caller = Caller().waits_for_agent().says(ORDER).waits_for_agent()
    call = died_and_went_on(Greeter, caller, Died("speech.done"), llm="Certainly.", plane=StoppedOwner, away=4.0)
    assert [fact.text for fact in call.facts(ft.TurnCommitted)] == [ORDER], call


# --- the conversation alone --------------------------------------------------------------------------------------


def facts_alone(entries: Sequence[LogEntry]) -> list[LogEntry]:
    """The log as a build reads it that knows none of its inputs."""
    return [
        entry if entry.lane == "fact" else msgspec.structs.replace(entry, kind="of.another.build") for entry in entries
    ]


def test_another_build_goes_on_with_the_conversation_and_answers_what_was_left_open() -> None:
    caller = Caller().waits_for_agent().says("Tell me a story").waits_for_agent().says("thanks").waits_for_agent()
    llm = ScriptedLLM({"story": "Once upon a time.", "thanks": "You are welcome."})
    died = Died("turn.committed")
    call = died_and_went_on(Greeter, caller, died, llm=llm, cut=facts_alone)
    assert call.resumption is not None and not call.resumption.exact
    assert call.heard == "Hello there. Once upon a time. You are welcome.", call
    at = next(n for n, entry in enumerate(call.log.entries) if entry.kind == "resumed")  # type: ignore[union-attr]
    entries = [*facts_alone(call.log.entries[:at]), *call.log.entries[at:]]  # type: ignore[union-attr]
    assert recover(LogHeader(build="next"), entries, build="next").exact  # for whoever goes on next
    assert call.history.splitlines() == [
        "assistant: Hello there.", "user: Tell me a story", "assistant: Once upon a time.", "user: thanks",
        "assistant: You are welcome.",
    ]  # fmt: skip


@pytest.mark.parametrize("attach", [True, False])
def test_another_build_goes_on_with_the_second_agent_and_its_state(attach: bool) -> None:
    caller = Caller().says("My bill please", at=0.5).waits_for_agent().says("one tea").waits_for_agent()
    caller.stays_silent(1.0).says("and a cake").waits_for_agent()
    died = Died("speech.done", lambda fact: call_number(fact) >= 2, after=0.2)
    call = died_and_went_on(Triage, caller, died, llm=BILLS, cut=facts_alone, attach=attach)
    assert call.outputs("add") == ["1: tea", "2: tea, cake"], call
    assert call.heard == "Billing here. Tea it is. And cake.", call


def test_another_build_ends_the_task_under_way_with_the_call_that_awaited_it() -> None:
    llm = ScriptedLLM({"trip": [calls("book"), "I lost track."], "paris": "Let us begin again."})
    call = died_and_went_on(Desk, TRIP, Died("task.entered", after=1.5), llm=llm, cut=facts_alone)
    assert [fact.name for fact in call.facts(ft.ToolInDoubt)] == ["book"], call
    assert [fact.result for fact in call.facts(ft.TaskResult)] == ["cancelled"]
    assert call.sessions[1].current_agent.id == "desk"
    assert call.heard.startswith("Hello there. Which city please? I"), call
    assert call.heard.endswith("Let us begin again.") and call.heard.count("Which city") == 1, call


# --- anywhere ----------------------------------------------------------------------------------------------------


def an_order(died: Died | int, **options: Any) -> Call:
    """A call with a hand-off, tools, state, and a task in a tool."""

    class Shop(NamedDesk):
        @function_tool(effect="read")
        async def billing(self) -> Agent:
            """Hand over to billing."""
            return Billing()

    script = {**TRIPS, **BILLS, "trip": [calls("book"), "All booked."]}
    caller = Caller().waits_for_agent().says("I want a trip").waits_for_agent().says("Paris it is").waits_for_agent()
    caller.says("my bill please").waits_for_agent().says("one tea").waits_for_agent(quiet=1.5)
    return died_and_went_on(Shop, caller, died, llm=script, **options)


@pytest.mark.parametrize("attach", [True, False])
@pytest.mark.parametrize("block", range(4))
def test_cut_off_at_any_entry_the_call_ends_as_it_should(block: int, attach: bool) -> None:
    whole = an_order(10_000)
    assert whole.log is not None and whole.heard.endswith("Tea it is."), whole
    entries = len(whole.log.entries)
    for place in range(2 + block + 2 * attach, entries - 4, 19):
        call = an_order(place, seed=place, attach=attach)
        story = f"died behind entry {place}\n{call}"
        assert call.close_reason == "participant_disconnected", story
        assert call.outputs("add") in (["1: tea"], []), story
        doubts = [fact.name for fact in call.facts(ft.ToolInDoubt)]
        assert call.outputs("book") == ["to Paris"] or "book" in doubts or not call.outputs("add"), story
        assert not [task for task in call.left if not task.startswith("antiphon:")], story
        for fact in call.facts(ft.SpeechHeard):
            assert fact.samples > 0, story


@pytest.mark.parametrize("block", range(2))
def test_with_the_conversation_alone_at_any_entry_it_ends_as_well(block: int) -> None:
    whole = an_order(10_000)
    assert whole.log is not None
    for place in range(4 + block * 11, len(whole.log.entries) - 4, 23):
        call = an_order(place, seed=place, cut=facts_alone)
        story = f"died behind entry {place}\n{call}"
        assert call.close_reason == "participant_disconnected" and not call.left, story


# --- what is not in the log --------------------------------------------------------------------------------------


def test_a_call_with_secret_arguments_does_not_run_again_with_their_masks() -> None:
    pins: list[str] = []

    class Bank(Agent):
        def __init__(self) -> None:
            super().__init__(instructions="Pay.")

        @function_tool(retry="replay", redact=["pin"])
        async def pay(self, ctx: RunContext[Any], pin: str) -> str:
            """Pay."""
            pins.append(pin)
            await asyncio.sleep(1.0)
            return "paid"

    llm = ScriptedLLM({"pay": [calls("pay", pin="4711"), "Your number again please."]})
    caller = Caller().says("please pay", at=0.5).waits_for_agent()
    call = died_and_went_on(Bank, caller, Died("tool.intent", after=0.3), llm=llm)
    assert pins == ["4711"] and call.heard == "Your number again please.", call
    assert ["not kept" in output for output in call.outputs("pay")] == [True]


def test_instructions_that_were_changed_are_those_that_hold() -> None:
    class Changes(Agent):
        def __init__(self) -> None:
            super().__init__(instructions="Be kind.")

        async def on_enter(self) -> None:
            await self.update_instructions("Be brief.")
            self.session.say("Hello.")

    llm = ScriptedLLM("Well.")
    caller = Caller().waits_for_agent().says("how are you").waits_for_agent()
    call = died_and_went_on(Changes, caller, Died("speech.done"), llm=llm)
    assert call.heard == "Hello. Well." and llm.requests[-1].instructions == "Be brief.", call


def test_a_reply_with_a_context_of_its_own_is_made_from_the_conversation_and_that_is_said() -> None:
    class Asks(Agent):
        def __init__(self) -> None:
            super().__init__(instructions="Be kind.")

        async def on_enter(self) -> None:
            self.session.generate_reply(chat_ctx=ChatContext.empty())

    call = died_and_went_on(Asks, Caller().waits_for_agent(), Died("reply"), llm="Tea.")
    assert call.heard == "Tea." and len(call.errors) == 1 and "chat_ctx" in call.errors[0], call


def test_a_call_that_had_not_begun_just_begins() -> None:
    call = died_and_went_on(Greeter, Caller().waits_for_agent(), Died("speech.done"), cut=lambda entries: [])
    assert call.resumption is not None and not call.resumption.facts
    assert call.heard == "Hello there. Hello there." and not call.errors, call


def test_state_and_userdata_of_another_shape_are_told_and_left_out() -> None:
    class Counting(Agent):
        def __init__(self) -> None:
            super().__init__(instructions="Be kind.", state=made.pop(0))

        async def on_enter(self) -> None:
            self.session.say("Hello there.")

    made: list[Any] = [{"items": 3}, Order()]
    data: list[Any] = [{"items": 3}, Order()]
    caller = Caller().waits_for_agent().says("how are you").waits_for_agent()
    call = died_and_went_on(Counting, caller, Died("state.saved", after=0.5), options=lambda: {"userdata": data.pop(0)})
    assert call.heard == "Hello there. All right.", call
    assert len(call.errors) == 2 and all("not as it was" in error for error in call.errors), call.errors
