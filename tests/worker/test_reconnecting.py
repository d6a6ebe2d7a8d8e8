"""A server that restarts under load, and one that is gone for a while: workers come back spread out, and every job is told anew."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable

import pytest

from antiphon.errors import ConfigurationError
from antiphon.testing import loop as virtual
from antiphon.worker.livekit_engine import CONNECT_WITHIN, HEARTBEAT, LiveKitEngine
from tests.worker.dispatcher import KEY, SECRET, Dispatcher, dispatcher
from tests.worker.hand import Hand, story

WORKERS, JOBS = 60, 4
CAPS = [0.5, 1.0, 2.0, 4.0, 8.0, 10.0, 10.0]
"""Seconds that a worker waits at most, before each try."""


def fleet(tell: Callable[[Dispatcher, list[Hand], list[LiveKitEngine]], Awaitable[None]]) -> None:
    """A story of many workers with jobs that run, all registered."""

    async def run() -> None:
        async with dispatcher() as server:
            hands, engines, tasks = [], [], []
            for number in range(WORKERS):
                hand = Hand()
                hand.jobs = [f"AJ_{number}_{job}" for job in range(JOBS)]
                chance = random.Random(number)
                engine = LiveKitEngine(hand, url=server.url, key=KEY, secret=SECRET, jitter=chance.random)
                hands.append(hand)
                engines.append(engine)
                tasks.append(asyncio.create_task(engine.run()))
            try:
                for hand in hands:
                    await hand.hears("connected")
                await server.hears("migrate_job", WORKERS)
                await tell(server, hands, engines)
            finally:
                for engine in engines:
                    await engine.aclose()
                await asyncio.wait_for(asyncio.gather(*tasks), 20)

    virtual.run(run())


def told(server: Dispatcher) -> list[str]:
    return sorted(job for kind, body in server.said if kind == "migrate_job" for job in body.job_ids)


def test_after_a_restart_under_load_every_job_is_told_anew_and_workers_come_spread_out() -> None:
    async def restart(server: Dispatcher, hands: list[Hand], engines: list[LiveKitEngine]) -> None:
        server.forget()
        server.attempts.clear()
        began = asyncio.get_running_loop().time()
        await server.drop()
        for hand in hands:
            await hand.hears("connected", 2)
        await server.hears("migrate_job", WORKERS)
        assert told(server) == sorted(job for hand in hands for job in hand.jobs)
        came = sorted(at - began for at in server.attempts)
        assert len(came) == WORKERS and came[-1] < 1.0
        for tenth in range(5):  # evenly over the half second
            assert 3 <= sum(tenth * 0.1 <= at < tenth * 0.1 + 0.1 for at in came) <= 24, came

    fleet(restart)


def test_a_server_that_is_gone_for_a_while_is_asked_ever_more_rarely_and_finds_all_jobs() -> None:
    async def gone(server: Dispatcher, hands: list[Hand], engines: list[LiveKitEngine]) -> None:
        server.away = 503
        server.forget()
        server.attempts.clear()
        began = asyncio.get_running_loop().time()
        await server.drop()
        await asyncio.sleep(120.0)
        early = sum(at < began + 10.0 for at in server.attempts)
        late = sum(at >= began + 60.0 for at in server.attempts)
        assert early < WORKERS * 8 and WORKERS * 6 < late < WORKERS * 18, (early, late)  # every 5 s on average
        server.away = 0
        back = asyncio.get_running_loop().time()
        server.attempts.clear()
        for hand in hands:
            await hand.hears("connected", 2)
        await server.hears("migrate_job", WORKERS)
        assert told(server) == sorted(job for hand in hands for job in hand.jobs)
        came = [at - back for at in server.attempts]
        assert max(came) <= 10.5
        assert max(sum(second <= at < second + 1 for at in came) for second in range(10)) < WORKERS / 3

    fleet(gone)


@pytest.mark.parametrize("drawn", [0.0, 0.25, 1.0])
def test_each_wait_is_the_drawn_part_of_what_it_may_be(drawn: float) -> None:
    async def waits(server: Dispatcher, hand: Hand, engine: LiveKitEngine) -> None:
        server.away = 503
        server.attempts.clear()
        began = asyncio.get_running_loop().time()
        await server.drop()
        await hand.hears("disconnected", len(CAPS))
        server.away = 0
        tried = [began, *server.attempts[: len(CAPS)]]
        for number in range(len(tried) - 1):
            assert tried[number + 1] - tried[number] == pytest.approx(drawn * CAPS[number], abs=0.2), number

    story(waits, jitter=lambda: drawn)


def test_a_job_that_ended_while_the_server_was_away_is_told_with_the_next_connection() -> None:
    async def away(server: Dispatcher, hand: Hand, engine: LiveKitEngine) -> None:
        hand.jobs = ["AJ_1", "AJ_2"]
        server.away = 503
        await server.drop()
        await hand.hears("disconnected", 2)
        hand.jobs.remove("AJ_1")
        engine.report("AJ_3", "running")
        engine.report("AJ_1", "failed", "the entrypoint raised")
        engine.load_changed()
        server.forget()
        server.away = 0
        ended = await server.hears("update_job")
        assert (ended.job_id, ended.error) == ("AJ_1", "the entrypoint raised")
        assert list((await server.hears("migrate_job")).job_ids) == ["AJ_2"]
        await server.hears("update_worker", 3)
        assert [kind for kind, _ in server.said].count("update_job") == 1, (
            "what ran and was not told is told by migrate_job"
        )

    story(away)


def test_a_server_that_answers_nothing_is_not_waited_for_without_end() -> None:
    async def stuck(server: Dispatcher, hand: Hand, engine: LiveKitEngine) -> None:
        server.stuck = True
        began = asyncio.get_running_loop().time()
        await server.drop()
        assert "TimeoutError" in await hand.hears("disconnected", 2)
        assert asyncio.get_running_loop().time() - began == pytest.approx(CONNECT_WITHIN, abs=1.0)
        server.stuck = False
        await hand.hears("connected", 2)

    story(stuck)


def test_a_server_that_is_there_and_hears_nothing_is_left_after_a_missed_ping() -> None:
    async def deaf(server: Dispatcher, hand: Hand, engine: LiveKitEngine) -> None:
        server.deaf = True
        await server.drop()
        await hand.hears("connected", 2)
        began = asyncio.get_running_loop().time()
        await hand.hears("disconnected", 2)
        assert HEARTBEAT <= asyncio.get_running_loop().time() - began < HEARTBEAT * 2
        server.deaf = False
        await hand.hears("connected", 3)

    story(deaf)


def test_a_key_that_is_withdrawn_while_jobs_run_does_not_end_them() -> None:
    async def withdrawn(server: Dispatcher, hand: Hand, engine: LiveKitEngine) -> None:
        hand.jobs = ["AJ_1"]
        server.away = 401
        await server.drop()
        assert "answers 401" in await hand.hears("disconnected", 2)
        server.away = 0
        await hand.hears("connected", 2)
        assert list((await server.hears("migrate_job")).job_ids) == ["AJ_1"]

    story(withdrawn)


def test_a_server_that_never_took_the_key_is_not_asked_again() -> None:
    async def run() -> None:
        async with dispatcher() as server:
            server.away = 403
            with pytest.raises(ConfigurationError, match="clock"):
                await LiveKitEngine(Hand(), url=server.url, key=KEY, secret=SECRET).run()
            assert len(server.attempts) == 1

    virtual.run(run())
