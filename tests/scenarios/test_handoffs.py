"""Hand-offs: one switch however many ask, what goes along is chosen, and no word of the caller's is lost."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest

from antiphon import Agent, AgentHandoff, AgentTask, ContextPolicy, Handoff, RunContext, function_tool
from antiphon.testing import Caller, CallResult, LLMFaults, ScriptedLLM, ScriptedSTT, ScriptedTTS, calls, simulate


class Billing(Agent):
    def __init__(self, **options: Any) -> None:
        super().__init__(instructions="Billing.", id="billing", **options)
        self.entered = 0

    async def on_enter(self) -> None:
        self.entered += 1
        self.session.say("This is billing.")

    @function_tool(effect="read")
    async def back(self) -> Agent:
        """Go back to the front desk."""
        return self.session.userdata


class Sales(Agent):
    def __init__(self) -> None:
        super().__init__(instructions="Sales.", id="sales")

    async def on_enter(self) -> None:
        self.session.say("This is sales.")


class Desk(Agent):
    """``terms``: of the hand-off to billing."""

    def __init__(self, billing: Agent | None = None, **terms: Any) -> None:
        super().__init__(instructions="Desk.", id="desk")
        self.billing_agent, self.terms = billing or Billing(), terms
        self.entered = 0

    async def on_enter(self) -> None:
        self.entered += 1
        self.session.userdata = self
        self.session.say("Hello there.")

    @function_tool(effect="read")
    async def billing(self) -> Handoff:
        """Hand over to billing."""
        return Handoff(self.billing_agent, **self.terms)

    @function_tool(effect="read")
    async def sales(self) -> Agent:
        """Hand over to sales."""
        return Sales()

    @function_tool
    async def note(self, text: str) -> str:
        """Note something."""
        await asyncio.sleep(0.5)
        return f"noted {text}"

    @function_tool
    async def hang_up(self) -> Agent:
        """Hang up, and hand over all the same."""
        self.session.shutdown(drain=False)
        return Sales()


SCRIPT: dict[Any, Any] = {
    "name": "Hello Ann.",
    "weather": "It rains.",
    "bill": [calls("billing"), "What about your bill?"],
    "owe": "Ten euros.",
    "desk": [calls("back"), "The desk again."],
}


def switches(result: CallResult) -> list[tuple[str, str]]:
    return [(i.old_agent, i.new_agent) for i in result.history.items if isinstance(i, AgentHandoff)]


def handed(*, script: dict[Any, Any] = SCRIPT, **terms: Any) -> tuple[CallResult, ScriptedLLM]:
    """Two turns at the desk, then to billing, and a question there."""
    llm = terms.pop("llm", None) or ScriptedLLM(script)
    caller = Caller().waits_for_agent().says("My name is Ann").waits_for_agent().says("What weather is it")
    caller = caller.waits_for_agent().says("My bill please").waits_for_agent(quiet=2.0).says("What do I owe")
    result = simulate(lambda: Desk(**terms), caller.waits_for_agent(quiet=2.0), llm=llm)
    assert result.heard.endswith("Ten euros."), result
    assert switches(result) == [("desk", "billing")]
    return result, llm


def read(llm: ScriptedLLM) -> list[str]:
    """The user's words in the newest prompt of billing."""
    [*_, newest] = [request for request in llm.requests if request.instructions == "Billing."]
    return [message.text for message in newest.chat_ctx.messages if message.role == "user"]


# --- what goes along ---------------------------------------------------------------------------------------------


@dataclass
class Brief:
    name: str
    wants: str


@pytest.mark.parametrize(
    ("context", "expected"),
    [
        (None, ["My name is Ann", "What weather is it", "My bill please", "What do I owe"]),
        (ContextPolicy.all(), ["My name is Ann", "What weather is it", "My bill please", "What do I owe"]),
        (ContextPolicy.last(1), ["My bill please", "What do I owe"]),
        (ContextPolicy.last(2), ["What weather is it", "My bill please", "What do I owe"]),
        (ContextPolicy.last(9), ["My name is Ann", "What weather is it", "My bill please", "What do I owe"]),
        (ContextPolicy.none(), ["What do I owe"]),
        (ContextPolicy.brief(Brief("Ann", "her bill")), ["What do I owe"]),
    ],
)
def test_what_goes_along_is_chosen(context: ContextPolicy | None, expected: list[str]) -> None:
    result, llm = handed(context=context)
    assert [text for text in read(llm) if not text.startswith("You take over")] == expected
    assert len(result.turns) == 4, "history keeps all of it"
    if context is not None and context.kind == "brief":
        items = llm.requests[-1].chat_ctx.items
        assert [item.text for item in items if type(item).__name__ == "ConversationSummary"] == [
            'You take over this conversation. What you are told about it:\n{"name":"Ann","wants":"her bill"}'
        ]


