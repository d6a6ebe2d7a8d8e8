"""What a language model has to keep, whoever made it.

The prompts tell the model what to do, so that a live model, a simulator and a script can all be asked: ``SAY`` wants a
sentence, ``BOOK`` one tool call, ``BOOK_TWICE`` two at once.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable, Sequence

from antiphon.chat.context import ChatContext
from antiphon.chat.items import FunctionCall, FunctionCallOutput
from antiphon.chat.media import AudioContent, ImageContent
from antiphon.errors import ModelError
from antiphon.models.llm import LLM, ChatChunk, ToolCallDelta, ToolChoice, ToolSpec
from antiphon.models.multipart import wav_bytes
from antiphon.testing.conformance.declared import check_declared, new_report
from antiphon.testing.conformance.fault_table import Fault, faults_of
from antiphon.testing.conformance.report import Report
from antiphon.testing.conformance.rig import Rig
from antiphon.testing.conformance.running import must, run_check, run_fault

SENTENCE = "The quick brown fox jumps over the lazy dog near the river."
SAY = f"Say exactly this and nothing else: {SENTENCE}"
BOOK = "Book a table for Monday. Use the tool and say nothing."
BOOK_TWICE = "Book a table for Monday and one for Tuesday: two tool calls in one answer. Say nothing."
TOOL = ToolSpec(
    name="book",
    description="Book a table for one day.",
    parameters={
        "type": "object",
        "properties": {"day": {"type": "string", "description": "The day of the week."}},
        "required": ["day"],
    },
)
PICTURE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAABAAAAAQCAIAAACQkWg2AAAAFklEQVR42mP4z8BAEmIY1TCqYfhqAACQ+f8B8u7oVwAAAABJRU5ErkJggg=="
)
"""Red, 16 by 16, PNG."""
CANCEL_WITHIN = 1.0
"""Seconds in which a request that is given up must be gone."""


def asking(text: str) -> ChatContext:
    context = ChatContext.empty()
    context.add_message(role="system", content="You are tested. Do just what you are told.")
    context.add_message(role="user", content=text)
    return context


async def answer(
    llm: LLM, context: ChatContext, tools: Sequence[ToolSpec] = (), tool_choice: ToolChoice = "auto"
) -> list[ChatChunk]:
    """All of one answer."""
    stream = llm.chat(chat_ctx=context, tools=tools, tool_choice=tool_choice)
    try:
        return [chunk async for chunk in stream]
    finally:
        await stream.aclose()


def text_of(chunks: Sequence[ChatChunk]) -> str:
    return "".join(chunk.text for chunk in chunks).strip()


def calls_of(chunks: Sequence[ChatChunk]) -> list[ToolCallDelta]:
    return [call for chunk in chunks for call in chunk.tool_calls]


async def check_llm(make: Callable[[], LLM], *, rig: Rig | None = None, live: bool = False) -> Report:
    """Run the kit on the models that ``make`` makes. ``rig``: causes the faults of the table. ``live``: the model is a real
    one, whose wording may differ from what it was told."""
    model = make()
    report = new_report("llm", model)
    await model.aclose()

    async def says(llm: LLM) -> str:
        chunks = await answer(llm, asking(SAY))
        text = text_of(chunks)
        must(("fox" in text) if live else text == SENTENCE, f"it said {text!r}")
        must(sum(bool(chunk.text) for chunk in chunks) > 1, "the whole text came in one piece")
        return f"{sum(bool(chunk.text) for chunk in chunks)} pieces"

    async def cancels(llm: LLM) -> str:
        stream = llm.chat(chat_ctx=asking(SAY))
        async for _ in stream:
            break
        async with asyncio.timeout(CANCEL_WITHIN):
            await stream.aclose()
            await stream.aclose()
        return "closed twice, in time"

    async def closes_unread(llm: LLM) -> None:
        async with asyncio.timeout(CANCEL_WITHIN):
            await llm.chat(chat_ctx=asking(SAY)).aclose()

    async def at_once(llm: LLM) -> None:
        texts = await asyncio.gather(*(answer(llm, asking(SAY)) for _ in range(3)))
        must(len({text_of(chunks) for chunks in texts}) == 1 or live, "answers of different requests are mixed up")

    async def reads_history(llm: LLM) -> None:
        context = asking(BOOK)
        context.insert(FunctionCall(id="item_1", call_id="call_1", name="book", arguments='{"day": "Monday"}'))
        context.insert(FunctionCallOutput(id="item_2", call_id="call_1", name="book", output="done"))
        context.add_message(role="assistant", content="It is booked.")
        context.add_message(role="user", content=SAY)
        must(text_of(await answer(llm, context, [TOOL])), "no answer to a conversation with a tool's result in it")

    async def tools(llm: LLM) -> str:
        calls = calls_of(await answer(llm, asking(BOOK), [TOOL], "required" if live else "auto"))
        must(len(calls) == 1, f"{len(calls)} calls came")
        must(calls[0].call_id and calls[0].name == "book", f"the call is {calls[0]!r}")
        must(json.loads(calls[0].arguments).get("day") == "Monday", f"the arguments are {calls[0].arguments!r}")
        return calls[0].arguments

    async def parallel_tools(llm: LLM) -> str:
        calls = calls_of(await answer(llm, asking(BOOK_TWICE), [TOOL], "required" if live else "auto"))
        must(len(calls) == 2, f"{len(calls)} calls came")
        days = [json.loads(call.arguments).get("day") for call in calls]
        must(sorted(map(str, days)) == ["Monday", "Tuesday"], f"the days are {days}")
        must(len({call.call_id for call in calls}) == 2, "both calls have one id")
        return "two calls in one answer"

    async def usage(llm: LLM) -> str:
        told = [chunk.usage for chunk in await answer(llm, asking(SAY)) if chunk.usage is not None]
        must(len(told) == 1, f"the usage was told {len(told)} times")
        must(told[0].prompt_tokens > 0 and told[0].completion_tokens > 0, f"it is {told[0]}")
        must(told[0].cached_tokens <= told[0].prompt_tokens, "more cached than asked")
        return f"{told[0].prompt_tokens} + {told[0].completion_tokens} tokens"

    async def prefill(llm: LLM) -> None:
        await llm.prefill(chat_ctx=asking("Say exactly"))
        must(text_of(await answer(llm, asking(SAY))), "no answer after reading ahead")

    async def images(llm: LLM) -> str:
        return await takes(llm, ImageContent(data=PICTURE, mime="image/png"))

    async def audio(llm: LLM) -> str:
        return await takes(llm, AudioContent(data=wav_bytes(bytes(16_000), 16_000)))

    async def takes(llm: LLM, part: ImageContent | AudioContent) -> str:
        context = ChatContext.empty()
        context.add_message(role="user", content=[part, SAY])
        must(text_of(await answer(llm, context)), "no answer")
        return "it was taken; what is in it was not asked"

    for name, scene in (
        ("streams_text", says),
        ("cancels_at_once", cancels),
        ("closes_what_nobody_read", closes_unread),
        ("requests_at_once", at_once),
        ("history_with_tools", reads_history),
    ):
        report.checks.append(await run_check("contract", name, make, scene))
    shown = {
        "tools": tools,
        "parallel_tools": parallel_tools,
        "usage": usage,
        "prefill": prefill,
        "images": images,
        "audio": audio,
    }
    await check_declared(report, make, shown)
    if rig is not None:
        for fault in faults_of("llm"):
            report.checks.append(await run_fault(fault, rig(fault.name), _scene(fault), _whole(fault)))
    return report


def _whole(fault: Fault) -> str:
    return '{"day": "Monday"} {"day": "Tuesday"}' if fault.group == "tools" else SENTENCE


def _scene(fault: Fault) -> Callable[[LLM], Awaitable[str]]:
    """What is asked of a model whose service fails."""

    async def speaks(llm: LLM) -> str:
        chunks = await answer(llm, asking(SAY))
        if fault.group == "billing":
            told = [chunk.usage for chunk in chunks if chunk.usage is not None]
            must(len(told) <= 1, f"the usage is counted {len(told)} times")
        return text_of(chunks)

    async def calls(llm: LLM) -> str:
        made = calls_of(await answer(llm, asking(BOOK_TWICE), [TOOL]))
        return " ".join(json.dumps(json.loads(call.arguments)) for call in made)

    async def once_more(llm: LLM) -> str:
        """A ``retryable`` error that comes amid an answer: what was said is not said again by the model."""
        stream = llm.chat(chat_ctx=asking(SAY))
        text = ""
        try:
            async for chunk in stream:
                text += chunk.text
        except ModelError:
            must(SENTENCE.startswith(text.strip()), f"the text before the error is {text!r}")
            raise
        finally:
            await stream.aclose()
        return text.strip()

    return calls if fault.group == "tools" else once_more if fault.group in ("close", "latency") else speaks
