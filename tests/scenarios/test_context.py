"""What models read, from request to request: nothing of it changes that need not, and nothing a vendor wants is lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from itertools import pairwise
from typing import Any

import pytest

from antiphon import (
    Agent,
    ChatContext,
    FunctionCall,
    FunctionTool,
    ImageContent,
    ModelSettings,
    RunContext,
    function_tool,
)
from antiphon.chat.items import ChatItem, ChatMessage
from antiphon.models.llm import ChatChunk, ToolCallDelta
from antiphon.providers.formats import anthropic, gemini
from antiphon.testing import Caller, ScriptedLLM, calls, simulate
from tests.providers.formats.test_any_history import check_all

PNG = ImageContent(data=b"\x89PNG\r\n\x1a\n" + bytes(20))


class Desk(Agent):
    def __init__(self) -> None:
        super().__init__(instructions="Take bookings.")

    @function_tool
    async def book(self, day: str) -> str:
        """Book a day."""
        await asyncio.sleep(1.0)
        return f"{day} is booked"

    @function_tool(effect="read")
    async def billing(self, ctx: RunContext[Any]) -> Agent:
        """Hand over to billing."""
        return Billing()

    @function_tool(effect="read")
    async def chart(self) -> Any:
        """Draw a chart."""
        return ["The bookings of May.", PNG]


class Billing(Agent):
    def __init__(self) -> None:
        super().__init__(instructions="Answer questions on bills.", id="billing")


def settled(items: list[ChatItem]) -> list[ChatItem]:
    """A prompt less its tail: what is volatile, and the last turn with what followed it."""
    turns = [n for n, item in enumerate(items) if isinstance(item, ChatMessage) and item.role == "user"]
    volatile = [n for n, item in enumerate(items) if getattr(item, "volatile", False)]
    return items[: min(turns[-1:] + volatile, default=len(items))]


def test_prompts_begin_alike_through_interruptions_tools_and_hand_offs() -> None:
    llm = ScriptedLLM(
        {
            "monday": ("One moment.", calls("book", day="Monday")),
            "story": "one two three four five six seven eight nine ten eleven twelve",
            "bill": calls("billing"),
            ...: "All right.",
        }
    )
    caller = Caller().says("Hello there.", at=1.0).waits_for_agent()
    caller = caller.says("Please book Monday.").waits_for_agent(quiet=2.0).says("Tell me a story.")
    caller = caller.talks_over("No stop that please", after_word=5).waits_for_agent()
    caller = caller.says("About my bill.").waits_for_agent().says("Is it high?").waits_for_agent().says("Thank you.")
    result = simulate(Desk, caller.waits_for_agent(), llm=llm)
    assert any(reply.interrupted for reply in result.replies)
    seen: dict[str, int] = {}
    for one, two in pairwise(llm.requests):
        check_all(two.chat_ctx, two.tools)
        if one.instructions != two.instructions:
            continue  # another agent: its instructions come first
        first, second = one.chat_ctx.items, two.chat_ctx.items
        stays = settled(first)
        assert second[: len(stays)] == stays
        seen[one.instructions] = seen.get(one.instructions, 0) + 1
    assert min(seen.values()) >= 2 and len(seen) == 2, "both agents were asked more than once"


@pytest.mark.parametrize("sees", [True, False])
def test_a_picture_that_a_tool_returns_is_seen_by_a_model_that_can(sees: bool) -> None:
    llm = ScriptedLLM({"chart": [calls("chart"), "Here it is."]}, images=sees)
    result = simulate(Desk, Caller().says("Show me a chart.", at=1.0).waits_for_agent(), llm=llm)
    output = llm.requests[-1].outputs[-1]
    assert output.media == ([PNG] if sees else [])
    assert output.output == "The bookings of May." + (
        "" if sees else "\n[Here was a picture, which you cannot perceive.]"
    )
    assert "iVBOR" not in repr([*result.log.facts, *result.log.inputs]) and "Here it is." in result.heard


class Thinker(Desk):
    """Its model thinks, signs what it thought, and wants it back."""

    def __init__(self) -> None:
        super().__init__()
        self.read: list[ChatContext] = []

    async def llm_node(
        self, chat_ctx: ChatContext, tools: list[FunctionTool], model_settings: ModelSettings
    ) -> AsyncIterator[Any]:
        self.read.append(chat_ctx)
        if any(isinstance(item, FunctionCall) for item in chat_ctx):
            yield "Monday is yours."
            return
        thought = {"type": "thinking", "thinking": "Monday, then.", "signature": "c2ln"}
        extra = {"anthropic": {"thinking": [thought]}, "google": {"thought_signature": "c2ln"}}
        yield ChatChunk(
            tool_calls=(ToolCallDelta("a", "book", '{"day": "Monday"}', extra), ToolCallDelta("b", "chart", "{}"))
        )


def test_what_a_model_wants_back_with_its_call_it_gets_back_also_from_a_new_owner() -> None:
    for moment in ([], [20], [26]):
        agent = Thinker()
        result = simulate(agent, Caller().says("Book Monday.", at=1.0).waits_for_agent(quiet=2.0), forget_after=moment)
        assert "Monday is yours." in result.heard
        read = agent.read[-1]
        check_all(read, [])
        step = anthropic.request_of(read)["messages"][1]["content"]
        assert [block["type"] for block in step] == ["thinking", "tool_use", "tool_use"]
        parts = gemini.request_of(read)["contents"][1]["parts"]
        assert [part.get("thoughtSignature") for part in parts] == ["c2ln", None]


def test_thoughts_of_secret_arguments_are_as_secret() -> None:
    class Bank(Thinker):
        @function_tool(redact=True)
        async def book(self, day: str) -> str:
            """Book a day."""
            return "done"

    for agent, told in ((Thinker(), True), (Bank(), False)):
        result = simulate(agent, Caller().says("Book Monday.", at=1.0).waits_for_agent(quiet=2.0))
        assert ("Monday, then." in repr([*result.log.facts, *result.log.inputs])) is told


class Remembering(Desk):
    """Adds what it knows to each turn."""

    async def on_user_turn_completed(self, turn_ctx: ChatContext, new_message: ChatMessage) -> None:
        turn_ctx.add_message(role="system", content="The caller likes Mondays.")

    @function_tool
    async def check(self) -> str:
        """Check it."""
        await asyncio.sleep(2.5)
        return "checked"


def test_a_result_that_comes_after_a_hook_edited_the_context_is_read() -> None:
    """The hook runs while a tool does; the next step of its turn reads what came of it, and not that it runs."""
    script = {"check": [calls("check"), "It is checked."], "monday": [calls("book", day="Monday"), "Monday is yours."]}
    llm = ScriptedLLM(script)
    caller = Caller().says("Please check it", at=1.0).says("and book Monday too", after=0.8).waits_for_agent(quiet=4.0)
    simulate(Remembering, caller, llm=llm)
    last = llm.requests[-1]
    assert "The caller likes Mondays." in last.instructions
    assert sorted(output.output for output in last.outputs) == ["Monday is booked", "checked"]


class Forgetting(Desk):
    """Lets its model read nothing but the turn at hand."""

    async def on_user_turn_completed(self, turn_ctx: ChatContext, new_message: ChatMessage) -> None:
        turn_ctx.items = [item for item in turn_ctx if not isinstance(item, ChatMessage) or item.role == "system"]


def test_what_a_hook_takes_out_of_the_context_is_not_read_in_that_turn() -> None:
    llm = ScriptedLLM({"check": calls("chart"), ...: "All right."})
    caller = Caller().says("My number is four.", at=1.0).waits_for_agent().says("Well then, check it").waits_for_agent()
    result = simulate(Forgetting, caller, llm=llm)
    assert [m.text for m in llm.requests[-1].chat_ctx.messages if m.role != "system"] == ["Well then, check it"]
    assert len(result.history.messages) == 4, "the history is whole"