def test_a_summary_stands_for_the_older_turns() -> None:
    llm = ScriptedLLM({"transcript": "Ann asked about the weather.", **SCRIPT})
    _, llm = handed(context=ContextPolicy.summary(), llm=llm)
    assert read(llm) == ["My bill please", "What do I owe"]
    summaries = [i.text for i in llm.requests[-1].chat_ctx.items if type(i).__name__ == "ConversationSummary"]
    assert summaries == ["Ann asked about the weather."]


def test_a_summary_that_fails_leaves_the_last_turns_and_says_so() -> None:
    broken = ScriptedLLM({...: "never"}, faults=LLMFaults(status=500))
    result, llm = handed(context=ContextPolicy.summary(llm=broken))
    assert read(llm) == ["My bill please", "What do I owe"]
    assert any("500" in error for error in result.errors), result.errors


def test_the_class_may_say_what_goes_along_to_it() -> None:
    _, llm = handed(billing=Billing(context=ContextPolicy.last(1)))
    assert read(llm) == ["My bill please", "What do I owe"]


def test_the_agent_that_left_and_the_reason_are_in_history() -> None:
    result, _ = handed(reason="asks about a bill")
    [item] = [item for item in result.history.items if isinstance(item, AgentHandoff)]
    assert (item.old_agent, item.new_agent, item.reason) == ("desk", "billing", "asks about a bill")


def test_what_a_task_leaves_to_the_agent_below_is_chosen() -> None:
    class Ask(AgentTask[str]):
        returns = ContextPolicy.summary(keep_last_turns=0)

        def __init__(self) -> None:
            super().__init__(instructions="Ask.")

        async def on_enter(self) -> None:
            self.session.say("Which city?")

        @function_tool
        async def done(self) -> None:
            """Done."""
            self.complete("Paris")

    class Trips(Desk):
        @function_tool
        async def trip(self) -> str:
            """Book."""
            return f"to {await Ask()}"

    llm = ScriptedLLM(
        {
            "transcript": "They want Paris.",
            "paris": calls("done"),
            "travel": [calls("trip"), "To Paris then."],
            "next": "Bye.",
        }
    )
    caller = Caller().waits_for_agent().says("I want to travel").waits_for_words("city").says("Paris").waits_for_agent()
    result = simulate(Trips, caller.says("What comes next").waits_for_agent(), llm=llm)
    assert result.heard == "Hello there. Which city? To Paris then. Bye.", result
    last = llm.requests[-1].chat_ctx.items
    assert [item.text for item in last if type(item).__name__ == "ConversationSummary"] == ["They want Paris."]
    assert not any(getattr(item, "text", "") in ("Paris", "Which city?") for item in last)
    assert "Paris" in result.turns


# --- how it begins -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entry", "heard"),
    [
        (None, "This is billing. Ten euros."),
        ("greet", "This is billing. Ten euros."),
        ("continue", "What about your bill? Ten euros."),
        ("silent", "Ten euros."),
    ],
)
def test_the_new_agent_greets_continues_or_waits(entry: Any, heard: str) -> None:
    llm = ScriptedLLM(SCRIPT)
    caller = Caller().waits_for_agent().says("My bill please").stays_silent(3.0).says("What do I owe")
    result = simulate(lambda: Desk(entry=entry), caller.waits_for_agent(), llm=llm)
    assert result.heard == f"Hello there. {heard}", result


def test_update_agent_may_continue_with_what_is_open() -> None:
    class Unsure(Desk):
        async def on_user_turn_completed(self, turn_ctx: Any, new_message: Any) -> None:
            if "bill" in new_message.text:
                self.session.update_agent(Billing(), entry="continue", reason="heard the word")

    llm = ScriptedLLM({"bill": "About your bill.", "owe": "Ten euros."})
    caller = Caller().waits_for_agent().says("My bill please").waits_for_agent().says("What do I owe")
    result = simulate(Unsure, caller.waits_for_agent(), llm=llm)
    assert result.heard == "Hello there. About your bill. Ten euros.", result
    assert [request.instructions for request in llm.requests[-2:]] == ["Billing.", "Billing."]


