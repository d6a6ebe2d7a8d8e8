"""Leases of a process's sessions: kept, given away, lost. The store is a real one, on the loop's own clock."""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from antiphon import Agent, AgentSession, JobContext
from antiphon.errors import ConfigurationError, LeaseHeldError, StoreError
from antiphon.models.store import Lease
from antiphon.session.lanes import Lane
from antiphon.store.sqlite import SQLiteStore
from antiphon.testing import ScriptedLLM
from antiphon.worker.durability import Durability, Hold

TTL = 0.3


class Shop(Agent):
    def __init__(self) -> None:
        super().__init__(instructions="Take orders.")


def story(test: Callable[[Path], Awaitable[None]]) -> Callable[[Path], None]:
    @functools.wraps(test)
    def run(tmp_path: Path) -> None:
        async def bounded() -> None:
            async with asyncio.timeout(20.0):
                await test(tmp_path)

        asyncio.run(bounded())

    del run.__wrapped__  # type: ignore[attr-defined]
    return run


def durability(store: Any, owner: str = "one") -> Durability:
    return Durability(store, owner=owner, build="this", ttl=TTL, core=Lane(asyncio.get_running_loop()))


async def until(true: Callable[[], bool]) -> None:
    while not true():
        await asyncio.sleep(0.01)


async def talking(hold: Hold, script: Any = "All right.") -> AgentSession[Any]:
    session: AgentSession[Any] = AgentSession(llm=ScriptedLLM(script), stt=None, tts=None, turn_detector=None)
    await session.start(Shop(), JobContext(user_loop="shared", **hold.job_options()))
    return session


def texts(session: AgentSession[Any]) -> list[str]:
    return [message.text for message in session.history.messages]


@story
async def test_a_lease_is_kept_while_its_process_lives_and_given_away_at_once(tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / "calls.db")
    one, other = durability(store), durability(store, "other")
    hold = await one.create("call", {"job": "{}"})
    assert (await store.sessions())[0].about == {"job": "{}"}
    await asyncio.sleep(3 * TTL)
    with pytest.raises(LeaseHeldError):
        await other.take_over("call", attach=False)
    await hold.release()
    taken = await other.take_over("call", attach=False)
    assert taken.lease.epoch == 2 and taken.resumption is not None and not taken.resumption.facts
    await taken.end("over")
    with pytest.raises(StoreError, match="ended"):
        await other.take_over("call", attach=False)
    assert [session.status for session in await store.sessions()] == ["ended"]
    await store.aclose()


@story
async def test_a_process_that_closes_lets_go_of_all_it_had(tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / "calls.db")
    one = durability(store)
    for name in ("a", "b"):
        await one.create(name, {})
    await one.aclose()
    assert {session.status for session in await store.sessions()} == {"orphaned"}
    assert not [
        task for task in asyncio.all_tasks() if task.get_name().startswith("antiphon:lease") and not task.done()
    ]
    await store.aclose()


@story
async def test_a_conversation_goes_on_under_another_owner_and_the_former_one_falls_silent(tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / "calls.db")
    one = durability(store)
    first = await talking(await one.create("call", {}))
    await first.run(user_input="One tea, please.")
    second = await talking(await one.take_over("call", attach=False))  # its own, as of a child that died
    assert texts(second) == ["One tea, please.", "All right."]
    assert await first.wait_closed() == "fenced"
    await second.run(user_input="And a cake.")
    assert texts(second) == ["One tea, please.", "All right.", "And a cake.", "All right."]
    await second.aclose()
    stored = await store.read("call")
    assert stored.epochs == sorted(stored.epochs) and stored.epochs[-1] == 2
    with pytest.raises(StoreError, match="ended"):
        await one.take_over("call", attach=False)
    await one.aclose()
    await store.aclose()


