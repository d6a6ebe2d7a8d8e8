"""A sentence that goes on while its session changes hands: a real plane, a real store, the core's own thread."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import numpy as np

from antiphon import Agent, AgentSession, JobContext
from antiphon.audio.frames import PLAY_RATE
from antiphon.audio.seam import LegSpec
from antiphon.audio.thread_plane import ThreadPlane
from antiphon.store.sqlite import SQLiteStore
from antiphon.testing import ScriptedLLM, ScriptedSTT, ScriptedTTS
from antiphon.testing.vad import LoudnessVAD
from antiphon.transport import offer_leg
from antiphon.transport.memory import MemoryLeg
from antiphon.worker.durability import Durability, Hold

STORY = "Once there was a king. He had three daughters. They lived by the sea."
WORD = 0.15


class Teller(Agent):
    def __init__(self) -> None:
        super().__init__(instructions="Tell stories.")

    async def on_enter(self) -> None:
        self.session.say(STORY)


async def talking(hold: Hold, plane: Any) -> AgentSession[Any]:
    session: AgentSession[Any] = AgentSession(
        llm=ScriptedLLM("Yes."), stt=ScriptedSTT(), tts=ScriptedTTS(pcm=True, word_seconds=WORD), turn_detector=None
    )
    leg = LegSpec("object", {"key": "taken"})
    await session.start(Teller(), JobContext(leg=leg, plane=plane, **hold.job_options()))
    return session


def test_the_sentence_goes_on_in_the_next_owners_hands(tmp_path: Path) -> None:
    async def story() -> tuple[np.ndarray[Any, Any], str, list[str]]:
        store, plane, leg = SQLiteStore(tmp_path / "calls.db"), ThreadPlane(LoudnessVAD), MemoryLeg()
        offer_leg("taken", leg)
        await plane.start()
        durability, heard = Durability(store, owner="here", build="this"), asyncio.Event()
        hold = await durability.create("call", {})
        first = await talking(hold, plane)
        first.on("agent_transcript", lambda event: heard.set() if "king" in event.heard else None)
        await heard.wait()
        await first.hand_over(within=0.0)
        await hold.release()
        second = await talking(await durability.take_over("call", attach=True), plane)
        errors: list[str] = []
        second.on("error", lambda event: errors.append(event.error))
        await second.wait_for_idle()
        await second.aclose()
        told = " ".join(message.text for message in second.history.messages)
        await durability.aclose()
        await plane.aclose()
        await store.aclose()
        return leg.sounded(), told, errors

    sounded, told, errors = asyncio.run(asyncio.wait_for(story(), 30.0))
    assert told == STORY and not errors
    seconds = np.count_nonzero(np.abs(sounded) > 50) / PLAY_RATE
    whole = len(STORY.split()) * WORD
    assert whole - 1.5 * WORD < seconds < whole + 1.5 * WORD, (seconds, whole)
