"""A job on real threads: the user's loop, the core and the plane; what blocks one does not touch the others."""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path
from typing import Any

from antiphon import Agent, AgentSession, JobContext, RunContext, TurnDetector, TurnEvidence, function_tool
from antiphon.audio.seam import LegSpec
from antiphon.audio.thread_plane import ThreadPlane
from antiphon.audio.vad import EnergyVAD
from antiphon.store.log_reader import read_log
from antiphon.testing.leg import PcmLeg
from antiphon.testing.llm import ScriptedLLM, calls
from antiphon.testing.stt import ScriptedSTT
from antiphon.testing.tts import ScriptedTTS
from antiphon.testing.vad import LoudnessVAD
from antiphon.transport import offer_leg
from antiphon.transport.memory import MemoryLeg
from tests.audio.plane_driver import tone


class Blocking(Agent):
    def __init__(self) -> None:
        super().__init__(instructions="x")

    @function_tool
    async def slow(self, ctx: RunContext[Any]) -> str:
        """Blocks the loop."""
        time.sleep(0.6)
        return "done"


def test_a_tool_that_blocks_the_loop_is_named_and_nobody_elses_sound_stops(tmp_path: Path) -> None:
    async def main() -> None:
        leg = PcmLeg(time.monotonic())
        offer_leg("blocking", leg)
        plane = ThreadPlane(LoudnessVAD)
        await plane.start()
        ctx = JobContext(
            leg=LegSpec("object", {"key": "blocking"}),
            plane=plane,
            log=str(tmp_path / "call.jsonl"),
            report=str(tmp_path / "call.json"),
            record=str(tmp_path / "call.wav"),
        )
        ended: list[str] = []
        ctx.add_shutdown_callback(ended.append)
        session: AgentSession[Any] = AgentSession(
            stt=None,
            llm=ScriptedLLM({"go": [("Let me look that up for you now.", calls("slow")), "Found it."]}),
            tts=ScriptedTTS(pcm=True),
            turn_detector=None,
        )
        await session.start(Blocking(), ctx)
        result = await session.run(user_input="go")
        assert [getattr(e, "text", "") for e in result.events if getattr(e, "role", "") == "assistant"] == [
            "Let me look that up for you now.",
            "Found it.",
        ]
        await ctx.aclose()
        await plane.aclose()
        report = ctx.report()
        stalls = [s for s in report.stalls if "slow" in s.running]
        assert stalls, report.stalls
        assert "test_job.py" in stalls[0].where
        assert ended == ["job_shutdown"]
        assert report.recording == str(tmp_path / "call.wav")

    asyncio.run(main())
    assert (tmp_path / "call.wav").stat().st_size > 40_000
    assert (tmp_path / "call.json").exists()
    assert read_log(tmp_path / "call.jsonl").facts()


def test_a_leg_that_cannot_be_opened_ends_the_session_and_says_why() -> None:
    async def main() -> None:
        plane = ThreadPlane(LoudnessVAD)
        await plane.start()
        ctx = JobContext(leg=LegSpec("wav", {"path": "no-such-file.wav"}), plane=plane)
        session: AgentSession[Any] = AgentSession(stt=None, llm=ScriptedLLM(), tts=None, turn_detector=None)
        errors: list[Any] = []
        session.on("error", errors.append)
        await session.start(Agent(instructions="x"), ctx)
        assert await session.wait_closed() == "error"
        assert any("no-such-file.wav" in error.error for error in errors)
        await plane.aclose()

    asyncio.run(asyncio.wait_for(main(), 10))


def test_a_detector_of_the_users_is_asked_on_the_users_loop() -> None:
    """It may block and may hold what belongs to that loop; the core goes on meanwhile."""
    asked: list[str] = []

    class Own(TurnDetector):
        async def predict(self, evidence: TurnEvidence) -> float:
            asked.append(threading.current_thread().name)
            return 0.9

    async def main() -> None:
        leg = MemoryLeg(tone(0.8, 16_000))
        offer_leg("detector", leg)
        plane = ThreadPlane(EnergyVAD)
        await plane.start()
        ctx = JobContext(leg=LegSpec("object", {"key": "detector"}), plane=plane)
        session: AgentSession[Any] = AgentSession(stt=ScriptedSTT(), llm=ScriptedLLM(), tts=None, turn_detector=Own())
        await session.start(Agent(instructions="x"), ctx)
        async with asyncio.timeout(10):
            while not asked:
                await asyncio.sleep(0.05)
        await session.aclose()
        await plane.aclose()

    asyncio.run(main())
    assert set(asked) == {threading.current_thread().name}
