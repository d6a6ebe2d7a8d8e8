"""AgentSession in text: turns, tools, hooks, events, changes on the run, the end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest

from antiphon import (
    Agent,
    AgentConfigUpdate,
    AgentSession,
    ChatContext,
    ChatMessage,
    ConfigurationError,
    FunctionCall,
    FunctionCallOutput,
    FunctionTool,
    JobContext,
    ModelSettings,
    NotSupportedError,
    RunContext,
    SessionClosedError,
    StopResponse,
    ToolError,
    function_tool,
)
from antiphon.testing.llm import LLMFaults, ScriptedLLM, calls
from antiphon.testing.loop import run

Story = Callable[[AgentSession[Any]], Awaitable[None]]


def talk(agent: Agent, llm: ScriptedLLM, story: Story, **options: Any) -> None:
    """Run ``story`` on a text session on the virtual clock, and look that nothing is left."""

    async def main() -> None:
        session: AgentSession[Any] = AgentSession(stt=None, llm=llm, tts=None, turn_detector=None, **options)
        await session.start(agent, JobContext(user_loop="shared"))
        await story(session)
        await session.aclose()
        await asyncio.sleep(0)
        left = asyncio.all_tasks() - {asyncio.current_task()}
        assert not left, left
        assert llm.open_streams == 0

    run(main())


def texts(session: AgentSession[Any]) -> list[tuple[str, str]]:
    return [(message.role, message.text) for message in session.history.messages]


class Greeter(Agent):
    def __init__(self) -> None:
        super().__init__(instructions="Greet.")

    async def on_enter(self) -> None:
        self.session.say("Welcome!")


def test_a_run_gives_what_the_turn_brought_about() -> None:
    async def story(session: AgentSession[Any]) -> None:
        result = await session.run(user_input="Hello")
        assert [(type(e), getattr(e, "text", "")) for e in result.events] == [(ChatMessage, "Hi there.")]
        assert texts(session) == [("user", "Hello"), ("assistant", "Hi there.")]
        result.expect.next_event().is_message(role="assistant", contains="Hi")

    talk(Agent(instructions="Be kind."), ScriptedLLM("Hi there."), story)


def test_the_agent_speaks_first_when_its_hook_says_something() -> None:
    async def story(session: AgentSession[Any]) -> None:
        await session.wait_for_idle()
        assert texts(session) == [("assistant", "Welcome!")]

    talk(Greeter(), ScriptedLLM(), story)


class Bookings(Agent):
    def __init__(self) -> None:
        super().__init__(instructions="Book.")
        self.booked: list[str] = []

    @function_tool
    async def book(self, ctx: RunContext[Any], day: str) -> str:
        """Book a day."""
        if day == "Sunday":
            raise ToolError("We are closed on Sundays.")
        if day == "never":
            raise RuntimeError("database down")
        self.booked.append(day)
        return f"Booked {day}."

    @function_tool(effect="read")
    def look(self) -> None:
        """Nothing to say about it."""


def test_a_tool_runs_and_its_result_is_told() -> None:
    llm = ScriptedLLM({"Monday": [calls("book", day="Monday"), "It is booked."]})
    agent = Bookings()

    async def story(session: AgentSession[Any]) -> None:
        result = await session.run(user_input="Monday please")
        kinds = [type(e) for e in result.events]
        assert kinds == [FunctionCall, FunctionCallOutput, ChatMessage]
        assert result.events[1].output == "Booked Monday."  # type: ignore[union-attr]
        assert agent.booked == ["Monday"]

    talk(agent, llm, story)


@pytest.mark.parametrize(
    ("day", "says"), [("Sunday", "closed on Sundays"), ("never", "internal error"), ("", "do not fit")]
)
def test_a_failing_tool_becomes_a_result_the_model_can_read(day: str, says: str) -> None:
    call = calls("book", day=day) if day else calls("book")
    llm = ScriptedLLM({"go": [call, "I see."]})

    async def story(session: AgentSession[Any]) -> None:
        errors: list[Any] = []
        session.on("error", errors.append)
        await session.run(user_input="go")
        output = next(i for i in session.history if isinstance(i, FunctionCallOutput))
        assert output.is_error
        assert says in output.output
        assert texts(session)[-1] == ("assistant", "I see.")
        assert len(errors) == (1 if day == "never" else 0)

    talk(Bookings(), llm, story)


def test_an_unknown_tool_is_answered_with_the_list_of_tools() -> None:
    llm = ScriptedLLM({"go": [calls("cancel"), "Sorry."]})

    async def story(session: AgentSession[Any]) -> None:
        await session.run(user_input="go")
        output = next(i for i in session.history if isinstance(i, FunctionCallOutput))
        assert "book, look" in output.output

    talk(Bookings(), llm, story)


def test_a_tool_that_returns_none_asks_for_no_reply() -> None:
    async def story(session: AgentSession[Any]) -> None:
        result = await session.run(user_input="go")
        assert [type(e) for e in result.events] == [FunctionCall, FunctionCallOutput]

    talk(Bookings(), ScriptedLLM({"go": calls("look")}), story)


class Editing(Agent):
    def __init__(self) -> None:
        super().__init__(instructions="Edit.")

    async def on_user_turn_completed(self, turn_ctx: ChatContext, new_message: ChatMessage) -> None:
        if new_message.text == "secret":
            raise StopResponse
        if new_message.text == "crash":
            raise RuntimeError("hook broke")
        new_message.text = new_message.text.upper()
        for message in turn_ctx.messages:
            message.text = message.text.replace("Fine.", "Splendid.")
        turn_ctx.add_message(role="system", content="Retrieved: 42.")


def test_the_turn_hook_may_edit_stop_or_fail() -> None:
    llm = ScriptedLLM("Fine.")

    async def story(session: AgentSession[Any]) -> None:
        await session.run(user_input="hello")
        assert texts(session)[:2] == [("user", "HELLO"), ("assistant", "Fine.")]
        assert "Retrieved: 42." in llm.requests[-1].instructions
        await session.run(user_input="again")
        assert "Splendid." in [m.text for m in llm.requests[-1].chat_ctx.messages]
        assert ("assistant", "Splendid.") not in texts(session)
        asked = len(llm.requests)
        await session.run(user_input="secret")
        assert len(llm.requests) == asked
        await session.run(user_input="crash")
        assert texts(session)[-2:] == [("user", "crash"), ("assistant", "Fine.")]
        assert "Retrieved" not in llm.requests[-1].instructions

    talk(Editing(), llm, story)


def test_handlers_may_be_functions_or_coroutines_and_may_fail() -> None:
    async def story(session: AgentSession[Any]) -> None:
        plain: list[str] = []
        later: list[str] = []

        @session.on("conversation_item_added")
        def add(event: Any) -> None:
            plain.append(event.item.text)

        async def add_later(event: Any) -> None:
            await asyncio.sleep(0.01)
            later.append(event.item.text)

        def broken(event: Any) -> None:
            raise ValueError("mine")

        session.on("conversation_item_added", add_later)
        session.on("conversation_item_added", broken)
        await session.run(user_input="one")
        session.off("conversation_item_added", add)
        await session.run(user_input="two")
        await asyncio.sleep(0.1)
        assert plain == ["one", "Yes."]
        assert later == ["one", "Yes.", "two", "Yes."]
        with pytest.raises(ValueError, match="There is no event"):
            session.on("user_spoke", add)

    talk(Agent(instructions="x"), ScriptedLLM("Yes."), story)


def test_handles_know_what_was_written_and_heard() -> None:
    async def story(session: AgentSession[Any]) -> None:
        done: list[Any] = []
        handle = session.say("One. Two of them. Three of them.")
        handle.add_done_callback(done.append)
        assert not handle.done()
        await handle
        assert done == [handle]
        assert handle.written == handle.heard == "One. Two of them. Three of them."
        assert not handle.interrupted

        async def stream() -> AsyncIterator[str]:
            yield "Streamed "
            yield "text."

        assert (await session.say(stream(), add_to_chat_ctx=False)).heard == "Streamed text."
        assert texts(session) == [("assistant", "One. Two of them. Three of them.")]

    talk(Agent(instructions="x"), ScriptedLLM(), story)


def test_generate_reply_takes_instructions_tools_and_context_for_itself_alone() -> None:
    llm = ScriptedLLM("Sure.")

    async def story(session: AgentSession[Any]) -> None:
        await session.generate_reply(instructions="Be brief.", tools=["look"], user_input="Well?")
        assert "Be brief." in llm.requests[0].instructions
        assert [tool.name for tool in llm.requests[0].tools] == ["look"]
        await session.generate_reply(chat_ctx=ChatContext.empty())
        assert llm.requests[1].user_text == ""
        assert "Be brief." not in llm.requests[1].instructions
        assert texts(session) == [("user", "Well?"), ("assistant", "Sure."), ("assistant", "Sure.")]

    talk(Bookings(), llm, story)


def test_instructions_tools_and_context_change_on_the_run() -> None:
    llm = ScriptedLLM("Ok.")
    agent = Bookings()

    @function_tool
    def extra() -> str:
        """More."""
        return "more"

    async def story(session: AgentSession[Any]) -> None:
        await session.run(user_input="first")
        await agent.update_instructions("New rules.")
        await agent.update_tools([extra])
        await agent.update_chat_ctx(ChatContext([ChatMessage(id="m", role="user", text="Before.")]))
        await session.run(user_input="second")
        request = llm.requests[-1]
        assert request.instructions == "New rules."
        assert [tool.name for tool in request.tools] == ["extra"]
        assert [m.text for m in request.chat_ctx.messages] == ["New rules.", "Before.", "second"]
        assert len(session.history.messages) == 4
        updates = [item for item in session.history if isinstance(item, AgentConfigUpdate)]
        assert updates[0].instructions == "New rules."
        assert (updates[1].tools_added, updates[1].tools_removed) == (("extra",), ("book", "look"))

    talk(agent, llm, story)


def test_other_models_on_a_live_call() -> None:
    other = ScriptedLLM("Other.")

    async def story(session: AgentSession[Any]) -> None:
        await session.run(user_input="a")
        session.update_options(llm=other)
        await asyncio.sleep(0)
        await session.run(user_input="b")
        assert [text for role, text in texts(session) if role == "assistant"] == ["First.", "Other."]

    talk(Agent(instructions="x"), ScriptedLLM("First."), story)


class Billing(Agent):
    def __init__(self) -> None:
        super().__init__(instructions="You do billing.")


class Triage(Agent):
    def __init__(self) -> None:
        super().__init__(instructions="You do triage.")
        self.left = False

    @function_tool(effect="read")
    async def billing(self) -> Agent:
        """Hand over."""
        return Billing()

    async def on_exit(self) -> None:
        self.left = True


def test_a_tool_hands_over_and_the_conversation_goes_along() -> None:
    def answer(request: Any) -> Any:
        if "triage" in request.instructions:
            return calls("billing")
        return "Billing here."

    llm = ScriptedLLM(answer)
    agent = Triage()

    async def story(session: AgentSession[Any]) -> None:
        await session.run(user_input="My bill is wrong")
        assert session.current_agent.id == "billing"
        assert agent.left
        assert texts(session) == [("user", "My bill is wrong"), ("assistant", "Billing here.")]
        assert "My bill is wrong" in [m.text for m in llm.requests[-1].chat_ctx.messages]
        session.update_agent(Greeter())
        await session.wait_for_idle()
        assert texts(session)[-1] == ("assistant", "Welcome!")

    talk(agent, llm, story)


class Nodes(Agent):
    def __init__(self) -> None:
        super().__init__(instructions="x")

    async def llm_node(self, chat_ctx: ChatContext, tools: list[FunctionTool], model_settings: ModelSettings) -> Any:
        async for chunk in Agent.default.llm_node(self, chat_ctx, tools, model_settings):
            yield chunk
        yield " And more."

    async def transcription_node(self, text: Any, model_settings: ModelSettings) -> Any:
        async for piece in text:
            yield piece.replace("more", "MORE")


def test_overridden_nodes_wrap_the_default_ones() -> None:
    async def story(session: AgentSession[Any]) -> None:
        await session.run(user_input="go")
        assert texts(session)[-1] == ("assistant", "Hello. And MORE.")

    talk(Nodes(), ScriptedLLM("Hello."), story)


def test_a_model_that_never_works_is_apologised_for() -> None:
    llm = ScriptedLLM("Never.", faults=LLMFaults(status=500))

    async def story(session: AgentSession[Any]) -> None:
        errors: list[Any] = []
        session.on("error", errors.append)
        await session.run(user_input="go")
        assert texts(session)[-1][0] == "assistant"
        assert "sorry" in texts(session)[-1][1]
        assert errors

    talk(Agent(instructions="x"), llm, story)


def test_calls_before_and_after_the_session_say_so() -> None:
    async def main() -> None:
        session: AgentSession[Any] = AgentSession(stt=None, llm=ScriptedLLM(), tts=None, turn_detector=None)
        with pytest.raises(SessionClosedError, match="not been started"):
            session.say("Hello")
        with pytest.raises(NotSupportedError, match=r"takes ctx\.room"):
            await session.start(Agent(instructions="x"), room=object())
        closed: list[str] = []
        session.on("close", lambda event: closed.append(event.reason))
        agent = Agent(instructions="x")
        with pytest.raises(SessionClosedError, match="not part"):
            _ = agent.session
        await session.start(agent, JobContext(user_loop="shared"))
        with pytest.raises(ConfigurationError, match="already"):
            await session.start(agent)
        await session.drain()
        assert closed == ["drain"]
        with pytest.raises(SessionClosedError, match="ended"):
            session.say("Hello")
        await session.aclose()

    run(main())


def test_closing_while_a_reply_is_made_leaves_nothing() -> None:
    llm = ScriptedLLM("A long answer.", faults=LLMFaults(never=True))

    async def story(session: AgentSession[Any]) -> None:
        session.run(user_input="go")
        await asyncio.sleep(1.0)
        await session.aclose()
        assert session.close_reason == "user_initiated"

    talk(Agent(instructions="x"), llm, story)


def test_userdata_is_what_tools_see() -> None:
    class Counting(Agent):
        def __init__(self) -> None:
            super().__init__(instructions="x")

        @function_tool
        async def count(self, ctx: RunContext[dict[str, int]]) -> str:
            """Count."""
            ctx.userdata["n"] += 1
            return str(ctx.userdata["n"])

    async def story(session: AgentSession[Any]) -> None:
        await session.run(user_input="go")
        assert session.userdata == {"n": 1}

    talk(Counting(), ScriptedLLM({"go": [calls("count"), "Counted."]}), story, userdata={"n": 0})


def test_usage_is_told_when_a_speech_is_done() -> None:
    async def story(session: AgentSession[Any]) -> None:
        told: list[Any] = []
        session.on("usage_updated", told.append)
        await session.run(user_input="go")
        assert told
        assert any(entry.kind == "llm" for entry in told[-1].usage)

    talk(Agent(instructions="x"), ScriptedLLM("Yes."), story)


def test_a_hook_that_swallows_its_cancellation_is_left_behind_and_named() -> None:
    class Stubborn(Agent):
        async def on_exit(self) -> None:
            until = asyncio.get_running_loop().time() + 60
            while asyncio.get_running_loop().time() < until:
                with suppress(asyncio.CancelledError):
                    await asyncio.sleep(60)

    async def main() -> None:
        session: AgentSession[Any] = AgentSession(stt=None, llm=ScriptedLLM(), tts=None, turn_detector=None)
        errors: list[Any] = []
        session.on("error", errors.append)
        await session.start(Stubborn(instructions="x"), JobContext(user_loop="shared"))
        began = asyncio.get_running_loop().time()
        await session.aclose(2.0)
        assert asyncio.get_running_loop().time() - began <= 2.1
        assert any("stubborn.on_exit" in error.error for error in errors)

    run(main())
