"""Calls in rooms of a real LiveKit server: dispatched to a worker, held by voice and in writing, and ended."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from livekit import api

from antiphon import Agent, AgentSession, JobContext
from antiphon.audio.seam import LegSpec
from antiphon.testing.llm import ScriptedLLM
from antiphon.testing.stt import ScriptedSTT
from antiphon.testing.tts import ScriptedTTS
from tests.worker.livekit_server import KEY, SECRET, LiveKitProcess
from tests.worker.room_agent import a_room
from tests.worker.room_caller import RoomCaller
from tests.worker.supervised import Supervised
from tests.worker.supervised import worker as started

HERE = Path(__file__).parent
CALLERS = HERE.parents[1] / "examples" / "coffee" / "callers"


@asynccontextmanager
async def worker(livekit: LiveKitProcess, folder: Path, *words: str) -> AsyncIterator[Supervised]:
    """A worker that is registered and has its models."""
    async with started(folder, HERE / "room_app.py", livekit.url, *words) as running:
        await running.says("registered as", 2)
        assert (await asyncio.to_thread(running.get, "/readyz"))[0] == 200
        yield running


async def dispatch(livekit: LiveKitProcess, room: str, agent: str = "barista", metadata: str = "") -> None:
    async with api.LiveKitAPI(livekit.url, KEY, SECRET) as server:
        request: Any = api.CreateAgentDispatchRequest(agent_name=agent, room=room, metadata=metadata)
        await server.agent_dispatch.create_dispatch(request)


async def called(livekit: LiveKitProcess, *, microphone: bool = True, metadata: str = "") -> RoomCaller:
    """A caller in a room of their own, whose agent listens."""
    caller = RoomCaller(livekit.url, a_room())
    await caller.join(microphone=microphone)
    await dispatch(livekit, caller.name, metadata=metadata)
    await caller.until(lambda: "listening" in caller.states)
    return caller


def test_a_caller_in_a_room_is_answered_by_voice_and_in_writing(livekit: LiveKitProcess, tmp_path: Path) -> None:
    async def call() -> None:
        async with worker(livekit, tmp_path) as running:
            caller = await called(livekit, metadata="table 4")
            assert caller.texts == ["metadata: table 4"]
            agent = caller.room.remote_participants[caller.agents[0]]
            assert agent.attributes["counter"] == "left"

            await caller.say(CALLERS / "1-heart.wav", then=2.5)
            await caller.until(lambda: "iced mocha" in caller.caption_of("caller").lower())
            await caller.until(lambda: "almond milk" in caller.caption_of(agent.identity))
            assert caller.voiced() > 3, "the answer is five seconds long"
            assert {"listening", "speaking"} <= set(caller.states), "the server may merge states that are short"

            answer = await caller.room.local_participant.perform_rpc(
                destination_identity=agent.identity, method="order", payload="a latte"
            )
            assert answer == f"caller in {caller.name} gets a latte"

            await caller.room.local_participant.send_text("A cappuccino please", topic="lk.chat")
            await caller.until(lambda: "brown sugar" in caller.caption_of(agent.identity))

            await caller.leave()
            await running.says("is over: participant_disconnected")
            metrics = (await asyncio.to_thread(running.get, "/metrics"))[1]
            assert "antiphon_jobs_taken_total 1\n" in metrics and "antiphon_sessions_active 0\n" in metrics

    asyncio.run(call())


def test_a_worker_that_is_stopped_lets_its_call_end_and_takes_no_other(livekit: LiveKitProcess, tmp_path: Path) -> None:
    async def drain() -> None:
        async with worker(livekit, tmp_path) as running:
            caller = await called(livekit)
            running.process.send_signal(signal.SIGTERM)
            await running.says("taking no more calls")
            status, text = await asyncio.to_thread(running.get, "/readyz")
            assert status == 503 and '"draining": true' in text
            assert (await asyncio.to_thread(running.get, "/livez"))[0] == 200
            await caller.room.local_participant.send_text("A cappuccino please", topic="lk.chat")
            await caller.until(lambda: "brown sugar" in caller.caption_of(caller.agents[0]))
            await caller.leave()
            assert await running.exits() == 0

    asyncio.run(drain())


def test_the_process_of_a_call_is_killed_and_its_caller_hears_the_sentence_go_on(
    livekit: LiveKitProcess, tmp_path: Path
) -> None:
    async def call() -> None:
        async with worker(livekit, tmp_path, "--store", f"sqlite:///{tmp_path / 'calls.db'}") as running:
            caller = await called(livekit)
            await caller.say(CALLERS / "1-heart.wav", then=2.5)
            await caller.until(lambda: caller.voiced() > 0.8)
            await running.until(lambda: len(running.agents()) == 2)
            os.kill(running.serving()[0], signal.SIGKILL)
            await running.says("goes on in process")
            await caller.until(lambda: caller.voiced() > 4, 15)
            assert len(caller.agents) == 1, "it never left the room"
            await caller.room.local_participant.send_text("A cappuccino please", topic="lk.chat")
            await caller.until(lambda: "brown sugar" in caller.caption_of(caller.agents[0]))
            answer = await caller.room.local_participant.perform_rpc(
                destination_identity=caller.agents[0], method="order", payload="a latte"
            )
            assert answer == f"caller in {caller.name} gets a latte", "the entrypoint has run again"
            await caller.leave()
            await running.says("is over")

    asyncio.run(call())


def test_the_media_process_is_killed_and_the_agent_joins_its_room_again(
    livekit: LiveKitProcess, tmp_path: Path
) -> None:
    async def call() -> None:
        async with worker(livekit, tmp_path, "--store", f"sqlite:///{tmp_path / 'calls.db'}") as running:
            caller = await called(livekit)
            await running.until(lambda: len(running.agents()) == 2)
            os.kill(running.media()[0], signal.SIGKILL)
            await caller.until(lambda: len(caller.agents) == 2)
            before, now = caller.agents
            assert now == f"{before}-e2"
            await caller.until(lambda: before not in caller.room.remote_participants)
            await caller.room.local_participant.send_text("A cappuccino please", topic="lk.chat")
            await caller.until(lambda: "brown sugar" in caller.caption_of(now))
            await caller.leave()
            await running.says("is over")

    asyncio.run(call())


def test_jobs_that_fail_or_are_refused_leave_the_worker_as_it_was(livekit: LiveKitProcess, tmp_path: Path) -> None:
    async def trouble() -> None:
        async with worker(livekit, tmp_path) as running:
            await dispatch(livekit, a_room(), agent="broken")
            await running.says("the machine is out of beans")
            await dispatch(livekit, a_room(), metadata="nobody")
            caller = await called(livekit, microphone=False)
            metrics = (await asyncio.to_thread(running.get, "/metrics"))[1]
            assert "antiphon_jobs_failed_total 1\n" in metrics and "antiphon_jobs_refused_total 1\n" in metrics
            async with api.LiveKitAPI(livekit.url, KEY, SECRET) as server:
                await server.room.delete_room(api.DeleteRoomRequest(room=caller.name))
            await running.says("is over", 2)
            await caller.leave()

    asyncio.run(trouble())


def test_a_room_that_cannot_be_joined_ends_the_session_and_no_log_shows_the_token(
    livekit: LiveKitProcess, caplog: pytest.LogCaptureFixture
) -> None:
    grants = api.VideoGrants(room_join=True, room=a_room())
    token = (
        api.AccessToken(KEY, "another-secret-that-is-long-enough-too").with_grants(grants).with_identity("a").to_jwt()
    )

    async def join(url: str) -> list[str]:
        errors: list[str] = []
        context = JobContext(leg=LegSpec("livekit", {"url": url, "token": token}), plane="thread")
        session = AgentSession[None](stt=ScriptedSTT(), llm=ScriptedLLM("Hello."), tts=ScriptedTTS(pcm=True))
        session.on("error", lambda event: errors.append(event.error))
        await session.start(Agent(instructions="Say hello."), context)
        assert await asyncio.wait_for(session.wait_closed(), 30) == "error"
        await context.aclose()
        return errors

    refused = asyncio.run(join(livekit.url))
    assert "cannot be joined" in refused[0] and "401" in refused[0]
    unreachable = asyncio.run(join("ws://127.0.0.1:9"))
    assert "cannot be joined" in unreachable[0]
    assert token not in caplog.text + str(refused) + str(unreachable)
