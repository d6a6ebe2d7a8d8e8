"""The program of the supervisor's tests. Its callers are WAV files, not rooms; what goes wrong in a call, its job's metadata says.

Run: supervised_app.py start. ``SERVER`` in the environment: options of the ``AgentServer`` as JSON. ``CALLS``: a folder; what each
caller heard is written there.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from antiphon import Agent, AgentServer, AgentSession, ModelMissingError, RoomJobContext, run
from antiphon.audio.seam import LegSpec
from antiphon.testing.llm import ScriptedLLM
from antiphon.worker import room_job
from antiphon.worker.engine import Assignment
from tests.web.app import ANSWERS, CALLERS, LONG, RecordedVoice

FOLDER = os.environ["CALLS"]
TROUBLE = os.environ.get("TROUBLE", "")
if TROUBLE == "import" and "ANTIPHON_SUPERVISOR" in os.environ:
    raise ImportError("only in an agent process")


def caller(assignment: Assignment) -> LegSpec:
    """One who says nothing for long, and hangs up after the seconds that the room's name ends with."""
    seconds = float(assignment.offer.room.rpartition("-")[2])
    heard = f"{FOLDER}/{assignment.offer.id}-{assignment.acceptance.identity}.wav"
    return LegSpec("wav", {"path": str(CALLERS / "1-heart.wav"), "out": heard, "lead_in": seconds, "tail": 0.1})


room_job.room_leg = caller
server = AgentServer(load_threshold=100.0, **json.loads(os.environ.get("SERVER", "{}")))


class Talker(Agent):
    """Begins with something long."""

    def __init__(self) -> None:
        super().__init__(instructions="Tell of coffee.")

    async def on_enter(self) -> None:
        self.session.say(LONG)


@server.rtc_session(agent_name="coffee")
async def coffee(ctx: RoomJobContext) -> None:
    if TROUBLE == "model":
        raise ModelMissingError("There is no such voice.", hint="Say another.")
    session = AgentSession[None](
        stt=None, llm=ScriptedLLM(ANSWERS), tts=RecordedVoice(), turn_detector=None, user_away_timeout=0.0
    )
    await session.start(Talker(), ctx)
    happen(ctx.metadata)


@server.rtc_session(agent_name="tea")
async def tea(ctx: RoomJobContext) -> None:
    session = AgentSession[None](stt=None, llm=ScriptedLLM(ANSWERS), tts=None, turn_detector=None)
    await session.start(Agent(instructions="Tea."), ctx)


def happen(what: str) -> None:
    """What goes wrong."""
    match what:
        case "crash":
            os.kill(os.getpid(), signal.SIGKILL)
        case "hang":
            os.kill(os.getpid(), signal.SIGSTOP)
        case "block":
            time.sleep(4)
        case "hog":
            HELD.append(bytearray(400_000_000))
            HELD[0][::4096] = b"x" * len(HELD[0][::4096])
        case _:
            return


HELD: list[bytearray] = []

if "safe" in os.environ.get("WITH", ""):

    @server.safe
    async def safe(ctx: RoomJobContext) -> None:
        session = AgentSession[None](stt=None, llm=None, tts=RecordedVoice(), turn_detector=None)
        await session.start(Agent(instructions=""), ctx)
        await session.say("Sorry")
        session.shutdown(reason="safe")


if __name__ == "__main__":
    run(server)
