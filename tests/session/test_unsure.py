"""A process that may not own its session any more says nothing until it knows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from antiphon import Agent, AgentSession, JobContext
from antiphon.audio.inline_plane import InlinePlane
from antiphon.audio.seam import LegSpec
from antiphon.testing import ScriptedLLM, ScriptedSTT, ScriptedTTS
from antiphon.testing.leg import SimulatedLeg
from antiphon.testing.loop import run
from antiphon.transport import offer_leg, withdraw_leg


class Scripted:
    """An ``Ownership`` that the test rules."""

    def __init__(self) -> None:
        self.sure = True
        self.told: Callable[[bool], None] = lambda ours: None

    def listen(self, told: Callable[[bool], None]) -> None:
        self.told = told


def call(story: Callable[[AgentSession[Any], Scripted, SimulatedLeg], Any]) -> tuple[str, str]:
    """What was heard, and why it ended."""

    async def main() -> tuple[str, str]:
        plane, ownership = InlinePlane(), Scripted()
        leg = SimulatedLeg(asyncio.get_running_loop().time())
        leg.on_change = plane.poke
        offer_leg("unsure", leg)
        session: AgentSession[Any] = AgentSession(
            llm=ScriptedLLM("Yes."), stt=ScriptedSTT(), tts=ScriptedTTS(), turn_detector=None
        )
        spec = LegSpec("object", {"key": "unsure"})
        context = JobContext(leg=spec, plane=plane, user_loop="shared", ownership=ownership)
        await session.start(Agent(instructions="Be kind."), context)
        await story(session, ownership, leg)
        await session.aclose()
        await plane.aclose()
        withdraw_leg("unsure")
        return leg.ear.text, session.close_reason

    return run(main())


def test_what_is_said_while_it_is_not_sure_whose_the_session_is_waits() -> None:
    async def story(session: AgentSession[Any], ownership: Scripted, leg: SimulatedLeg) -> None:
        await session.say("One.")
        ownership.sure = False
        handle = session.say("Two.")
        await asyncio.sleep(2.0)
        assert leg.ear.text == "One."
        ownership.sure = True
        ownership.told(True)
        await handle

    heard, reason = call(story)
    assert heard == "One. Two." and reason == "user_initiated"


def test_where_another_has_it_nothing_of_that_is_said() -> None:
    async def story(session: AgentSession[Any], ownership: Scripted, leg: SimulatedLeg) -> None:
        await session.say("One.")
        ownership.sure = False
        session.say("Two.")
        await asyncio.sleep(1.0)
        ownership.told(False)
        assert await session.wait_closed() == "fenced"

    assert call(story) == ("One.", "fenced")


def test_a_session_of_which_nobody_can_say_whose_it_is_for_a_minute_counts_as_another_s() -> None:
    async def story(session: AgentSession[Any], ownership: Scripted, leg: SimulatedLeg) -> None:
        await session.say("One.")
        ownership.sure = False
        session.say("Two.")
        await asyncio.sleep(59.0)
        assert not session.close_reason
        await asyncio.sleep(3.0)
        assert await session.wait_closed() == "fenced"

    assert call(story) == ("One.", "fenced")