@story
async def test_a_process_that_stood_still_for_longer_than_its_lease_waits_for_a_renewal(tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / "calls.db")
    one = durability(store)
    hold = await one.create("call", {})
    told: list[bool] = []
    hold.listen(told.append)
    await asyncio.sleep(TTL)
    assert hold.sure
    time.sleep(2 * TTL)
    assert not hold.sure and not told
    await until(lambda: hold.sure)
    assert told == [True]
    time.sleep(2 * TTL)
    await durability(store, "other").take_over("call", attach=False)
    await until(lambda: hold.fenced)
    assert told == [True, False] and not hold.sure
    await store.aclose()


class Stuck(SQLiteStore):
    """A disk on which renewals fail, or never end."""

    how = "well"

    async def renew(self, lease: Lease) -> Lease:
        if self.how == "fails":
            raise StoreError("The disk is full.", reason="full")
        if self.how == "hangs":
            await asyncio.Event().wait()
        return await super().renew(lease)


@story
async def test_a_store_that_fails_without_another_owner_silences_nobody(tmp_path: Path) -> None:
    store = Stuck(tmp_path / "calls.db")
    hold = await durability(store).create("call", {})
    told: list[bool] = []
    hold.listen(told.append)
    for how in ("fails", "hangs"):
        store.how = how
        for _ in range(10):
            await asyncio.sleep(TTL / 2)
            assert hold.sure and not told and not hold.fenced
    await hold.release()
    await store.aclose()


@story
async def test_a_conversation_is_handed_over_without_an_end(tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / "calls.db")
    one, other = durability(store), durability(store, "other")
    hold = await one.create("call", {})
    first = await talking(hold)
    await first.run(user_input="One tea, please.")
    closed: list[str] = []
    first.on("close", lambda event: closed.append(event.reason))
    assert await first.hand_over(within=1.0)
    first.let_go()
    assert closed == [] and await first.wait_closed() == "handed_over"
    await hold.release()
    second = await talking(await other.take_over("call", attach=False))
    assert texts(second) == ["One tea, please.", "All right."]
    await second.aclose()
    facts = [entry.kind for entry in (await store.read("call")).entries if entry.lane == "fact"]
    assert facts.count("session.ended") == facts.count("session.started") == 1
    await other.aclose()
    await store.aclose()


@story
async def test_a_session_without_a_durable_log_cannot_be_handed_over(tmp_path: Path) -> None:
    session: AgentSession[Any] = AgentSession(llm=ScriptedLLM("Yes."), stt=None, tts=None, turn_detector=None)
    await session.start(Shop(), JobContext(user_loop="shared"))
    with pytest.raises(ConfigurationError, match="no durable log"):
        await session.hand_over()
    await session.aclose()


@story
async def test_a_recording_of_the_dead_process_is_not_written_over(tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / "calls.db")
    one = durability(store)
    await one.create("call", {})
    options = (await one.take_over("call", attach=False)).job_options()
    context = JobContext(user_loop="shared", record="call.opus", **options)
    session: AgentSession[Any] = AgentSession(llm=ScriptedLLM("Yes."), stt=None, tts=None, turn_detector=None)
    await session.start(Shop(), context)
    assert session._shell is not None and session._shell.services.record == "call.2.opus"
    await session.aclose()
    await store.aclose()


class Dropping(SQLiteStore):
    """Its logs have lost an entry."""

    def log(self, lease: Lease, **options: Any) -> Any:
        log = super().log(lease, **options)
        log.dropped = 1
        return log


@story
async def test_a_log_whose_end_could_not_be_stored_is_free_when_its_lease_is_over(tmp_path: Path) -> None:
    store = Dropping(tmp_path / "calls.db")
    hold = await durability(store).create("call", {})
    await hold.release()
    with pytest.raises(LeaseHeldError):
        await durability(store, "other").take_over("call", attach=False)
    await asyncio.sleep(1.2 * TTL)
    await (await durability(store, "other").take_over("call", attach=False)).end("done")
    await store.aclose()
