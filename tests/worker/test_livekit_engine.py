"""The LiveKit engine against a dispatcher that speaks the agent protocol: registering, jobs, trouble, and leaving."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from antiphon.errors import ConfigurationError
from antiphon.testing import loop as virtual
from antiphon.worker.engine import Acceptance, Assignment, Load, Refusal
from antiphon.worker.livekit_engine import LiveKitEngine
from antiphon.worker.offers import ASSIGN_WITHIN
from tests.worker.dispatcher import KEY, SECRET, Dispatcher, dispatcher
from tests.worker.hand import Hand, story


def test_it_registers_under_its_name_and_says_how_busy_it_is() -> None:
    async def told(server: Dispatcher, hand: Hand, engine: LiveKitEngine) -> None:
        register = await server.hears("register")
        assert register.agent_name == "coffee" and register.allowed_permissions.can_publish
        assert not register.allowed_permissions.hidden
        first = await server.hears("update_worker")
        assert first.status == 0 and 0 < first.load < 0.7
        hand.open = False
        engine.load_changed()
        full = await server.hears("update_worker", 2)
        assert full.status == 1 and full.load == 1.0
        assert engine.worker_id == "AW_1" and SECRET not in repr(engine)

    story(told)


def test_a_worker_that_takes_jobs_is_never_passed_over_for_its_load() -> None:
    """A server offers nothing to a load of 0.7 or more; how busy is too busy is this worker's to say."""

    async def told(server: Dispatcher, hand: Hand, engine: LiveKitEngine) -> None:
        hand.load = lambda: Load(0.99, 3)  # type: ignore[method-assign]
        engine.load_changed()
        report = await server.hears("update_worker", 2)
        assert report.status == 0 and report.load < 0.7 and report.job_count == 3

    story(told)


def test_a_job_is_offered_taken_assigned_reported_and_ended() -> None:
    async def job(server: Dispatcher, hand: Hand, engine: LiveKitEngine) -> None:
        hand.answer = lambda offer: Acceptance("barista", "The barista", "m", {"shift": "late"})
        server.offer("AJ_1", metadata="table 4")
        offer = await hand.hears("offered")
        assert (offer.room, offer.room_sid, offer.metadata, offer.agent_name) == ("a-room", "RM_1", "table 4", "coffee")
        answer = await server.hears("availability")
        assert (
            answer.available and answer.participant_identity == "barista" and answer.participant_name == "The barista"
        )
        assert dict(answer.participant_attributes) == {"shift": "late"}
        assignment = await hand.hears("assigned")
        assert assignment.token == "room-token" and assignment.url.startswith("ws://127.0.0.1")
        engine.report("AJ_1", "running")
        assert (await server.hears("update_job")).status == 1
        server.terminate("AJ_1")
        assert await hand.hears("terminated") == "AJ_1"
        engine.report("AJ_1", "failed", "the entrypoint raised")
        ended = await server.hears("update_job", 2)
        assert ended.status == 3 and ended.error == "the entrypoint raised"

    story(job)


@pytest.mark.parametrize("terminate", [False, True])
def test_a_job_that_is_refused_goes_to_another_worker_or_to_nobody(terminate: bool) -> None:
    async def refuse(server: Dispatcher, hand: Hand, engine: LiveKitEngine) -> None:
        hand.answer = lambda offer: Refusal(terminate=terminate)
        server.offer("AJ_1")
        answer = await server.hears("availability")
        assert not answer.available and answer.terminate == terminate
        server.assign("AJ_1")
        server.offer("AJ_2")
        await server.hears("availability", 2)
        assert not [each for each in hand.log if each[0] == "assigned"]

    story(refuse)


def test_a_job_that_cannot_be_started_has_failed_and_the_next_is_taken() -> None:
    async def trouble(server: Dispatcher, hand: Hand, engine: LiveKitEngine) -> None:
        assigned = hand.assigned

        def fail(assignment: Assignment) -> None:
            hand.assigned = assigned  # type: ignore[method-assign]
            raise RuntimeError("the plane is gone")

        hand.assigned = fail  # type: ignore[method-assign]
        server.offer("AJ_1")
        failed = await server.hears("update_job")
        assert (failed.job_id, failed.status, failed.error) == ("AJ_1", 3, "RuntimeError: the plane is gone")
        server.offer("AJ_2")
        assert (await hand.hears("assigned")).offer.id == "AJ_2"

    story(trouble)


def test_a_job_that_was_taken_and_never_came_is_given_up() -> None:
    async def wait(server: Dispatcher, hand: Hand, engine: LiveKitEngine) -> None:
        server.mute = True
        began = asyncio.get_running_loop().time()
        server.offer("AJ_1")
        assert await hand.hears("withdrawn") == "AJ_1"
        assert asyncio.get_running_loop().time() - began == pytest.approx(ASSIGN_WITHIN, abs=0.5)
        server.assign("AJ_1")
        server.offer("AJ_2")
        await server.hears("availability", 2)
        assert not [each for each in hand.log if each[0] == "assigned"], "it has gone to somebody else"

    story(wait)


