"""What tools may cause, and when: once, on record, with the caller's yes, and told whenever it happens."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import pytest

from antiphon import Agent, EndCallTool, RunContext, Toolset, TransferTool, function_tool
from antiphon.chat.items import FunctionCall, FunctionCallOutput
from antiphon.testing import Caller, CallResult, ScriptedLLM, ScriptedTurnDetector, calls, simulate
from antiphon.tools.policy import Verdict, allow, ask_caller, ask_human, deny
from tests.scenarios.test_tool_faults import in_order


class Shop(Agent):
    """Cancels orders, which nobody takes lightly."""

    def __init__(self, **options: Any) -> None:
        super().__init__(instructions="Serve.", **options)
        self.done: list[str] = []
        self.keys: list[str] = []

    @function_tool(confirm=True)
    async def cancel_order(self, order: int) -> str:
        """Cancel an order."""
        self.done.append(f"cancelled {order}")
        return f"order {order} is cancelled"

    @function_tool(on_duplicate="join", retry="key")
    async def slow(self, ctx: RunContext[Any], what: str) -> str:
        """Take three seconds."""
        self.keys.append(ctx.idempotency_key)
        await asyncio.sleep(3.0)
        self.done.append(what)
        return f"{what} is done"

    @function_tool(retry="replay")
    async def in_steps(self, ctx: RunContext[Any]) -> str:
        """Pay, then send."""
        paid = await ctx.step("pay", self._pay)
        await asyncio.sleep(1.0)
        sent = await ctx.step("send", lambda: {"parcel": 7})
        return f"paid {paid['amount']}, sent {sent['parcel']}"

    async def _pay(self) -> dict[str, int]:
        self.done.append("paid")
        return {"amount": 10}

    @function_tool
    async def searches(self, ctx: RunContext[Any]) -> str:
        """Look through the archive."""
        await ctx.update("I am searching the archive.")
        await asyncio.sleep(6.0)
        return "The letter is in box nine."

    @function_tool(effect="read", filler="One moment please.")
    async def thinks(self) -> str:
        """Take four seconds."""
        await asyncio.sleep(4.0)
        return "It is blue."


def talk(agent: Agent, script: Any, *lines: str, quiet: float = 2.0, **options: Any) -> tuple[CallResult, ScriptedLLM]:
    """The caller says each line when the agent has answered the one before."""
    llm = ScriptedLLM(script)
    caller = Caller().says(lines[0], at=1.0).waits_for_agent(quiet=quiet)
    for line in lines[1:]:
        caller = caller.says(line).waits_for_agent(quiet=quiet)
    result = simulate(agent, caller, llm=llm, **options)
    in_order(result, llm)
    return result, llm


CANCEL = {
    "cancel order five": [calls("cancel_order", order=5), "I would cancel order five. Is that right?"],
    "yes": [calls("cancel_order", order=5), "Done."],
    "okay but": [calls("cancel_order", order=5), "I keep it then."],
    "yes and six": [calls("cancel_order", order=6), "Order six, is that right?"],
    "again": [calls("cancel_order", order=5), "Again, is that right?"],
}


def a_yes_is_for_what_was_asked() -> None:
    shop = Shop()
    result, _ = talk(shop, CANCEL, "Please cancel order five", "Yes please")
    assert shop.done == ["cancelled 5"] and result.heard.endswith("Done.")
    assert result.tools[0].output.startswith("Not done yet") and result.tools[1].output == "order 5 is cancelled"


def a_yes_is_not_for_other_arguments() -> None:
    shop = Shop()
    script = {**CANCEL, "yes": [calls("cancel_order", order=55), "And that?"]}
    talk(shop, script, "Please cancel order five", "Yes please")
    assert shop.done == []


def an_unclear_answer_is_no_yes() -> None:
    shop = Shop()
    talk(shop, CANCEL, "Please cancel order five", "Okay but what does it cost")
    assert shop.done == []


def a_model_that_does_not_wait_for_the_answer_is_stopped() -> None:
    shop = Shop()
    script = {"five": [calls("cancel_order", order=5), calls("cancel_order", order=5), "Is that right?"]}
    talk(shop, script, "Please cancel order five")
    assert shop.done == []


def a_yes_counts_once() -> None:
    shop = Shop()
    talk(shop, CANCEL, "Please cancel order five", "Yes please", "And again")
    assert shop.done == ["cancelled 5"]


def the_same_call_while_it_runs_is_made_once() -> None:
    """The caller asks again while the tool runs, and the model calls again."""
    shop = Shop()
    llm = ScriptedLLM(
        {"book it": [calls("slow", what="it"), "It is booked."], "really": [calls("slow", what="it"), "Yes."]}
    )
    caller = Caller().says("Please book it", at=1.0).says("are you really doing it", after=1.0)
    result = simulate(shop, caller.waits_for_agent(quiet=4.0), llm=llm)
    in_order(result, llm)
    assert shop.done == ["it"] and [tool.output for tool in result.tools] == ["it is done"] * 2


def okay_said_while_a_tool_runs_neither_stops_nor_repeats_it() -> None:
    shop = Shop()
    llm = ScriptedLLM({"book it": [calls("slow", what="it"), "It is booked."], ...: "I am on it."})
    caller = Caller().says("Please book it", at=1.0).says("okay", after=1.5).waits_for_agent(quiet=4.0)
    result = simulate(shop, caller, llm=llm)
    in_order(result, llm)
    assert (shop.done == ["it"] and "It is booked." in result.heard) or "I am on it." in result.heard
    during = [r for r in llm.requests if any("Still running" in o.output for o in r.outputs)]
    assert all("okay" in r.user_text.lower() for r in during), "the model sees that it runs"


def a_model_asked_while_a_tool_runs_reads_that_it_runs() -> None:
    shop = Shop()
    llm = ScriptedLLM({"book it": [calls("slow", what="it"), "It is booked."], "weather": "It is sunny."})
    caller = Caller().says("Please book it", at=1.0).says("and how is the weather today", after=0.8)
    result = simulate(shop, caller.waits_for_agent(quiet=5.0), llm=llm)
    in_order(result, llm)
    asked = next(r for r in llm.requests if "weather" in r.user_text)
    assert "Do not make this call again" in asked.outputs[-1].output
    assert shop.done == ["it"] and "It is sunny." in result.heard


def what_was_paid_is_not_paid_again_by_a_new_owner() -> None:
    """The core forgets everything at each of many moments; another one goes on."""
    for moment in range(13, 41, 3):
        shop = Shop()
        llm = ScriptedLLM({"pay": [calls("in_steps"), "It is on its way."]})
        caller = Caller().says("Please pay now", at=1.0).waits_for_agent(quiet=3.0)
        result = simulate(shop, caller, llm=llm, forget_after=[moment])
        assert shop.done == ["paid"], (moment, shop.done)
        assert [tool.output for tool in result.tools] == ["paid 10, sent 7"], moment


def the_key_is_the_same_for_a_new_owner() -> None:
    seen = False
    for moment in range(13, 41, 3):
        shop = Shop()
        llm = ScriptedLLM({"book": [calls("slow", what="it"), "It is booked."]})
        caller = Caller().says("Please book it", at=1.0).waits_for_agent(quiet=5.0)
        simulate(shop, caller, llm=llm, forget_after=[moment])
        assert len(set(shop.keys)) == 1 and shop.keys[0].startswith("call."), shop.keys
        seen = seen or len(shop.keys) > 1
    assert seen, "no moment fell into the call"


def what_took_effect_is_verified_by_a_new_owner() -> None:
    class Bank(Agent):
        paid = 0
        checked = 0

        def __init__(self) -> None:
            super().__init__(instructions="Pay.")

        async def look(self, amount: int) -> str | None:
            self.checked += 1
            return "paid before" if self.paid else None

        @function_tool(retry="verify", verify=look)
        async def pay(self, amount: int) -> str:
            """Pay."""
            self.paid += 1
            await asyncio.sleep(3.0)
            return "paid"

    checked = 0
    for moment in range(12, 36, 3):
        bank = Bank()
        llm = ScriptedLLM({"pay": [calls("pay", amount=1), "It is paid."]})
        result = simulate(
            bank, Caller().says("Please pay it", at=1.0).waits_for_agent(quiet=5.0), llm=llm, forget_after=[moment]
        )
        assert bank.paid == 1, moment
        assert result.tools[0].output == ("paid before" if bank.checked else "paid")
        checked += bank.checked
    assert checked, "no moment fell into the call"


def progress_frees_the_conversation_and_the_result_is_told() -> None:
    result, llm = talk(
        Shop(),
        {"letter": [calls("searches"), "I am looking for it.", "It is in box nine."], "weather": "It is sunny."},
        "Where is my letter",
        "How is the weather",
        quiet=1.0,
        close_after=30.0,
    )
    assert result.heard.startswith("I am looking for it. It is sunny.")
    outputs = [item.output for item in result.history.items if isinstance(item, FunctionCallOutput)]
    assert outputs == ["I am searching the archive.", "The letter is in box nine."]
    assert any("box nine" in r.outputs[-1].output for r in llm.requests if r.outputs), "the model is told"


def a_filler_is_said_while_a_tool_takes_its_time() -> None:
    result, _ = talk(Shop(), {"colour": [calls("thinks"), "Blue."]}, "What colour is it", quiet=4.0)
    assert result.heard == "One moment please. Blue."


def hanging_up_comes_after_the_last_word() -> None:
    agent = Agent(instructions="Serve.", tools=[EndCallTool()])
    result, _ = talk(agent, {"bye": ("Goodbye and thank you for calling.", calls("end_call"))}, "Bye then")
    assert result.heard == "Goodbye and thank you for calling." and result.close_reason == "agent_hung_up"


def hanging_up_without_a_word_says_one() -> None:
    agent = Agent(instructions="Serve.", tools=[EndCallTool(goodbye="Have a nice day.")])
    result, _ = talk(agent, {"bye": calls("end_call")}, "Bye then")
    assert result.heard == "Have a nice day." and result.close_reason == "agent_hung_up"


def hanging_up_does_not_happen_where_the_caller_breaks_in() -> None:
    agent = Agent(instructions="Serve.", tools=[EndCallTool()])
    words = "Goodbye and thank you very much for calling us today, it was a pleasure to talk."
    llm = ScriptedLLM({"bye": (words, calls("end_call")), "question": "Yes, what is it?"})
    caller = Caller().says("Bye then", at=1.0).says("wait I have a question", after=3.0).waits_for_agent()
    result = simulate(agent, caller, llm=llm)
    in_order(result, llm)
    assert result.heard.endswith("Yes, what is it?") and result.close_reason != "agent_hung_up"


def words_and_a_hang_up_of_a_reply_that_is_thrown_away_cause_nothing() -> None:
    """The pause after "bye" is long enough to prepare a goodbye; the caller was not done."""
    prepared = 0
    for pause in (0.4, 0.55, 0.7, 0.9):
        agent = Agent(instructions="Serve.", tools=[EndCallTool()])
        llm = ScriptedLLM({"question": "Yes, what is it?", "bye": ("Goodbye then.", calls("end_call"))}, ttft=0.01)
        caller = Caller().says("Thank you goodbye", at=1.0).says("no wait I have a question", after=pause)
        unsure = ScriptedTurnDetector([0.31, 0.31, 0.31, 0.9])
        result = simulate(agent, caller.waits_for_agent(quiet=3.0), llm=llm, turn_detector=unsure)
        in_order(result, llm)
        prepared += any("question" not in request.user_text for request in llm.requests)
        assert result.heard == "Yes, what is it?" and not result.tools and result.close_reason != "agent_hung_up"
        assert all("Goodbye" not in message.text for message in result.replies)
    assert prepared, "no goodbye was ever prepared: this tests nothing"


def an_interruption_at_any_await_of_a_tool_loses_nothing_and_repeats_nothing() -> None:
    """Before the tool, at each of its awaits, while its result is told, and behind that."""

    class Counter(Agent):
        def __init__(self) -> None:
            super().__init__(instructions="Serve.")
            self.reached: list[str] = []

        @function_tool
        async def order(self, ctx: RunContext[Any]) -> str:
            """Order it."""
            self.reached.append("begun")
            await asyncio.sleep(0.4)
            self.reached.append("reserved")
            await ctx.step("pay", self._pay)
            await asyncio.sleep(0.4)
            self.reached.append("sent")
            return "ordered, number 8"

        async def _pay(self) -> str:
            await asyncio.sleep(0.4)
            self.reached.append("paid")
            return "paid"

    script = {"order": [("One moment, I order it.", calls("order")), "It is ordered."], "by the way": "I hear you."}
    for moment in range(0, 60, 4):
        agent, llm = Counter(), ScriptedLLM(script)
        caller = Caller().says("Please order it", at=1.0).says("by the way one more thing", after=0.5 + moment / 10)
        result = simulate(agent, caller.waits_for_agent(quiet=3.0), llm=llm)
        in_order(result, llm)
        if "by the way" in result.turns[0]:
            continue  # it belonged to the same turn
        assert agent.reached == ["begun", "reserved", "paid", "sent"], (moment, result)
        assert [tool.output for tool in result.tools] == ["ordered, number 8"], (moment, result)
        assert "I hear you." in result.heard, (moment, result)


def a_transfer_comes_after_the_last_word_and_may_fail() -> None:
    taken: list[str] = []

    async def transfer(ctx: RunContext[Any], address: str) -> None:
        taken.append(address)
        if address.endswith("2"):
            raise RuntimeError("busy")

    for name, reason in (("sales", "transferred"), ("support", "participant_disconnected")):
        tool = TransferTool({"sales": "tel:1", "support": "tel:2"}, transfer=transfer)
        script = {"give me": [("I connect you.", calls("transfer_call", destination=name)), "They are busy."]}
        result, _ = talk(Agent(instructions="Serve.", tools=[tool]), script, "Please give me somebody")
        assert result.close_reason == reason and result.heard.startswith("I connect you.")
    assert taken == ["tel:1", "tel:2"] and result.heard.endswith("They are busy.")


def a_policy_decides_before_a_tool_runs() -> None:
    def gate(answer: Verdict | Exception) -> Any:
        async def policy(ctx: RunContext[Any], tool: Any) -> Verdict:
            assert ctx.function_call.name == tool.name == "slow" and ctx.call_id
            if isinstance(answer, Exception):
                raise answer
            return answer

        return policy

    for answer, runs, says in (
        (allow("a regular"), True, "is done"),
        (deny("closed today"), False, "closed today"),
        (RuntimeError("no network"), False, "could not be asked"),
        (ask_caller("it costs money"), False, "Not done yet"),
    ):
        shop = Shop()
        result, _ = talk(
            shop, {"book": [calls("slow", what="it"), "Well."]}, "Please book it", quiet=4.0, tool_policy=gate(answer)
        )
        assert bool(shop.done) is runs and says in result.tools[0].output, answer
        reasons = [e.body["message"] for e in result.log.entries if e.kind == "tool.progress"]
        if isinstance(answer, Verdict):
            assert answer.reason in " ".join(reasons), "the reason is in the log"


def a_person_may_approve_or_decline() -> None:
    for verdict, runs in ((allow("by Kim"), True), (deny("too expensive"), False)):
        shop = Shop()

        async def conversation(live: Any, verdict: Verdict = verdict, shop: Shop = shop) -> None:
            shop.session.on("tool_approval", lambda event: event.decide(verdict))
            await Caller().says("Please book it", at=1.0).waits_for_agent(quiet=4.0)(live)

        llm = ScriptedLLM({"book": [calls("slow", what="it"), "Well."]})
        result = simulate(shop, conversation, llm=llm, tool_policy=lambda ctx, tool: ask_human("over 100"))
        in_order(result, llm)
        assert bool(shop.done) is runs and (runs or "too expensive" in result.tools[0].output)


def secret_arguments_are_not_in_the_log() -> None:
    class Till(Agent):
        @function_tool(redact=["card"])
        async def pay(self, card: str, amount: int) -> str:
            """Pay."""
            assert card == "4111111111111111"
            return "paid"

        @function_tool(redact=True)
        async def login(self, pin: str) -> str:
            """Log in."""
            return "in"

    script = {"pay": [(calls("pay", card="4111111111111111", amount=5), calls("login", pin="9876")), "Paid."]}
    result, llm = talk(Till(instructions="Take money."), script, "Please pay it")
    everything = " ".join(str(entry.body) for entry in result.log.entries)
    assert "4111" not in everything and "9876" not in everything and '"amount": 5' in everything
    call = next(item for item in llm.requests[-1].chat_ctx.items if isinstance(item, FunctionCall))
    assert "4111" in call.arguments, "the model knows what it said"


def sync_tools_do_not_run_on_the_loop() -> None:
    threads: list[str] = []

    class Old(Agent):
        @function_tool(effect="read")
        def look(self) -> str:
            """Look."""
            threads.append(threading.current_thread().name)
            time.sleep(0.01)
            return "seen"

    result, _ = talk(Old(instructions="x"), {"look": [calls("look"), "Seen."]}, "Please look")
    assert result.heard == "Seen." and threads[0] != threading.main_thread().name


def toolsets_are_set_up_offered_changed_and_closed() -> None:
    class Books(Toolset):
        log: list[str] = []

        async def setup(self, session: Any) -> None:
            await asyncio.sleep(0.5)
            self.log.append("setup")

        async def aclose(self, session: Any) -> None:
            self.log.append("closed")

        @function_tool(effect="read")
        async def find(self, title: str) -> str:
            """Find a book."""
            return f"{title} is on shelf two"

    @function_tool(effect="read")
    async def extra(ctx: RunContext[Any]) -> str:
        """Take the other tools away."""
        await ctx.agent.update_tools([])
        return "gone"

    agent = Agent(instructions="x", tools=[Books(), extra])
    script = {"find": [calls("find", title="Emma"), "Shelf two."], "away": [calls("extra"), "Gone."], "more": "No."}
    result, llm = talk(agent, script, "Please find it", "Take them away", "One more")
    assert result.tools[0].output == "Emma is on shelf two" and Books.log == ["setup", "closed"]
    assert [tool.name for tool in llm.requests[0].tools] == ["find", "extra"]
    assert llm.requests[-1].tools == [] and result.heard.endswith("No.")


def a_toolset_that_fails_or_is_late_costs_only_its_tools() -> None:
    class Broken(Toolset):
        async def setup(self, session: Any) -> None:
            raise RuntimeError("no such library")

    class Late(Toolset):
        wait = 0.2

        async def setup(self, session: Any) -> None:
            await asyncio.sleep(4.0)

        @function_tool(effect="read")
        async def late(self) -> str:
            """Late."""
            return "here"

    script = {"hello": "Hello.", "now": [calls("late"), "It is here."]}
    result, llm = talk(Agent(instructions="x"), script, "Well hello", "And now", tools=[Broken(), Late()], quiet=3.0)
    assert llm.requests[0].tools == [] and result.heard == "Hello. It is here."
    assert any("no such library" in error for error in result.errors)


SCENARIOS = [
    a_yes_is_for_what_was_asked,
    a_yes_is_not_for_other_arguments,
    an_unclear_answer_is_no_yes,
    a_model_that_does_not_wait_for_the_answer_is_stopped,
    a_yes_counts_once,
    the_same_call_while_it_runs_is_made_once,
    okay_said_while_a_tool_runs_neither_stops_nor_repeats_it,
    a_model_asked_while_a_tool_runs_reads_that_it_runs,
    what_was_paid_is_not_paid_again_by_a_new_owner,
    the_key_is_the_same_for_a_new_owner,
    what_took_effect_is_verified_by_a_new_owner,
    progress_frees_the_conversation_and_the_result_is_told,
    a_filler_is_said_while_a_tool_takes_its_time,
    hanging_up_comes_after_the_last_word,
    hanging_up_without_a_word_says_one,
    hanging_up_does_not_happen_where_the_caller_breaks_in,
    words_and_a_hang_up_of_a_reply_that_is_thrown_away_cause_nothing,
    an_interruption_at_any_await_of_a_tool_loses_nothing_and_repeats_nothing,
    a_transfer_comes_after_the_last_word_and_may_fail,
    a_policy_decides_before_a_tool_runs,
    a_person_may_approve_or_decline,
    secret_arguments_are_not_in_the_log,
    sync_tools_do_not_run_on_the_loop,
    toolsets_are_set_up_offered_changed_and_closed,
    a_toolset_that_fails_or_is_late_costs_only_its_tools,
]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
def test_tool_effect(scenario: Any) -> None:
    scenario()
