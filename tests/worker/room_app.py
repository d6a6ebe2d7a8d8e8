"""The program of the room tests: a scripted mind, recorded people for a voice, the real recogniser. Run: room_app.py start."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from antiphon import Agent, AgentServer, AgentSession, JobOffer, Refusal, RoomJobContext, run
from antiphon.testing.llm import ScriptedLLM
from tests.web.app import ANSWERS, RecordedVoice


def decide(offer: JobOffer) -> Refusal | None:
    return Refusal(terminate=True) if offer.metadata == "nobody" else None


server = AgentServer(load_threshold=100.0, plane="process", on_request=decide)


@server.rtc_session(agent_name="barista")
async def entrypoint(ctx: RoomJobContext) -> None:
    await ctx.connect()
    caller = await ctx.wait_for_participant()

    @ctx.room.register_rpc_method("order")
    async def order(call: object) -> str:
        return f"{caller.identity} in {ctx.room.name} gets {call.payload}"  # type: ignore[attr-defined]

    await ctx.room.set_attributes({"counter": "left"})
    await ctx.room.send_text(f"metadata: {ctx.job.metadata}", topic="note")
    session = AgentSession[None](
        stt="local/moonshine-base-en",
        llm=ScriptedLLM(ANSWERS, ttft=0.1),
        tts=RecordedVoice(),
        turn_detector=None,
        user_away_timeout=0.0,
    )
    await session.start(Agent(instructions="You work at a coffee counter."), ctx)


@server.rtc_session(agent_name="broken")
async def broken(ctx: RoomJobContext) -> None:
    raise ValueError("the machine is out of beans")


if __name__ == "__main__":
    run(server)