def test_a_server_that_restarts_finds_its_worker_again_with_the_jobs_that_go_on() -> None:
    async def restart(server: Dispatcher, hand: Hand, engine: LiveKitEngine) -> None:
        hand.jobs = ["AJ_1", "AJ_2"]
        server.mute = True
        server.offer("AJ_3")
        await server.hears("availability")
        await server.drop()
        assert "closed the connection" in await hand.hears("disconnected")
        assert await hand.hears("withdrawn") == "AJ_3"
        assert await hand.hears("connected", 2) == "AW_2"
        assert list((await server.hears("migrate_job")).job_ids) == ["AJ_1", "AJ_2"]

    story(restart)


def test_workers_come_back_one_after_the_other_and_not_more_often_than_is_good() -> None:
    waits: list[float] = []

    async def restart(server: Dispatcher, hand: Hand, engine: LiveKitEngine) -> None:
        loop = asyncio.get_running_loop()
        server.silent = True
        for _ in range(8):
            before = loop.time()
            await server.drop()
            await server.hears("register", len(waits) + 2)
            waits.append(loop.time() - before)
        server.silent = False
        await server.drop()
        await hand.hears("connected", 2)

    story(restart, jitter=lambda: 1.0)
    assert waits[0] < waits[3] < waits[5] and max(waits) < 12


def test_a_key_that_the_server_does_not_know_is_said_at_once() -> None:
    async def run() -> None:
        async with dispatcher() as server:
            engine = LiveKitEngine(Hand(), url=server.url, key=KEY, secret="another-secret-that-is-long-enough-too")
            with pytest.raises(ConfigurationError, match="LIVEKIT_API_SECRET"):
                await engine.run()

    virtual.run(run())


@pytest.mark.parametrize("url", ["", "livekit.example.com", "ftp://example.com", "ws://"])
def test_an_address_that_is_none_is_said_at_once(url: str) -> None:
    with pytest.raises(ConfigurationError, match="LIVEKIT_URL"):
        LiveKitEngine(Hand(), url=url, key=KEY, secret=SECRET)


def test_a_server_that_is_not_there_is_waited_for() -> None:
    async def run() -> None:
        hand = Hand()
        engine = LiveKitEngine(hand, url="ws://127.0.0.1:9", key=KEY, secret=SECRET)
        task = asyncio.create_task(engine.run())
        assert "cannot be reached" in await hand.hears("disconnected", 3)
        await engine.aclose()
        await asyncio.wait_for(task, 5)

    virtual.run(run())


@pytest.mark.parametrize(
    ("what", "offer"),
    [
        ("room's name", {"room": "a\nroom"}),
        ("room's name", {"room": "r" * 300}),
        ("metadata", {"metadata": "m" * 600_000}),
    ],
)
def test_an_offer_that_nobody_should_take_is_refused_with_a_reason(
    what: str, offer: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    async def refuse(server: Dispatcher, hand: Hand, engine: LiveKitEngine) -> None:
        server.offer("AJ_1", **offer)
        answer = await server.hears("availability")
        assert not answer.available and answer.terminate
        assert what in caplog.text and not hand.log[1:]
        server.offer("AJ_2")
        assert (await hand.hears("assigned")).offer.id == "AJ_2"

    story(refuse)


def test_a_message_that_is_none_costs_the_connection_and_nothing_else() -> None:
    async def broken(server: Dispatcher, hand: Hand, engine: LiveKitEngine) -> None:
        server.send(b"\xff\xff\xff\xff")
        assert "no message of the agent protocol" in await hand.hears("disconnected")
        await hand.hears("connected", 2)
        server.offer("AJ_1")
        assert (await hand.hears("assigned")).offer.id == "AJ_1"

    story(broken)


def test_what_a_newer_server_says_is_passed_over() -> None:
    async def newer(server: Dispatcher, hand: Hand, engine: LiveKitEngine) -> None:
        server.send(b"")
        server.send(b"\x8a\x06\x02\x08\x01")  # field 97, which no version has
        server.terminate("AJ_unknown")
        assert await hand.hears("terminated") == "AJ_unknown"
        assert not [each for each in hand.log if each[0] == "disconnected"]

    story(newer)


def test_leaving_while_the_server_is_away_takes_no_time() -> None:
    async def run() -> None:
        hand = Hand()
        engine = LiveKitEngine(hand, url="ws://127.0.0.1:9", key=KEY, secret=SECRET, jitter=lambda: 1.0)
        task = asyncio.create_task(engine.run())
        await hand.hears("disconnected", 6)
        began = asyncio.get_running_loop().time()
        await engine.aclose()
        with suppress(asyncio.CancelledError):
            await task
        assert asyncio.get_running_loop().time() - began < 1

    virtual.run(run())
