"""The real LiveKit server is killed and started anew while a call runs: its rooms are gone with it, and the call goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.worker.livekit_server import LiveKitProcess, serve
from tests.worker.room_agent import a_room
from tests.worker.room_caller import RoomCaller
from tests.worker.test_livekit_rooms import CALLERS, dispatch, worker


@pytest.fixture
def own_livekit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveKitProcess]:
    """One that this test may kill."""
    yield from serve(tmp_path_factory.mktemp("livekit"))


def test_a_call_goes_on_when_the_server_is_killed_and_starts_anew(own_livekit: LiveKitProcess, tmp_path: Path) -> None:
    """Agent and caller join the room that is made again; the worker registers anew and takes jobs; no slot stays taken."""

    async def call() -> None:
        async with worker(own_livekit, tmp_path) as running:
            caller = RoomCaller(own_livekit.url, a_room())
            await caller.join()
            await dispatch(own_livekit, caller.name)
            await caller.until(lambda: "listening" in caller.states)
            agent = caller.agents[0]

            await asyncio.to_thread(own_livekit.restart)
            await running.says("registered as", 4)
            await caller.until(lambda: agent in caller.room.remote_participants, 60)

            await caller.room.local_participant.send_text("A cappuccino please", topic="lk.chat")
            await caller.until(lambda: "brown sugar" in caller.caption_of(agent))
            assert caller.voiced() > 1, "it is heard again"
            await caller.say(CALLERS / "1-heart.wav", then=2.5)
            await caller.until(lambda: "almond milk" in caller.caption_of(agent))

            await caller.leave()
            await running.says("is over: participant_disconnected")

            other = RoomCaller(own_livekit.url, a_room())
            await other.join(microphone=False)
            await dispatch(own_livekit, other.name)
            await other.until(lambda: "listening" in other.states)
            metrics = (await asyncio.to_thread(running.get, "/metrics"))[1]
            assert "antiphon_sessions_active 1\n" in metrics and "antiphon_jobs_failed_total 0\n" in metrics
            await other.leave()
            await running.says("is over", 2)

    asyncio.run(call())


def test_a_call_whose_caller_never_comes_back_ends_with_a_reason(own_livekit: LiveKitProcess, tmp_path: Path) -> None:
    async def call() -> None:
        async with worker(own_livekit, tmp_path) as running:
            caller = RoomCaller(own_livekit.url, a_room())
            await caller.join(microphone=False)
            await dispatch(own_livekit, caller.name)
            await caller.until(lambda: "listening" in caller.states)
            own_livekit.process.kill()
            own_livekit.process.wait()
            await caller.leave()
            await asyncio.to_thread(own_livekit.restart)
            await running.says("registered as", 4)
            await running.says("is over: participant_disconnected", seconds=60)
            metrics = (await asyncio.to_thread(running.get, "/metrics"))[1]
            assert "antiphon_sessions_active 0\n" in metrics
            # What became of a job that the server does not know any more costs no connection.
            await dispatch(own_livekit, a_room(), agent="broken")
            await running.says("the machine is out of beans")
            assert sum("Trying again" in line for line in running.lines) == 2

    asyncio.run(call())
