"""A program that is changed while a call is in a sub-dialogue inside a tool that writes. Run: trip_program.py start."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from antiphon import Agent, AgentSession, AgentTask, RoomJobContext, RunContext, function_tool
from antiphon.testing import calls
from antiphon.testing.llm import LLMRequest, ToolUse
from antiphon.testing.stt import ScriptedSTT
from tests.takeover.serving import acts, events, made_server, main
from tests.takeover.voice import Mind, Voice, reply
from tests.takeover.words import GREETING, answer

BUILD = "old"
server = made_server()


@dataclass
class Trips:
    """What the agent keeps."""

    noted: list[int] = field(default_factory=list)
    booked: list[str] = field(default_factory=list)


class GetCity(AgentTask[str]):
    """Asks for the city, in the words that the caller waits for behind the second turn."""

    def __init__(self) -> None:
        super().__init__(instructions="Ask for the city.")

    async def on_enter(self) -> None:
        self.session.say(" ".join(answer(2)))

    @function_tool(retry="replay")
    async def set_city(self, city: str) -> None:
        """Note the city."""
        self.complete(f"{city} ({BUILD})")


class Desk(Agent):
    """Books trips."""

    def __init__(self) -> None:
        super().__init__(instructions=f"build-{BUILD}", state=Trips())

    async def on_enter(self) -> None:
        self.session.say(GREETING)

    @function_tool
    async def note(self, turn: int) -> str:
        """Changes the state."""
        self.state.noted.append(turn)
        return "noted"

    @function_tool(retry="replay")
    async def trip(self, ctx: RunContext[Any], turn: int) -> str:
        """Reserves, then asks."""
        number = await ctx.step("reserve", lambda: reserved(ctx, turn))
        self.state.booked.append(f"{number} to {await GetCity()}")
        return self.state.booked[-1]


def reserved(ctx: RunContext[Any], turn: int) -> str:
    acts("reserve", ctx, turn, ctx.idempotency_key)
    return f"R{turn}"


def speak(request: LLMRequest) -> str | ToolUse:
    """The third turn names the city; its answer says which build gives it."""
    made = reply(request)
    if "turn 3" not in request.user_text or isinstance(made, ToolUse):
        return made
    if any(tool.name == "set_city" for tool in request.tools):
        return calls("set_city", city="Paris")
    return f"{request.instructions} {made}"


@server.rtc_session
async def entrypoint(ctx: RoomJobContext) -> None:
    mind = Mind()
    mind.answers = speak
    session = AgentSession[str](
        stt=ScriptedSTT(), llm=mind, tts=Voice(), turn_detector=None, user_away_timeout=0.0, userdata=ctx.job.id
    )
    session.on("error", lambda event: events.note("error", job=ctx.job.id, error=str(event.error)[:300]))
    events.note("serving", job=ctx.job.id, epoch=ctx.epoch, resumed=ctx.resumption is not None, build=BUILD)
    await session.start(Desk(), ctx)


if __name__ == "__main__":
    sys.exit(main(server))
