"""A call in a process that is killed, and the process that goes on with it. Run by ``test_killed_call``: ``first FILE`` tells what happens,
line by line, until it is killed; ``second FILE`` goes on and prints what came of the call as JSON.

Both run the same entrypoint, from its beginning, over one file.
"""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from antiphon import Agent, AgentSession, AgentTask, JobContext, RunContext, function_tool
from antiphon.store.sqlite import SQLiteStore
from antiphon.testing import ScriptedLLM, calls
from antiphon.worker.durability import Durability, Hold

STORY = "Once there was a king. He had three daughters. They lived by the sea. Nobody knew why."
SCRIPT: dict[Any, Any] = {
    "story": STORY,
    "paris": [calls("set_city", city="Paris"), "All booked."],
    "trip": [calls("book"), "All booked."],
    "bye": "Goodbye.",
}


@dataclass
class Trips:
    booked: list[str] = field(default_factory=list)


class GetCity(AgentTask[str]):
    def __init__(self) -> None:
        super().__init__(instructions="Ask for the city.")

    async def on_enter(self) -> None:
        self.session.say("Which city please?")

    @function_tool(retry="replay")
    async def set_city(self, city: str) -> None:
        """Note the city."""
        self.complete(city)


class Desk(Agent):
    def __init__(self) -> None:
        super().__init__(instructions="Book trips.", state=Trips())

    async def on_enter(self) -> None:
        self.session.say("Hello there.")

    @function_tool(retry="replay")
    async def book(self, ctx: RunContext[Any]) -> str:
        """Book a trip."""

        def reserve() -> str:
            with (Path(sys.argv[2]).parent / "effects").open("a") as effects:
                effects.write("reserved\n")
            return "R1"

        number = await ctx.step("reserve", reserve)
        trip = f"{number} to {await GetCity()}"
        self.state.booked.append(trip)
        return trip


def tell(line: str) -> None:
    print(line, flush=True)


async def entrypoint(hold: Hold, llm: ScriptedLLM) -> AgentSession[Any]:
    session: AgentSession[Any] = AgentSession(llm=llm, stt=None, tts=None, turn_detector=None)
    session.on("error", lambda event: tell(f"error {event.error}"))
    session.on("conversation_item_added", lambda event: tell(f"item {getattr(event.item, 'text', event.item.id)}"))
    session.on("agent_state_changed", lambda event: tell(f"state {event.new_state}"))
    await session.start(Desk(), JobContext(**hold.job_options()))
    return session


async def first(path: str) -> None:
    durability = Durability(SQLiteStore(path), owner="here", build="this", ttl=1.0)
    session = await entrypoint(await durability.create("call", {}), ScriptedLLM(SCRIPT, word_seconds=0.05))
    while line := await asyncio.to_thread(sys.stdin.readline):
        await session.wait_for_idle()
        session.run(user_input=line.strip())
    await asyncio.sleep(60.0)


async def second(path: str) -> None:
    store = SQLiteStore(path)
    durability = Durability(store, owner="here", build="this", ttl=1.0)
    hold = await durability.take_over("call", attach=False)
    assert hold.resumption is not None
    llm = ScriptedLLM(SCRIPT)
    llm._call_ids = 100  # a service gives no id twice
    session = await entrypoint(hold, llm)
    for line in sys.stdin.read().splitlines():
        with suppress(TimeoutError):  # a tool that awaits the caller is never idle
            await asyncio.wait_for(session.wait_for_idle(), 1.0)
        await session.run(user_input=line)
    with suppress(TimeoutError):
        await asyncio.wait_for(session.wait_for_idle(), 10.0)
    agent = session.current_agent
    history = [(m.role, m.text) for m in session.history.messages]
    await session.aclose()
    tell(
        json.dumps(
            {
                "exact": hold.resumption.exact,
                "history": history,
                "agent": f"{type(agent).__module__}:{agent.id}",
                "booked": getattr(agent.state, "booked", None),
                "outputs": [item.output for item in session.history.items if hasattr(item, "output")],
                "status": [one.status for one in await store.sessions()],
            }
        )
    )
    await durability.aclose()
    await store.aclose()


if __name__ == "__main__":
    asyncio.run({"first": first, "second": second}[sys.argv[1]](sys.argv[2]))
