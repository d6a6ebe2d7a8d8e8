"""The user's own code raises, hangs or blocks: it is reported, and the call goes on."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from antiphon import Agent, StopResponse, ToolError, function_tool
from antiphon.chat.context import ChatContext
from antiphon.chat.items import ChatMessage
from antiphon.testing import Caller, CallResult, ScriptedLLM, calls, simulate


class Plain(Agent):
    def __init__(self) -> None:
        super().__init__(instructions="Help.")


class Tools(Plain):
    @function_tool
    async def hangs(self) -> str:
        """Never comes back."""
        await asyncio.sleep(100_000)
        return "never"

    @function_tool(effect="read")
    async def slow(self) -> str:
        """Takes six seconds."""
        await asyncio.sleep(6.0)
        return "six"

    @function_tool
    async def blocks(self) -> str:
        """Blocks its loop for a moment of real time."""
        time.sleep(0.05)
        return "blocked"

    @function_tool
    async def raises(self) -> str:
        """Has a fault."""
        raise RuntimeError("the database is on fire")

    @function_tool
    async def refuses(self) -> str:
        """Fails on purpose."""
        raise ToolError("That day is taken.")

    @function_tool
    async def quiet(self) -> None:
        """Needs no reply."""


def use(tool: str, *, wait: float = 2.0, **options: Any) -> CallResult:
    script = Caller().says("Please do it", at=3.0).waits_for_agent(quiet=wait).says("And goodbye").waits_for_agent()
    llm = options.pop("llm", None) or ScriptedLLM({"do it": [calls(tool), "It is done."], ...: "Goodbye."})
    return simulate(Tools, script, llm=llm, **options)


def test_tool_raises_and_the_model_hears_of_it_without_the_details() -> None:
    llm = ScriptedLLM({"do it": [calls("raises"), "Sorry, that failed."], ...: "Goodbye."})
    result = use("raises", llm=llm)
    assert result.tools[0].is_error
    assert "on fire" not in result.tools[0].output
    assert any("RuntimeError" in error and "on fire" in error for error in result.errors)
    assert result.heard == "Sorry, that failed. Goodbye."


def test_tool_error_is_what_the_model_reads() -> None:
    result = use("refuses")
    assert result.tools[0].is_error
    assert result.tools[0].output == "That day is taken."
    assert not result.errors, "a failure on purpose is no fault of the program"


def test_a_tool_without_a_result_needs_no_reply() -> None:
    script = Caller().says("Please do it", at=3.0).stays_silent(6.0).says("And goodbye").waits_for_agent()
    result = simulate(Tools, script, llm=ScriptedLLM({"do it": [calls("quiet"), "Never said."], ...: "Goodbye."}))
    assert result.heard == "Goodbye."
    assert [t.name for t in result.tools] == ["quiet"]


def test_slow_tool_is_bridged_and_its_result_spoken() -> None:
    result = use("slow", wait=4.5)
    assert "One moment, please." in result.heard
    assert "It is done." in result.heard
    assert result.longest_silence() <= 4.0


def test_tool_hangs_and_is_named_and_bounded() -> None:
    script = Caller().says("Please do it", at=3.0).stays_silent(75.0).says("And goodbye").waits_for_agent()
    result = simulate(
        Tools, script, llm=ScriptedLLM({"do it": [calls("hangs"), "It takes too long."], ...: "Goodbye."})
    )
    assert result.longest_silence() <= 4.0
    assert result.tools[0].is_error or result.tools[0].in_doubt
    assert "It takes too long." in result.heard
    assert "Goodbye." in result.heard
    assert result.close_took <= 5.5


def test_hanging_up_on_a_hanging_tool_ends_within_the_deadline_and_leaves_nothing_in_the_end() -> None:
    script = Caller().says("Please do it", at=3.0).stays_silent(5.0).hangs_up()
    result = simulate(Tools, script, llm=ScriptedLLM({...: [calls("hangs"), "Done."]}), look_after=40.0)
    assert result.close_reason == "participant_disconnected"
    assert result.close_took <= 5.5
    assert not result.left


def test_tool_blocks_the_loop_and_the_call_goes_on() -> None:
    result = use("blocks")
    assert result.tools[0].output == "blocked"
    assert result.heard == "It is done. Goodbye."


@pytest.mark.parametrize("hook", ["on_enter", "on_exit", "on_user_turn_completed"])
def test_hook_raises_is_reported_and_the_call_goes_on(hook: str) -> None:
    async def broken(self: Agent, *args: Any) -> None:
        raise ValueError("a fault in a hook")

    agent = type("Broken", (Plain,), {hook: broken})
    result = simulate(agent, Caller().says("Hello there", at=1.0).waits_for_agent(), llm="Hello.")
    assert result.heard == "Hello."
    assert any("a fault in a hook" in error for error in result.errors)
    assert not result.left


def test_turn_hook_hangs_and_the_call_goes_on_without_it() -> None:
    class Hanging(Plain):
        async def on_user_turn_completed(self, turn_ctx: ChatContext, new_message: ChatMessage) -> None:
            await asyncio.Event().wait()

    result = simulate(Hanging, Caller().says("Hello there", at=3.0).waits_for_words("Hello."), llm="Hello.")
    assert "Hello." in result.heard
    assert result.longest_silence() <= 4.0
    assert not result.complaints
    assert not result.left


def test_on_enter_that_never_returns_does_not_block_the_call() -> None:
    class Waiting(Plain):
        async def on_enter(self) -> None:
            await asyncio.Event().wait()

    result = simulate(Waiting, Caller().says("Hello there", at=3.0).waits_for_words("Hello."), llm="Hello.")
    assert "Hello." in result.heard
    assert not result.left


def test_turn_hook_edits_what_the_model_reads() -> None:
    class Editing(Plain):
        async def on_user_turn_completed(self, turn_ctx: ChatContext, new_message: ChatMessage) -> None:
            turn_ctx.add_message(role="system", content="The caller is Ada.")
            new_message.text = new_message.text.replace("[private]", "")

    llm = ScriptedLLM("Hello.")
    result = simulate(Editing, Caller().says("Hello [private] there", at=1.0).waits_for_agent(), llm=llm)
    assert "The caller is Ada." in llm.requests[-1].instructions
    assert "[private]" not in llm.requests[-1].user_text
    assert "[private]" not in result.turns[0]
    assert result.heard == "Hello."


def test_stop_response_is_a_recorded_decision_to_stay_silent() -> None:
    class Silent(Plain):
        async def on_user_turn_completed(self, turn_ctx: ChatContext, new_message: ChatMessage) -> None:
            if "private" in new_message.text:
                raise StopResponse

    script = Caller().says("This is private", at=1.0).stays_silent(8.0).says("Hello there").waits_for_agent()
    result = simulate(Silent, script, llm="Hello.")
    assert result.heard == "Hello."
    assert result.longest_silence() <= 4.0


def test_a_callback_that_raises_is_reported_once() -> None:
    class Listening(Plain):
        async def on_enter(self) -> None:
            @self.session.on("user_input_transcribed")
            def boom(event: Any) -> None:
                if event.is_final:
                    raise KeyError("in a callback")

    result = simulate(Listening, Caller().says("Hello there", at=1.0).waits_for_agent(), llm="Hello.")
    assert result.heard == "Hello."
    assert not result.left


def test_an_overridden_node_that_raises_costs_one_reply_not_the_call() -> None:
    class Node(Plain):
        def llm_node(self, chat_ctx: Any, tools: Any, model_settings: Any) -> Any:
            raise TypeError("a fault in a node")

    result = simulate(Node, Caller().says("Hello there", at=3.0).waits_for_agent(), llm="Hello.")
    assert result.longest_silence() <= 4.0
    assert "sorry" in result.heard.lower()
    assert any("a fault in a node" in error for error in result.errors)
    assert not result.left
