"""A line that opens before its session: nothing that the caller said on it is lost."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from antiphon import Agent, AgentSession, JobContext
from antiphon.audio.frames import EAR_RATE
from antiphon.audio.inline_plane import InlinePlane
from antiphon.audio.leg import LegEvent
from antiphon.audio.seam import LegSpec, LineError, LineUp, MicAudio, VadEdge
from antiphon.audio.vad import EnergyVAD
from antiphon.errors import AudioError
from antiphon.testing import loop as virtual
from antiphon.testing.llm import ScriptedLLM
from antiphon.testing.stt import ScriptedSTT
from antiphon.transport.memory import MemoryLeg
from antiphon.worker.early_line import EarlyLine
from tests.audio.plane_driver import tone


class AnsweringLeg(MemoryLeg):
    """Answers each signal."""

    def signal(self, now: float, data: str) -> None:
        self.happen(LegEvent("signal", f"heard {data}"))


class Page:
    """Whoever serves the transport: collects signals and the end of the line."""

    def __init__(self, leg: MemoryLeg) -> None:
        self.plane = InlinePlane(EnergyVAD(), legs=lambda name: lambda options: leg)
        self.signals: list[str] = []
        self.closed = 0
        self.line = EarlyLine(self.plane, "job", on_signal=self.signals.append, on_closed=self._on_closed)
        self.line.open(LegSpec("any"))

    def _on_closed(self) -> None:
        self.closed += 1


def test_what_a_caller_says_before_the_session_is_there_reaches_it() -> None:
    async def call() -> None:
        page = Page(AnsweringLeg(tone(1.0, EAR_RATE)))
        await asyncio.sleep(2.0)
        kept: list[Any] = []
        page.line.subscribe("job", kept.extend)
        await asyncio.sleep(0)
        assert isinstance(kept[0], LineUp)
        assert [message.edge for message in kept if isinstance(message, VadEdge)] == ["start", "end"]
        assert sum(message.frame.samples for message in kept if isinstance(message, MicAudio)) > 1.9 * EAR_RATE
        await page.plane.aclose()
        await asyncio.sleep(0.1)
        assert page.closed == 1

    virtual.run(call())


def test_a_session_takes_the_line_over_with_the_sound_from_before_and_closes_it() -> None:
    async def call() -> None:
        leg = AnsweringLeg(tone(1.0, EAR_RATE))
        page = Page(leg)
        await asyncio.sleep(2.0)
        stt = ScriptedSTT()
        session: AgentSession[Any] = AgentSession(stt=stt, llm=ScriptedLLM(), tts=None, turn_detector=None)
        errors: list[Any] = []
        session.on("error", errors.append)
        await session.start(
            Agent(instructions="x"),
            JobContext(id="job", plane=page.line, leg=LegSpec("any"), user_loop="shared"),
        )
        await asyncio.sleep(0.5)
        assert stt.streams[0].seconds > 2.3
        page.line.signal("mute")
        await asyncio.sleep(0.1)
        assert page.signals == ["heard mute"]
        await session.aclose()
        assert errors == []
        assert leg.closed and page.closed == 1
        await page.plane.aclose()

    virtual.run(call())


def test_a_line_that_no_session_takes_over_is_closed_by_hand() -> None:
    async def call() -> None:
        leg = AnsweringLeg()
        page = Page(leg)
        page.line.signal("offer")
        await asyncio.sleep(0.1)
        page.line.close()
        await asyncio.sleep(0.1)
        assert leg.closed and page.closed == 1
        assert page.signals == ["heard offer"]
        await page.plane.aclose()

    virtual.run(call())


def test_a_leg_that_takes_no_signals_counts_them_and_one_that_cannot_open_says_so() -> None:
    async def call() -> None:
        page = Page(MemoryLeg())
        page.line.signal("offer")
        await asyncio.sleep(0.1)
        kept: list[Any] = []
        page.line.subscribe("job", kept.extend)
        await page.plane.aclose()
        await asyncio.sleep(0.1)
        assert kept[-1].counts == {"signals_refused": 1}

        def no_leg(name: str) -> Any:
            raise RuntimeError("no such transport")

        closed: list[bool] = []
        plane = InlinePlane(EnergyVAD(), legs=no_leg)
        line = EarlyLine(plane, "job", on_signal=lambda text: None, on_closed=lambda: closed.append(True))
        line.open(LegSpec("any"))
        await asyncio.sleep(0.1)
        assert closed == [True]
        kept.clear()
        line.subscribe("job", kept.extend)
        await asyncio.sleep(0)
        assert isinstance(kept[0], LineError) and kept[0].fatal
        await plane.aclose()

    virtual.run(call())


def test_what_somebody_said_who_is_not_meant_is_forgotten() -> None:
    async def call(*, sound_only: bool) -> list[Any]:
        page = Page(AnsweringLeg(tone(1.0, EAR_RATE)))
        await asyncio.sleep(1.5)
        page.line.forget(sound_only=sound_only)
        await asyncio.sleep(0.5)
        kept: list[Any] = []
        page.line.subscribe("job", kept.extend)
        await asyncio.sleep(0)
        await page.plane.aclose()
        return kept

    for sound_only in (True, False):
        kept = virtual.run(call(sound_only=sound_only))
        assert any(isinstance(message, LineUp) for message in kept) == sound_only
        assert not any(isinstance(message, VadEdge) for message in kept)
        heard = sum(message.frame.samples for message in kept if isinstance(message, MicAudio))
        assert 0.4 * EAR_RATE < heard < 0.6 * EAR_RATE, "what is said from then on counts"


def test_a_line_that_is_over_and_no_session_has_is_not_listened_to_any_more() -> None:
    async def call() -> None:
        page = Page(AnsweringLeg())
        await asyncio.sleep(0.1)
        assert list(page.plane._deliver) == ["job"]
        page.line.close()
        await asyncio.sleep(0.1)
        assert page.closed == 1 and not page.plane._deliver
        missing = EarlyLine(page.plane, "other", on_signal=lambda text: None)
        missing.attach()
        with pytest.raises(AudioError):
            await missing.wait_attached()
        assert not page.plane._deliver
        await page.plane.aclose()

    virtual.run(call())