def test_an_agent_that_is_handed_back_to_goes_on_as_it_was_left() -> None:
    desk = Desk(context=ContextPolicy.last(1))
    llm = ScriptedLLM(SCRIPT)
    caller = Caller().waits_for_agent().says("My name is Ann").waits_for_agent().says("My bill please")
    caller = caller.waits_for_agent(quiet=2.0).says("Back to the desk").waits_for_agent(quiet=2.0)
    result = simulate(lambda: desk, caller, llm=llm)
    assert result.heard == "Hello there. Hello Ann. This is billing. The desk again.", result
    assert desk.entered == 1
    assert switches(result) == [("desk", "billing"), ("billing", "desk")]
    assert llm.requests[-1].instructions == "Desk."
    texts = [message.text for message in llm.requests[-1].chat_ctx.messages if message.role == "user"]
    assert texts == ["My name is Ann", "My bill please", "Back to the desk"]


# --- one switch --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch", [("billing", "sales"), ("sales", "billing"), ("billing", "billing", "sales")])
def test_of_several_hand_offs_in_one_batch_the_first_is_made_and_the_others_are_told(batch: tuple[str, ...]) -> None:
    llm = ScriptedLLM({"bill": tuple(calls(name) for name in batch), "owe": "Ten euros."})
    caller = Caller().waits_for_agent().says("My bill please").waits_for_agent(quiet=2.0).says("What do I owe")
    result = simulate(Desk, caller.waits_for_agent(), llm=llm)
    assert len(switches(result)) == 1
    refused = [tool for tool in result.tools if tool.output.startswith("Not handed over")]
    assert len(result.tools) == len(batch)
    assert len(refused) == len(batch) - 1
    assert all(tool.is_error and switches(result)[0][1] in tool.output for tool in refused)


@pytest.mark.parametrize(
    "batch", [("billing", "note"), ("note", "billing"), ("billing", "note", "note"), ("note", "billing", "billing")]
)
@pytest.mark.parametrize("moment", [0.1, 0.4, 0.7, 1.0, 1.4, 2.0])
def test_a_hand_off_and_a_note_in_one_batch_whenever_the_caller_speaks(batch: tuple[str, ...], moment: float) -> None:
    answer = tuple(calls(name, text="it") if name == "note" else calls(name) for name in batch)
    llm = ScriptedLLM({"bill": [("One moment please, I will do that.", *answer), "Yes?"], "quick": "Quick as I can."})
    caller = Caller().waits_for_agent().says("My bill please").says("Be quick about it", after=0.6 + moment)
    result = simulate(Desk, caller.waits_for_agent(quiet=4.0), llm=llm)
    assert len(switches(result)) <= 1, result
    assert result.turns[-1].lower().endswith("be quick about it"), result
    assert {tool.output for tool in result.tools if tool.name == "note"} <= {"noted it"}
    assert len(result.tools) in (0, len(batch)), result
    assert switches(result) or not result.tools, "what the tools asked for is done"
    assert not result.left


def test_several_who_ask_at_once_get_one_switch_and_an_answer_each() -> None:
    answers: list[bool] = []

    class Torn(Desk):
        async def on_exit(self) -> None:
            await asyncio.sleep(0.5)

        @function_tool
        async def torn(self) -> None:
            """Cannot decide."""
            asked = [self.session.update_agent(Billing()), self.session.update_agent(Sales())]
            answers.extend(await asyncio.gather(*asked))

    llm = ScriptedLLM({"bill": calls("torn"), "owe": "Ten euros."})
    caller = Caller().waits_for_agent().says("My bill please").waits_for_agent(quiet=2.0).says("What do I owe")
    result = simulate(Torn, caller.waits_for_agent(), llm=llm)
    assert switches(result) == [("desk", "billing")]
    assert answers == [True, False]


