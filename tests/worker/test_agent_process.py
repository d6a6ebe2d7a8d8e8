"""What an agent process tells its supervisor of a call, on the core thread of this process, with a real store. The line is one in memory."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from antiphon import Agent, AgentSession, function_tool
from antiphon.audio.inline_plane import InlinePlane
from antiphon.errors import StoreError
from antiphon.models.store import Lease, StoredSession
from antiphon.session.lanes import Lane
from antiphon.store.sqlite import SQLiteStore
from antiphon.testing import ScriptedLLM
from antiphon.testing.llm import calls
from antiphon.transport.memory import MemoryLeg
from antiphon.worker import agent_messages as m
from antiphon.worker.agent_process import AgentProcess
from antiphon.worker.call_files import CallFiles
from antiphon.worker.engine import JobOffer
from antiphon.worker.runtime import default_runtime
from antiphon.worker.server import AgentServer


class Store(SQLiteStore):
    """``deaf``: it lets nobody go."""

    deaf = False

    async def release(self, lease: Lease) -> None:
        if self.deaf:
            raise StoreError("The disk is full.", reason="full")
        await super().release(lease)


class Process:
    """One agent process; ``said``: what it told. ``session``: of the entrypoint ``talk``."""

    def __init__(self, folder: Path) -> None:
        self.store = Store(folder / "calls.db")
        self.said: list[m.AnyFromAgent] = []
        self.leg = MemoryLeg()
        self.session: AgentSession[Any] | None = None
        self.script: Any = "Yes."
        self.tools: list[Any] = []
        self.loads = 0.0
        server = AgentServer(store=self.store)
        server.rtc_session(self.talk, agent_name="talk")
        self._ours, theirs = socket.socketpair()
        self.process = AgentProcess(server, None, Lane(asyncio.get_running_loop()), theirs, CallFiles(None))
        self.process.say = self.said.append  # type: ignore[method-assign]
        self.plane: InlinePlane | None = None
        self.process._plane = self._plane  # type: ignore[assignment]
        self.tell(m.Welcome(owner="one"))

    async def _plane(self, media: str) -> InlinePlane:
        if self.plane is None:
            self.plane = InlinePlane(legs=lambda name: lambda options: self.leg)
        return self.plane

    async def talk(self, ctx: Any) -> None:
        ctx.leg = None  # in writing
        await asyncio.sleep(self.loads)
        session: AgentSession[Any] = AgentSession(llm=ScriptedLLM(self.script), stt=None, tts=None, turn_detector=None)
        await session.start(Agent(instructions="Be kind.", tools=self.tools), ctx)
        self.session = session

    def tell(self, message: m.AnyToAgent) -> None:
        default_runtime().core.post(self.process._take, message)

    def take(self, *, agent: str = "talk", resume: bool = False, attach: bool = False) -> None:
        self.tell(
            m.Take(
                job=JobOffer(id="AJ", room="kitchen"),
                agent_name=agent,
                identity="agent",
                url="",
                token="",
                line="call",
                durable=True,
                resume=resume,
                attach=attach,
            )
        )

    async def until(self, kind: type[m.FromAgent]) -> None:
        async with asyncio.timeout(15):
            while not any(isinstance(message, kind) for message in self.said):
                await asyncio.sleep(0.01)

    async def talking(self) -> AgentSession[Any]:
        async with asyncio.timeout(15):
            while self.session is None:
                await asyncio.sleep(0.01)
        return self.session

    async def stored(self) -> StoredSession:
        (session,) = await self.store.sessions()
        return session

    async def aclose(self) -> None:
        core = default_runtime().core.loop
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(self.process.aclose(), core))
        self._ours.close()


def story(tmp_path: Path, told: Callable[[Process], Awaitable[None]]) -> None:
    async def main() -> None:
        process = Process(tmp_path)
        await told(process)
        await process.aclose()

    asyncio.run(main())


def test_a_session_that_another_has_taken_is_none_of_this_worker_s_and_its_line_is_left_alone(tmp_path: Path) -> None:
    async def told(process: Process) -> None:
        process.take()
        await process.talking()
        await process.store.claim("call", owner="one", ttl=3.0)
        await process.until(m.Elsewhere)
        assert process.said == [m.Running(job="AJ"), m.Elsewhere(job="AJ")]
        assert not process.leg.closed and (await process.stored()).status == "live"

    story(tmp_path, told)


def test_a_session_that_somebody_holds_is_not_taken_over_and_not_ended(tmp_path: Path) -> None:
    async def told(process: Process) -> None:
        await process.store.create("call", owner="other", ttl=60.0)
        process.take(resume=True, attach=True)
        await process.until(m.Elsewhere)
        assert process.said == [m.Elsewhere(job="AJ")] and not process.process.calls
        assert (await process.stored()).owner == "other"

    story(tmp_path, told)


def test_a_call_whose_entrypoint_is_gone_is_said_to_have_failed(tmp_path: Path) -> None:
    async def told(process: Process) -> None:
        process.take(agent="listen")
        await process.until(m.Gone)
        failed, gone = process.said
        assert isinstance(failed, m.Failed) and "no entrypoint for the agent 'listen'" in failed.error
        assert gone == m.Gone(job="AJ", reason="error") and not process.process.calls
        assert (await process.stored()).status == "ended"

    story(tmp_path, told)


def test_a_call_is_over_when_its_last_write_is_and_the_log_has_the_result(tmp_path: Path) -> None:
    done: list[str] = []

    @function_tool
    async def pay() -> str:
        """Pay."""
        await asyncio.sleep(7.0)
        done.append("paid")
        return "paid"

    async def told(process: Process) -> None:
        process.script, process.tools = [calls("pay"), "Paid."], [pay]
        process.take()
        session = await process.talking()
        session.run(user_input="Pay, please.")
        await asyncio.sleep(1.0)
        session.shutdown(drain=False, reason="participant_disconnected")
        await session.wait_closed()
        assert not done
        await process.until(m.Gone)
        assert done == ["paid"]
        entries = (await process.store.read("call")).entries
        results = [entry.body["output"] for entry in entries if entry.lane == "fact" and entry.kind == "tool.result"]
        assert results[-1] == "paid"

    story(tmp_path, told)


def test_a_session_that_a_process_made_that_died_before_it_ran_begins_in_the_next(tmp_path: Path) -> None:
    async def told(process: Process) -> None:
        await process.store.create("call", owner="one", ttl=60.0)
        process.take()
        session = await process.talking()
        await session.run(user_input="Hello.")
        assert process.said == [m.Running(job="AJ")] and (await process.stored()).epoch == 2

    story(tmp_path, told)


@pytest.mark.parametrize("after", [0.0, 0.5], ids=["before it runs", "while it loads"])
def test_a_hand_over_that_is_asked_for_before_the_session_runs_happens_then(tmp_path: Path, after: float) -> None:
    async def told(process: Process) -> None:
        process.loads = 1.0
        process.take()
        await asyncio.sleep(after)
        process.tell(m.HandOver(job="AJ", within=1.0))
        await process.until(m.Released)
        assert process.said == [m.Running(job="AJ"), m.Released(job="AJ")]
        assert (await process.stored()).status == "orphaned"

    story(tmp_path, told)


def test_a_call_without_a_line_is_given_back_though_the_store_does_not_hear_of_it(tmp_path: Path) -> None:
    async def told(process: Process) -> None:
        await process.store.create("call", owner="one", ttl=60.0)
        process.store.deaf = True
        process.take(resume=True, attach=True)
        await process.until(m.NoLine)
        assert process.said == [m.NoLine(job="AJ")] and not process.process.calls

    story(tmp_path, told)
