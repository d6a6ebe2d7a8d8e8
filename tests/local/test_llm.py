"""The small language model in this process: it always answers in form, can be cancelled, and finds what it has read."""

from __future__ import annotations

import asyncio
import json
import threading

import pytest

from antiphon.chat.context import ChatContext
from antiphon.errors import ModelError
from antiphon.local.hosts import InProcessHost
from antiphon.local.llama import Crossing, Slots
from antiphon.local.llm import LocalLLM
from antiphon.local.requests import Complete
from antiphon.models.llm import LLMStream, ToolCallDelta, ToolSpec, Usage

SMALL = "smollm2-135m"
ORDER = ToolSpec(
    "add_item",
    "Add a drink to the order.",
    {
        "type": "object",
        "properties": {
            "drink": {"type": "string"},
            "size": {"type": "string", "enum": ["small", "large"]},
            "count": {"type": "integer"},
            "hot": {"type": "boolean"},
            "extras": {"type": "array", "items": {"type": "string"}},
        },
        "required": ["drink", "size", "count", "hot"],
    },
)


def conversation(*texts: str) -> ChatContext:
    context = ChatContext()
    context.add_message(role="system", content="You take orders at a coffee counter.")
    for text in texts:
        context.add_message(role="user", content=text)
    return context


async def answer(stream: LLMStream) -> tuple[str, list[ToolCallDelta], Usage]:
    text, calls, usage = "", [], Usage()
    async for chunk in stream:
        text += chunk.text
        calls += chunk.tool_calls
        usage = chunk.usage or usage
    return text, calls, usage


def test_it_speaks_and_calls_tools_in_form(host: InProcessHost) -> None:
    async def story() -> None:
        llm = LocalLLM(host, SMALL, max_tokens=60)
        context = conversation("A large latte please.")
        text, calls, usage = await answer(llm.chat(chat_ctx=context, tools=[ORDER], tool_choice="required"))
        assert not text and calls and calls[0].name == "add_item" and usage.completion_tokens > 3
        values = json.loads(calls[0].arguments)
        assert isinstance(values["drink"], str) and values["size"] in ("small", "large")
        assert isinstance(values["count"], int) and isinstance(values["hot"], bool)
        text, calls, _ = await answer(llm.chat(chat_ctx=context, tools=[ORDER], tool_choice="none"))
        assert text and not calls and "\n" not in text and not text.startswith("say")
        text, _, _ = await answer(llm.chat(chat_ctx=conversation("What is the capital of France?")))
        assert "paris" in text.lower()

    asyncio.run(story())


def test_what_was_read_ahead_is_not_read_again(host: InProcessHost) -> None:
    async def story() -> None:
        llm = LocalLLM(host, SMALL, max_tokens=4)
        await llm.prefill(chat_ctx=conversation(), tools=[ORDER])
        await llm.prefill(chat_ctx=conversation("Could I have a"), tools=[ORDER])
        _, _, usage = await answer(llm.chat(chat_ctx=conversation("Could I have a large latte?"), tools=[ORDER]))
        assert usage.prompt_tokens - usage.cached_tokens < 20 < usage.cached_tokens

    asyncio.run(story())


def test_two_sessions_keep_what_they_have_read(host: InProcessHost) -> None:
    async def story() -> None:
        one, two = LocalLLM(host, SMALL, max_tokens=8), LocalLLM(host, SMALL, max_tokens=8)
        first, second = conversation("Hello there."), conversation("Good evening to you.")
        await asyncio.gather(answer(one.chat(chat_ctx=first)), answer(two.chat(chat_ctx=second)))
        for llm, context in ((one, first), (two, second), (one, first)):
            context.add_message(role="user", content="Another thing.")
            _, _, usage = await answer(llm.chat(chat_ctx=context))
            assert usage.cached_tokens > 20

    asyncio.run(story())


def test_closing_frees_the_slot_while_the_prompt_is_read(host: InProcessHost) -> None:
    async def story() -> None:
        llm = LocalLLM(host, SMALL, max_tokens=100)
        context = conversation("word " * 900)
        streams = [llm.chat(chat_ctx=context), llm.chat(chat_ctx=conversation("Tell me a long story."))]
        reading = [asyncio.create_task(answer(stream)) for stream in streams]
        await asyncio.sleep(0.4)
        for stream in streams:
            await stream.aclose()
        await asyncio.gather(*reading)
        async with asyncio.timeout(10):
            text, _, _ = await answer(LocalLLM(host, SMALL, max_tokens=5).chat(chat_ctx=conversation("Hi.")))
        assert text

    asyncio.run(story())


def test_too_much_at_once_is_refused_not_hung(host: InProcessHost) -> None:
    async def story() -> None:
        with pytest.raises(ModelError, match="context"):
            async for _ in host.ask(Complete(model=SMALL, prompt="word " * 8_000, max_tokens=5)):
                pass
        with pytest.raises(ModelError, match="grammar"):
            async for _ in host.ask(Complete(model=SMALL, prompt="Hi", grammar='root ::= "x" ((', max_tokens=5)):
                pass

    asyncio.run(story())


def take(slots: Slots, prompt: str, owner: str) -> int:
    slot = slots.take(prompt, owner)
    assert slot is not None
    return slot


def test_slots_belong_to_their_owner() -> None:
    slots = Slots(2)
    first = take(slots, "opening", "a")
    slots.give_back(first)
    other = take(slots, "opening", "b")
    slots.give_back(other)
    assert other != first
    assert take(slots, "opening and more", "a") == first


def test_the_slot_of_ones_own_conversation_is_worth_waiting_for() -> None:
    slots = Slots(2)
    first = take(slots, "opening", "a")
    got: list[int] = []
    waiter = threading.Thread(target=lambda: got.append(take(slots, "opening and more", "a")))
    waiter.start()
    waiter.join(0.1)
    assert not got
    slots.give_back(first)
    waiter.join(5)
    assert got == [first]


def test_when_all_slots_are_busy_requests_wait_or_give_up() -> None:
    slots = Slots(1)
    only = take(slots, "x", "a")
    assert slots.take("y", "b", given_up=lambda: True) is None
    got: list[int] = []
    waiter = threading.Thread(target=lambda: got.append(take(slots, "y", "b")))
    waiter.start()
    slots.give_back(only)
    waiter.join(5)
    assert got == [only]


def test_reading_ahead_waits_for_answers() -> None:
    crossing = Crossing()
    with crossing:
        assert not crossing.wait_clear(0.0) and crossing.busy.is_set()
        with crossing:
            pass
        assert not crossing.wait_clear(0.0)
    assert crossing.wait_clear(0.0) and not crossing.busy.is_set()
