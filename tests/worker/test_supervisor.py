"""A worker's processes: who serves what, and what happens when one of them dies. Without a store."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest
from livekit.protocol import agent

from tests.worker.dispatcher import dispatcher
from tests.worker.supervised import APP, launched, supervised


def test_a_process_that_dies_without_a_store_fails_its_call_and_the_next_is_served(tmp_path: Path) -> None:
    async def story() -> None:
        async with supervised(tmp_path) as worker:
            worker.dispatcher.offer("AJ_1", room="room-30")
            await worker.until(lambda: (tmp_path / "AJ_1-agent-AJ_1.wav").exists())
            os.kill(worker.serving()[0], signal.SIGKILL)
            failed = await worker.status("AJ_1", agent.JS_FAILED, 5)
            assert "process died" in failed.error and "store" in failed.error
            await worker.says("killed by SIGKILL")
            await worker.sees("worker_open", 1)
            worker.dispatcher.offer("AJ_2", room="room-1")
            await worker.status("AJ_2", agent.JS_SUCCESS)
            assert worker.metric("process_deaths_total") == 1

    asyncio.run(story())


def test_two_entrypoints_are_served_side_by_side_in_one_process(tmp_path: Path) -> None:
    async def story() -> None:
        async with supervised(tmp_path) as worker:
            worker.dispatcher.offer("AJ_1", room="room-20")
            await worker.status("AJ_1", agent.JS_RUNNING)
            worker.dispatcher.offer("AJ_2", room="room-1", agent_name="tea")
            await worker.status("AJ_2", agent.JS_SUCCESS)
            assert len(worker.agents()) == 1 and worker.metric("agent_sessions") == 1

    asyncio.run(story())


def test_each_call_has_a_process_of_its_own_where_that_is_wanted_and_one_waits_for_the_next(tmp_path: Path) -> None:
    async def story() -> None:
        async with supervised(tmp_path, isolation="process", max_sessions=2) as worker:
            worker.dispatcher.offer("AJ_1", room="room-30")
            await worker.status("AJ_1", agent.JS_RUNNING)
            await worker.sees("worker_processes", 2)
            await worker.sees("worker_open", 1)
            worker.dispatcher.offer("AJ_2", room="room-2")
            await worker.status("AJ_2", agent.JS_RUNNING)
            await worker.until(lambda: len(worker.serving()) == 2)
            served = worker.serving()[-1]
            worker.dispatcher.offer("AJ_3", room="room-2")
            assert not (await worker.dispatcher.hears("availability", 3)).available
            await worker.status("AJ_2", agent.JS_SUCCESS)
            await worker.until(lambda: served not in worker.agents())

    asyncio.run(story())


def test_calls_fill_one_process_before_the_next_and_more_than_all_hold_are_refused(tmp_path: Path) -> None:
    async def story() -> None:
        async with supervised(tmp_path, max_sessions=2, processes=2) as worker:
            for number in range(1, 5):
                await worker.sees("worker_open", 1)
                worker.dispatcher.offer(f"AJ_{number}", room="room-60", agent_name="tea")
                await worker.status(f"AJ_{number}", agent.JS_RUNNING)
                assert len(worker.serving()) == (1 if number < 3 else 2)
            await worker.sees("worker_open", 0)
            worker.dispatcher.offer("AJ_5", room="room-60", agent_name="tea")
            assert not (await worker.dispatcher.hears("availability", 5)).available
            assert worker.metric("worker_saturation") == 1 and worker.metric("jobs_refused_total") == 1

    asyncio.run(story())


@pytest.mark.parametrize(
    ("trouble", "said"), [("import", "The agent processes end as they start"), ("model", "no such voice")]
)
def test_a_program_whose_agent_processes_cannot_start_ends_and_says_why(
    tmp_path: Path, trouble: str, said: str
) -> None:
    async def story() -> None:
        async with dispatcher() as server:
            worker = launched(tmp_path, APP, server.url, environment={"CALLS": str(tmp_path), "TROUBLE": trouble})
            try:
                await worker.says(said)
                assert await worker.exits() == 1 and not worker.left()
            finally:
                worker.kill()

    asyncio.run(story())


def test_a_process_that_hangs_says_where_and_is_ended(tmp_path: Path) -> None:
    async def story() -> None:
        async with supervised(tmp_path, hang_timeout=2.0) as worker:
            worker.dispatcher.offer("AJ_1", room="room-30", metadata="hang")
            await worker.says("no sign of life")
            await worker.status("AJ_1", agent.JS_FAILED, 10)
            await worker.says("it hung")

    asyncio.run(story())


def test_a_tool_that_blocks_is_no_reason_to_end_its_process(tmp_path: Path) -> None:
    async def story() -> None:
        async with supervised(tmp_path, hang_timeout=2.0) as worker:
            worker.dispatcher.offer("AJ_1", room="room-6", metadata="block")
            await worker.status("AJ_1", agent.JS_SUCCESS)
            assert not any("no sign of life" in line for line in worker.lines)

    asyncio.run(story())


def test_a_process_that_takes_too_much_memory_is_ended_and_said_to_be(tmp_path: Path) -> None:
    async def story() -> None:
        async with supervised(tmp_path, memory_limit=300) as worker:
            worker.dispatcher.offer("AJ_1", room="room-30", metadata="hog")
            await worker.says("more than memory_limit=300")
            await worker.status("AJ_1", agent.JS_FAILED, 10)

    asyncio.run(story())


def test_when_the_supervisor_is_killed_calls_go_on_and_nothing_stays_behind(tmp_path: Path) -> None:
    async def story() -> None:
        async with supervised(tmp_path) as worker:
            worker.dispatcher.offer("AJ_1", room="room-4")
            await worker.status("AJ_1", agent.JS_RUNNING)
            assert worker.agents() and worker.media()
            os.kill(worker.process.pid, signal.SIGKILL)
            await worker.says("the supervisor is gone: 1 calls go on")
            assert len(worker.left()) == 2
            await worker.until(lambda: not worker.left(), 15)
            heard = tmp_path / "AJ_1-agent-AJ_1.wav"
            assert heard.stat().st_size > 3.5 * 24_000 * 2, "the caller heard the agent to the end"

    asyncio.run(story())


def test_the_first_signal_lets_calls_end_the_second_ends_them(tmp_path: Path) -> None:
    async def story() -> None:
        async with supervised(tmp_path) as worker:
            worker.dispatcher.offer("AJ_1", room="room-60", agent_name="tea")
            await worker.status("AJ_1", agent.JS_RUNNING)
            worker.process.send_signal(signal.SIGTERM)
            await worker.says("taking no more calls")
            await worker.sees("worker_open", 0)
            assert worker.metric("sessions_active") == 1
            for pid in worker.agents():
                os.kill(pid, signal.SIGTERM)  # a service manager tells all processes
            worker.process.send_signal(signal.SIGINT)
            await worker.status("AJ_1", agent.JS_SUCCESS, 15)
            assert await worker.exits() == 0
            assert not worker.left()

    asyncio.run(story())
