"""The program of the takeover campaign. Run: program.py start."""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from antiphon import Agent, AgentSession, RoomJobContext, RunContext, function_tool
from antiphon.testing.stt import ScriptedSTT
from tests.takeover.diary import EFFECTS, read
from tests.takeover.serving import FOLDER, acknowledged, acts, events, job_of, made_server, main
from tests.takeover.voice import Mind, Voice
from tests.takeover.words import GREETING

server = made_server()
HELD: list[bytearray] = []


@dataclass
class Done:
    """The agent's state: turns whose tool has returned."""

    turns: list[int] = field(default_factory=list)


class Clerk(Agent):
    """Greets, and does what each turn asks for."""

    def __init__(self) -> None:
        super().__init__(instructions="Do what is asked.", state=Done())

    async def on_enter(self) -> None:
        self.session.say(GREETING)

    @function_tool
    async def book(self, ctx: RunContext[Any], turn: int) -> str:
        """Once, or nobody knows."""
        await self._works(ctx, turn)
        acts("book", ctx, turn, ctx.idempotency_key)
        await self._works(ctx, turn)
        return self._over(turn)

    @function_tool(retry="key")
    async def pay(self, ctx: RunContext[Any], turn: int) -> str:
        """At a service that knows a key which it has had."""
        await self._works(ctx, turn)
        once("pay", ctx, turn)
        await self._works(ctx, turn)
        return self._over(turn)

    @function_tool(retry="replay")
    async def ship(self, ctx: RunContext[Any], turn: int) -> str:
        """In steps."""
        await self._works(ctx, turn)
        await ctx.step("pack", lambda: acts("pack", ctx, turn, f"{ctx.idempotency_key} pack"))
        await self._works(ctx, turn)
        once("send", ctx, turn)
        return self._over(turn)

    @function_tool(retry="replay")
    async def crash(self, ctx: RunContext[Any], turn: int) -> str:
        """Ends the process, each time."""
        events.note("crash", job=job_of(ctx), turn=turn)
        os.kill(os.getpid(), signal.SIGKILL)
        return ""

    @function_tool
    async def hog(self, ctx: RunContext[Any], turn: int) -> str:
        """Takes much memory."""
        events.note("hog", job=job_of(ctx), turn=turn)
        HELD.append(bytearray(b"x" * 600_000_000))
        await asyncio.sleep(5.0)
        return self._over(turn)

    async def _works(self, ctx: RunContext[Any], turn: int) -> None:
        events.note("inside", job=job_of(ctx), turn=turn, tool=ctx.function_call.name)
        await asyncio.sleep(0.3)

    def _over(self, turn: int) -> str:
        self.state.turns.append(turn)
        return f"done {turn}"


def once(kind: str, ctx: RunContext[Any], turn: int) -> None:
    """What a service does that takes idempotency keys."""
    key = f"{ctx.idempotency_key} {kind}"
    with (FOLDER / EFFECTS).open() as done:
        fcntl.flock(done, fcntl.LOCK_EX)
        if key not in {line["key"] for line in read(FOLDER / EFFECTS)}:
            acts(kind, ctx, turn, key)


@server.rtc_session
async def entrypoint(ctx: RoomJobContext) -> None:
    session = AgentSession[str](
        stt=ScriptedSTT(), llm=Mind(), tts=Voice(), turn_detector=None, user_away_timeout=0.0, userdata=ctx.job.id
    )
    session.on("error", lambda event: events.note("error", job=ctx.job.id, error=str(event.error)[:300]))
    events.note("serving", job=ctx.job.id, session=ctx.id, epoch=ctx.epoch, resumed=ctx.resumption is not None)
    await session.start(Clerk(), ctx)
    events.note("started", job=ctx.job.id, epoch=ctx.epoch)
    await acknowledged(ctx)


@server.safe
async def safe(ctx: RoomJobContext) -> None:
    """Says a word, and ends."""
    events.note("safe", job=ctx.job.id)
    session = AgentSession[None](stt=None, llm=None, tts=Voice(), turn_detector=None)
    await session.start(Agent(instructions=""), ctx)
    await session.say("Sorry.")
    session.shutdown(reason="safe")


if __name__ == "__main__":
    sys.exit(main(server))
