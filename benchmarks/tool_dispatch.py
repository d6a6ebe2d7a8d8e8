"""What a tool call costs the framework: from the model's call to the tool's first line, and from its return to the next
request to the model. One loop for everything, and core and user on loops of their own."""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

from antiphon import Agent, AgentSession, ChatContext, JobContext, RunContext, function_tool
from antiphon.models.llm import LLM, ChatChunk, LLMStream, ToolCallDelta, ToolChoice, ToolSpec

SESSIONS, TURNS = 20, 10


class Marks:
    """Moments of the newest call."""

    called = entered = left = 0.0
    costs: list[float] = []


class Caller(LLM):
    """Calls the tool once a turn, at once, and notes when it is asked again."""

    on_core = True

    def chat(
        self, *, chat_ctx: ChatContext, tools: Sequence[ToolSpec] = (), tool_choice: ToolChoice = "auto"
    ) -> LLMStream:
        if Marks.left:
            Marks.costs.append((Marks.entered - Marks.called + time.perf_counter() - Marks.left) * 1000)
            Marks.left = 0.0
            return Stream(None)
        return Stream("call")


class Stream(LLMStream):
    def __init__(self, what: str | None) -> None:
        self._what = what

    async def __aiter__(self) -> AsyncIterator[ChatChunk]:
        if self._what is None:
            yield ChatChunk(text="Done.")
            return
        Marks.called = time.perf_counter()
        call = ToolCallDelta(call_id=f"c{len(Marks.costs)}", name="book", arguments='{"day": "Monday", "hour": 9}')
        yield ChatChunk(tool_calls=(call,))

    async def aclose(self) -> None:
        """Nothing to free."""


class Desk(Agent):
    @function_tool
    async def book(self, ctx: RunContext[Any], day: str, hour: int) -> str:
        """Book a slot."""
        Marks.entered = time.perf_counter()
        Marks.left = time.perf_counter()
        return "booked"


async def measure(user_loop: Any) -> None:
    session: AgentSession[None] = AgentSession(llm=Caller(), stt=None, tts=None, turn_detector=None)
    await session.start(Desk(instructions="Book."), JobContext(user_loop=user_loop))
    for _ in range(TURNS):
        await session.run(user_input="book it")
    await session.aclose()


async def many(user_loop: Any) -> list[float]:
    Marks.costs = []
    for _ in range(SESSIONS):
        await measure(user_loop)
    return Marks.costs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    options = parser.parse_args()
    table: dict[str, dict[str, float]] = {}
    for name, loop in (("one loop", "shared"), ("loops of their own", "own")):
        costs = sorted(asyncio.run(many(loop)))
        p99 = costs[int(len(costs) * 0.99) - 1]
        table[name] = {"calls": len(costs), "median_ms": round(statistics.median(costs), 3), "p99_ms": round(p99, 3)}
        print(
            f"{name:20} {len(costs)} calls  median {table[name]['median_ms']:.3f} ms  p99 {table[name]['p99_ms']:.3f} ms"
        )
    if options.out:
        options.out.write_text(json.dumps(table), encoding="utf-8")


if __name__ == "__main__":
    main()