def test_a_cycle_of_hand_offs_ends_and_is_spoken_about() -> None:
    class Ping(Agent):
        def __init__(self) -> None:
            super().__init__(instructions="Ping.")

        @function_tool(effect="read")
        async def away(self, ctx: RunContext[Any]) -> Agent:
            """To somebody else."""
            return Ping()

    def answer(request: Any) -> Any:
        refused = any("passed on too often" in getattr(item, "output", "") for item in request.chat_ctx.items)
        return "I will do it myself." if refused else calls("away")

    llm = ScriptedLLM({"next": answer})
    result = simulate(Ping, Caller().says("Who is next", at=0.5).waits_for_agent(quiet=2.0), llm=llm, max_handoffs=3)
    assert result.heard == "I will do it myself.", result
    assert len(switches(result)) == 3
    assert result.tools[-1].is_error


def test_a_tool_that_closes_the_session_and_hands_over_ends_it() -> None:
    llm = ScriptedLLM({"bill": calls("hang_up")})
    result = simulate(Desk, Caller().waits_for_agent().says("My bill please").stays_silent(5.0), llm=llm)
    assert result.close_reason == "user_initiated"
    assert switches(result) == []
    assert all(tool.ended for tool in result.tools)
    assert not result.left


# --- voice, ears and language ------------------------------------------------------------------------------------


@pytest.mark.parametrize("moment", [0.0, 0.2, 0.5, 0.8, 1.1])
def test_a_switch_to_other_ears_loses_no_word(moment: float) -> None:
    class Slow(Desk):
        async def on_exit(self) -> None:
            await asyncio.sleep(0.6)

    llm = ScriptedLLM({"owe": "Ten euros.", "bill": [calls("billing")]})
    caller = Caller().waits_for_agent().says("My bill please").says("And what do I owe you now", after=0.7 + moment)
    ears = ScriptedSTT()
    result = simulate(lambda: Slow(billing=Billing(stt=ears)), caller.waits_for_agent(quiet=3.0), llm=llm)
    assert ears.streams, "billing hears with its own"
    assert "what do i owe you now" in " ".join(result.turns).lower(), result
    assert "Ten euros." in result.heard


def test_the_language_goes_along_and_an_agent_may_have_its_own() -> None:
    policies: list[str] = []

    class Watching(Billing):
        async def on_enter(self) -> None:
            policies.append(self.session.running()[1].policy(self).turn.language)
            await super().on_enter()

    for own in ("", "fr"):
        agent = Watching(language=own)
        desk = Desk(billing=agent)
        desk.language = "de"
        caller = Caller().waits_for_agent().says("My bill please").waits_for_agent(quiet=1.0)
        simulate(lambda d=desk: d, caller, llm=ScriptedLLM(SCRIPT))
    assert policies == ["de", "fr"]


def test_turn_settings_model_and_voice_are_the_new_agents_own() -> None:
    own, voice = ScriptedLLM({"owe": "You owe us ten euros and twenty cents in all."}), ScriptedTTS()
    billing = Billing(llm=own, tts=voice, turn_handling={"interruption": {"enabled": False}})
    llm = ScriptedLLM({"bill": calls("billing"), "stop": "All right."})
    caller = Caller().waits_for_agent().says("My bill please").waits_for_agent(quiet=1.0).says("What do I owe")
    caller = caller.talks_over("Stop it now please", after_word=3).waits_for_agent(quiet=2.0)
    result = simulate(lambda: Desk(billing=billing), caller, llm=llm)
    assert "You owe us ten euros and twenty cents in all." in result.heard, "nobody interrupts billing"
    assert len(own.requests) >= 1
    assert not any("owe" in str(request.chat_ctx.messages[-1].text).lower() for request in llm.requests)


@pytest.mark.parametrize("moment", [0.0, 0.3, 0.6, 0.9, 1.2, 1.6, 2.0, 2.5])
def test_an_interruption_at_any_moment_of_a_hand_off_is_answered_by_whoever_speaks_then(moment: float) -> None:
    """Before, during and after it: one switch, the caller's words kept, an answer to them."""

    class Slow(Desk):
        async def on_exit(self) -> None:
            await asyncio.sleep(0.4)

    llm = ScriptedLLM({"bill": [("One moment please.", calls("billing"))], "sorry": "No matter.", ...: "Yes?"})
    caller = Caller().waits_for_agent().says("My bill please").says("Oh sorry about that", after=0.7 + moment)
    result = simulate(Slow, caller.waits_for_agent(quiet=3.0), llm=llm)
    assert len(switches(result)) <= 1
    assert "sorry about that" in " ".join(result.turns).lower(), result
    assert "No matter." in result.heard, result
    assert not result.left
