"""Plain conversations: turns, tools, text, push-to-talk, priorities, and how fast they simulate."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from antiphon import Agent, RunContext, function_tool
from antiphon.testing import (
    Caller,
    LiveCaller,
    ScriptedLLM,
    Simulation,
    calls,
    run,
    simulate,
    text_context,
)


class Clerk(Agent):
    def __init__(self) -> None:
        super().__init__(instructions="You take bookings.")
        self.booked: list[str] = []

    @function_tool
    async def book(self, ctx: RunContext[Any], day: str) -> str:
        """Book a day."""
        self.booked.append(day)
        return f"{day} is booked"


def test_two_turns_are_heard_answered_and_kept() -> None:
    result = simulate(
        Clerk,
        Caller().says("Are you open on Monday?", at=1.0).waits_for_agent().says("And on Tuesday?").waits_for_agent(),
        llm=["Yes, from nine.", "On Tuesday we are closed."],
    )
    assert result.turns == ["Are you open on Monday?", "And on Tuesday?"]
    assert result.heard == "Yes, from nine. On Tuesday we are closed."
    assert [m.text for m in result.history.messages] == [
        "Are you open on Monday?",
        "Yes, from nine.",
        "And on Tuesday?",
        "On Tuesday we are closed.",
    ]
    assert result.longest_silence() < 1.0
    assert result.close_reason == "participant_disconnected"
    assert not result.left
    assert not result.errors


def test_the_agent_greets_first() -> None:
    class Greeter(Clerk):
        async def on_enter(self) -> None:
            self.session.say("Good morning, booking desk.")

    result = simulate(Greeter, Caller().waits_for_agent().says("Hello.").waits_for_agent(), llm="How can I help?")
    assert result.heard == "Good morning, booking desk. How can I help?"
    assert result.words[0].start < 1.0


def test_text_then_a_tool_then_its_result() -> None:
    llm = ScriptedLLM({"monday": [("One moment.", calls("book", day="Monday")), "Monday is yours."]})
    result = simulate(Clerk, Caller().says("Book Monday please", at=1.0).waits_for_agent(quiet=2.0), llm=llm)
    assert result.heard == "One moment. Monday is yours."
    assert [(t.name, t.output, t.is_error) for t in result.tools] == [("book", "Monday is booked", False)]
    assert llm.requests[-1].outputs[-1].output == "Monday is booked"
    kinds = [item.__class__.__name__ for item in result.history.items]
    assert kinds == ["ChatMessage", "ChatMessage", "FunctionCall", "FunctionCallOutput", "ChatMessage"]


def test_several_tools_in_one_answer_each_run_once_and_share_one_reply() -> None:
    llm = ScriptedLLM({...: [(calls("book", day="Monday"), calls("book", day="Tuesday")), "Both are yours."]})
    result = simulate(Clerk, Caller().says("Both days please", at=1.0).waits_for_agent(quiet=2.0), llm=llm)
    assert sorted(t.output for t in result.tools) == ["Monday is booked", "Tuesday is booked"]
    assert result.heard == "Both are yours."
    assert len(llm.requests[-1].outputs) == 2


@pytest.mark.parametrize("pieces", [1, 2, 3])
def test_one_utterance_gets_one_reply_however_it_is_split(pieces: int) -> None:
    words = ["I", "would", "like", "to", "book", "Monday"]
    size = len(words) // pieces
    caller = Caller()
    for n in range(pieces):
        last = n == pieces - 1
        text = " ".join(words[n * size :] if last else words[n * size : (n + 1) * size])
        caller.says(text, after=1.0 if n == 0 else 0.22)
    result = simulate(Clerk, caller.waits_for_agent(), llm="Monday is fine.")
    assert result.turns == ["I would like to book Monday"]
    assert result.heard == "Monday is fine."


def test_typed_text_interrupts_and_is_answered() -> None:
    caller = (
        Caller().says("Tell me all about it", at=1.0).waits_for_words("one two three").writes("Stop, just the price.")
    )
    result = simulate(
        Clerk,
        caller.waits_for_agent(),
        llm={"price": "It is ten.", ...: "one two three four five six seven eight nine ten"},
    )
    assert result.turns == ["Tell me all about it", "Stop, just the price."]
    assert "ten" not in result.replies[0].text
    assert result.replies[0].interrupted
    assert result.replies[-1].text == "It is ten."


def test_push_to_talk_waits_for_the_button() -> None:
    async def caller(caller: LiveCaller) -> None:
        await caller.says("My number is", at=1.0)
        await caller.stays_silent(6.0)  # a long pause ends no turn: the button is still held
        assert not caller.heard
        await caller.says("five five five")
        assert simulation.session is not None
        text = await simulation.session.commit_user_turn()
        assert text == "My number is five five five"
        await caller.waits_for_agent()

    simulation = Simulation(Clerk, caller, llm="Thank you.", turn_handling={"turn_detection": "manual"})
    result = run(simulation.run())
    assert result.turns == ["My number is five five five"]
    assert result.heard == "Thank you."
    assert not result.complaints


def test_a_cleared_turn_is_forgotten() -> None:
    async def caller(caller: LiveCaller) -> None:
        await caller.says("No wait this is wrong", at=1.0)
        assert simulation.session is not None
        simulation.session.clear_user_turn()
        await caller.stays_silent(2.0)
        await caller.says("Book Monday")
        await simulation.session.commit_user_turn()
        await caller.waits_for_agent()

    simulation = Simulation(Clerk, caller, llm="Done.", turn_handling={"turn_detection": "manual"})
    result = run(simulation.run())
    assert result.turns == ["Book Monday"]


def test_application_speech_comes_before_a_reply_and_nothing_overlaps() -> None:
    class Notifier(Clerk):
        async def on_user_turn_completed(self, turn_ctx: Any, new_message: Any) -> None:
            self.session.say("background words", priority="background")
            self.session.say("application words")

    result = simulate(Notifier, Caller().says("Hello there", at=1.0).waits_for_agent(quiet=2.0), llm="reply words")
    assert result.heard == "application words reply words background words"
    ends = [word.end for word in result.words]
    assert all(word.start >= end - 1e-6 for word, end in zip(result.words[1:], ends, strict=False))


def test_keys_reach_the_session_and_a_cleaned_line_is_left() -> None:
    result = simulate(Clerk, Caller().presses("12#", at=1.0).stays_silent(1.0))
    assert [event.digit for event in result.log.inputs if type(event).__name__ == "Dtmf"] == ["1", "2", "#"]
    assert not result.left


def test_the_agent_presses_keys_and_the_log_knows() -> None:
    class Presser(Clerk):
        async def on_enter(self) -> None:
            self.session.send_dtmf("5#")

    async def caller(live: LiveCaller) -> None:
        await live.stays_silent(1.0)
        heard.append(live.heard_digits)

    heard: list[str] = []
    result = simulate(Presser, caller)
    assert heard == ["5#"]
    assert [event.digits for event in result.log.inputs if type(event).__name__ == "DtmfAsked"] == ["5#"]


def test_a_text_turn_is_checked_with_expectations() -> None:
    async def main() -> None:
        from antiphon import AgentSession

        llm = ScriptedLLM({"monday": [calls("book", day="Monday"), "Monday is yours."], ...: "Pardon?"})
        async with AgentSession[None](stt=None, tts=None, llm=llm) as session:
            await session.start(Clerk(), text_context())
            result = await session.run(user_input="Book Monday")
            result.expect.next_event().is_function_call(name="book", arguments={"day": "Monday"})
            result.expect.next_event().is_function_call_output(output="booked", is_error=False)
            result.expect.next_event().is_message(role="assistant", contains="yours")
            result.expect.no_more_events()
            again = await session.run(user_input="Blah")
            again.expect.next_event().is_message(role="assistant", contains="pardon")
            again.expect.no_more_events()

    run(main())


def test_a_five_minute_call_takes_about_a_second() -> None:
    caller = Caller()
    for _ in range(30):
        caller.says("Could you please tell me a little more about that", after=1.0).waits_for_agent()
    result = simulate(Clerk, caller, llm="Of course. There is a lot more to say, and this is one sentence of it.")
    assert result.duration > 290
    assert len(result.turns) == 30
    assert len(result.replies) == 30
    assert result.duration / result.real_seconds > 60, "far below the usual 300 simulated seconds a second"
    assert not result.left


def test_the_same_call_with_samples_instead_of_symbols() -> None:
    async def caller(caller: LiveCaller) -> None:
        await caller.stays_silent(0.5)
        await asyncio.sleep(0)

    result = simulate(Greeting, caller, pcm=True, stt=None)
    assert sum(s.end - s.start for s in result.agent_sounds) == pytest.approx(1.2, abs=0.1)
    assert result.replies[0].text == "Hello and good day."
    assert not result.left


class Greeting(Agent):
    def __init__(self) -> None:
        super().__init__(instructions="Greet.")

    async def on_enter(self) -> None:
        await self.session.say("Hello and good day.")
