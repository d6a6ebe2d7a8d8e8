"""Calls that are kept in a store, and the deaths of the processes that serve them."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from livekit.protocol import agent

from antiphon.audio.wav import read_wav
from antiphon.models.store import StoredSession
from antiphon.store.sqlite import SQLiteStore
from tests.worker.dispatcher import dispatcher
from tests.worker.supervised import Supervised, supervised


def story(work: Any) -> None:
    asyncio.run(work)


async def stored(folder: Path) -> list[StoredSession]:
    store = SQLiteStore(folder / "calls.db")
    try:
        return list(await store.sessions())
    finally:
        await store.aclose()


async def facts(folder: Path, kind: str) -> list[dict[str, Any]]:
    """Of the only session."""
    store = SQLiteStore(folder / "calls.db")
    try:
        sessions = await store.sessions()
        if not sessions:
            return []
        (session,) = sessions
        return [entry.body for entry in (await store.read(session.id)).entries if entry.kind == kind]
    finally:
        await store.aclose()


async def a_call(worker: Supervised, seconds: float, metadata: str = "", id: str = "AJ_1") -> int:
    """Begun; returns the process that serves it."""
    worker.dispatcher.offer(id, room=f"room-{seconds}", metadata=metadata)
    await worker.status(id, agent.JS_RUNNING)
    await worker.until(worker.serving)
    return worker.serving()[0]


async def begun(folder: Path) -> None:
    """Until the agent has begun to speak, and the store knows."""
    async with asyncio.timeout(20):
        while not await facts(folder, "say.queued"):
            await asyncio.sleep(0.05)


def voiced(heard: Path, last: float) -> float:
    """Seconds of somebody's voice in the last seconds of a recording."""
    sound = read_wav(str(heard), 16_000)[0][-int(last * 16_000) :].astype(np.float64)
    frames = sound[: len(sound) // 320 * 320].reshape(-1, 320)
    return float((np.abs(frames).mean(axis=1) > 100.0).sum() * 0.02)


def test_a_process_that_is_killed_in_a_sentence_is_replaced_and_the_sentence_goes_on(tmp_path: Path) -> None:
    async def call() -> None:
        async with supervised(tmp_path, store=str(tmp_path / "calls.db")) as worker:
            pid = await a_call(worker, 60)
            await worker.sees("worker_processes", 2)
            await asyncio.sleep(3.0)
            os.kill(pid, signal.SIGKILL)
            await worker.says("goes on in process", seconds=10)
            await worker.sees("takeovers_total", 1)
            assert worker.metric("takeover_last_seconds") < 3
            assert worker.serving() != [pid]
            await asyncio.sleep(3.0)
            worker.dispatcher.terminate("AJ_1")
            await worker.status("AJ_1", agent.JS_SUCCESS)
            (session,) = await stored(tmp_path)
            assert session.status == "ended" and session.epoch == 2
            assert len(await facts(tmp_path, "say.queued")) == 1, "nobody is greeted twice"
            (heard,) = tmp_path.glob("*.wav")
            assert voiced(heard, last=2.5) > 1.0, "the leg was the same all the time, and the voice went on in it"

    story(call())


def test_all_calls_of_a_process_go_on_when_it_dies_and_again_when_the_next_and_the_media_process_do(
    tmp_path: Path,
) -> None:
    async def call() -> None:
        async with supervised(tmp_path, store=str(tmp_path / "calls.db")) as worker:
            for number in range(10):
                await worker.sees("worker_open", 1)
                await a_call(worker, 60, id=f"AJ_{number}")
            await worker.until(lambda: len(list(tmp_path.glob("*.wav"))) == 10)
            await asyncio.sleep(1.0)
            for round in (1, 2):
                await worker.sees("worker_processes", 2)
                (pid,) = worker.serving()
                os.kill(pid, signal.SIGKILL)
                await worker.sees("takeovers_total", 10 * round)
            await worker.sees("worker_processes", 2)
            os.kill(worker.media()[0], signal.SIGKILL)
            await worker.sees("takeovers_total", 30)
            assert worker.metric("sessions_active") == 10 and worker.metric("sessions_crash_looped_total") == 0
            assert {session.epoch for session in await stored(tmp_path)} == {4}

    story(call())


@pytest.mark.parametrize("safe", ["safe", ""])
def test_a_call_that_makes_process_after_process_crash_is_ended_and_the_others_go_on(tmp_path: Path, safe: str) -> None:
    async def call() -> None:
        async with supervised(tmp_path, store=str(tmp_path / "calls.db"), environment={"WITH": safe}) as worker:
            await a_call(worker, 40, id="AJ_good")
            worker.dispatcher.offer("AJ_bad", room="room-60", metadata="crash")
            await worker.says("served by the safe entrypoint")
            failed = await worker.status("AJ_bad", agent.JS_FAILED)
            assert failed.error == "crash loop"
            (bad,) = [session for session in await stored(tmp_path) if "AJ_bad" in session.about["job"]]
            assert bad.status == "ended" and bad.reason == "crash loop"
            assert worker.metric("sessions_crash_looped_total") == 1
            assert worker.metric("sessions_active") == 1
            await worker.until(worker.serving)

    story(call())


def test_a_process_that_hangs_is_ended_and_its_call_goes_on_in_another(tmp_path: Path) -> None:
    async def call() -> None:
        async with supervised(tmp_path, store=str(tmp_path / "calls.db"), hang_timeout=2.0) as worker:
            pid = await a_call(worker, 60)
            await worker.sees("worker_processes", 2)
            await begun(tmp_path)
            os.kill(pid, signal.SIGSTOP)
            await worker.says("goes on in process")
            worker.dispatcher.terminate("AJ_1")
            await worker.status("AJ_1", agent.JS_SUCCESS)

    story(call())


def test_when_the_media_process_dies_calls_go_on_by_a_new_line(tmp_path: Path) -> None:
    async def call() -> None:
        async with supervised(tmp_path, store=str(tmp_path / "calls.db")) as worker:
            await a_call(worker, 60)
            await worker.sees("worker_processes", 2)
            await begun(tmp_path)
            os.kill(worker.media()[0], signal.SIGKILL)
            await worker.says("the media process is gone: another one is started")
            await worker.says("goes on in process")
            await worker.until(lambda: (tmp_path / "AJ_1-agent-AJ_1-e2.wav").exists())
            worker.dispatcher.terminate("AJ_1")
            await worker.says("its participant was seen to leave")
            worker.dispatcher.terminate("AJ_1")
            await worker.status("AJ_1", agent.JS_SUCCESS)

    story(call())


def test_when_all_processes_but_media_die_the_next_worker_goes_on_with_the_line(tmp_path: Path) -> None:
    async def call() -> None:
        store = str(tmp_path / "calls.db")
        async with dispatcher() as server:
            async with supervised(tmp_path, server=server, store=store) as worker:
                await a_call(worker, 60)
                await begun(tmp_path)
                media = worker.media()
                for pid in (worker.process.pid, *worker.agents()):
                    os.kill(pid, signal.SIGKILL)
                await worker.exits()
                worker.seen -= set(media)
            server.forget()
            async with supervised(tmp_path, server=server, store=store) as worker:
                worker.seen.update(media)
                await worker.says("has no owner any more")
                await worker.says("goes on in process")
                (session,) = await stored(tmp_path)
                assert session.status == "live" and session.epoch == 2
                worker.dispatcher.terminate("AJ_1")
                await worker.sees("sessions_active", 0)
                assert len(list(tmp_path.glob("*.wav"))) == 1
            (session,) = await stored(tmp_path)
            assert session.status == "ended"

    story(call())


def test_a_worker_that_is_to_stop_leaves_its_calls_to_another_one_of_the_same_store(tmp_path: Path) -> None:
    async def call() -> None:
        store = str(tmp_path / "calls.db")
        async with dispatcher() as server, supervised(tmp_path, server=server, store=store) as first:
            await a_call(first, 60)
            await begun(tmp_path)
            media = first.media()
            async with supervised(tmp_path, server=server, store=store) as second:
                second.seen.update(media)
                first.process.send_signal(signal.SIGTERM)
                await second.says("was handed over to process", seconds=40)
                assert await first.exits() == 0
                first.seen -= set(media)
                assert first.left() == []
                assert second.metric("sessions_active") == 1 and second.metric("handovers_total") == 1
                (session,) = await stored(tmp_path)
                assert session.status == "live" and session.epoch == 2
                assert len(await facts(tmp_path, "say.queued")) == 1
                second.process.send_signal(signal.SIGTERM)
                await second.says("taking no more calls")
                await asyncio.sleep(0.3)
                second.process.send_signal(signal.SIGTERM)
                assert await second.exits() == 0
                await second.until(lambda: not second.left())
            (session,) = await stored(tmp_path)
            assert session.status == "ended"
            assert len(list(tmp_path.glob("*.wav"))) == 1, "on the same line"

    story(call())


def test_calls_beyond_those_that_share_a_media_process_have_another_one(tmp_path: Path) -> None:
    async def call() -> None:
        options = {"store": str(tmp_path / "calls.db"), "sessions_per_media_process": 2}
        async with supervised(tmp_path, **options) as worker:
            (first,) = worker.media()
            for number in range(3):
                worker.dispatcher.offer(f"AJ_{number}", room="room-60")
                await worker.status(f"AJ_{number}", agent.JS_RUNNING)
                await worker.until(lambda: len(worker.media()) >= 2)
                await begun_all(tmp_path, number + 1)
                await asyncio.sleep(1.0)  # the second one listens by then
            os.kill(first, signal.SIGKILL)
            await worker.says("goes on in process", 3)
            await worker.until(lambda: len(list(tmp_path.glob("*-e2.wav"))) == 2)
            assert len(list(tmp_path.glob("*.wav"))) == 5, "who has a living media process keeps the line"

    story(call())


async def begun_all(folder: Path, calls: int) -> None:
    """Until so many sessions are in the store and speak."""
    store = SQLiteStore(folder / "calls.db")
    async with asyncio.timeout(20):
        while True:
            logs = [await store.read(session.id) for session in await store.sessions()]
            if sum(any(entry.kind == "say.queued" for entry in log.entries) for log in logs) == calls:
                break
            await asyncio.sleep(0.1)
    await store.aclose()
