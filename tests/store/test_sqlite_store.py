"""The SQLite store: who may write, what is durable, what is read back. The store's clock is the test's."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import msgspec
import pytest

from antiphon.errors import FencedError, LeaseHeldError, StoreError
from antiphon.kernel import events, facts
from antiphon.kernel.policy import AgentRef
from antiphon.store.log_reader import event_of, fact_of
from antiphon.store.sqlite import SQLiteStore

START = events.Start(seq=1, now=0.0, agent=AgentRef(key="hello"))
TURN = facts.TurnCommitted(at=2.5, turn=1, item="i", text="zwei Tees \U0001f375")


class Odd(msgspec.Struct, tag="odd", tag_field="kind"):
    value: Any


class Clock:
    """The machine's, as the test sets it."""

    def __init__(self) -> None:
        self.now, self.boot = 1_000.0, "first"

    def __call__(self) -> float:
        return self.now

    def boot_id(self) -> str:
        return self.boot


class Machine:
    """Opens the same file as other processes would."""

    def __init__(self, folder: Path) -> None:
        self.path, self.clock = folder / "calls.db", Clock()
        self._open = AsyncExitStack()

    def store(self, **options: Any) -> SQLiteStore:
        store = SQLiteStore(self.path, clock=self.clock, boot=self.clock.boot_id, **options)
        self._open.push_async_callback(store.aclose)
        return store


Story = Callable[[Machine], Awaitable[None]]


def on_a_machine(story: Story) -> Callable[[Path], None]:
    """A test whose body is a story on a machine of its own."""

    def test(tmp_path: Path) -> None:
        async def run() -> None:
            machine = Machine(tmp_path)
            async with machine._open, asyncio.timeout(30.0):
                await story(machine)

        asyncio.run(run())

    test.__doc__ = story.__doc__
    return test


@on_a_machine
async def test_what_was_stored_is_read_back_as_it_was(machine: Machine) -> None:
    store = machine.store()
    lease = await store.create("call", owner="a", ttl=3.0, build="1.0", about={"agent": "hello"})
    assert (lease.epoch, lease.seq, lease.position, lease.expires) == (1, 0, 0, 1_003.0)
    log = store.log(lease)
    assert [log.append("input", 0.0, START), log.append("fact", 2.5, TURN)] == [1, 2]
    await log.until_durable(1)
    assert (log.position, log.durable) == (1, 1)
    read = await store.read("call")
    assert read.header.build == "1.0" and [entry.seq for entry in read.entries] == [1, 2] and read.epochs == [1, 1]
    assert [event_of(read.entries[0]), fact_of(read.entries[1])] == [START, TURN]
    assert [entry.seq for entry in (await store.read("call", after=1)).entries] == [2]
    assert machine.path.stat().st_mode & 0o077 == 0
    (session,) = await store.sessions()
    assert (session.id, session.status, session.owner, session.seq, session.position) == ("call", "live", "a", 2, 1)
    assert (session.build, session.about) == ("1.0", {"agent": "hello"})


@on_a_machine
async def test_a_lease_ends_by_the_stores_clock_and_its_former_owner_is_refused(machine: Machine) -> None:
    here, there = machine.store(), machine.store()
    old = await here.create("call", owner="a", ttl=3.0)
    troubles: list[StoreError] = []
    log = here.log(old, on_error=troubles.append)
    log.append("fact", 1.0, TURN)
    await log.until_durable(1)
    machine.clock.now += 2.9
    with pytest.raises(LeaseHeldError) as held:
        await there.claim("call", owner="b", ttl=3.0)
    assert held.value.owner == "a" and held.value.remaining == pytest.approx(0.1)
    assert [s.status for s in await there.sessions()] == ["live"]
    machine.clock.now += 0.2
    assert [s.id for s in await there.sessions("orphaned")] == ["call"]
    new = await there.claim("call", owner="b", ttl=3.0)
    assert (new.epoch, new.seq, new.position, new.age) == (2, 1, 1, pytest.approx(3.1))
    log.append("fact", 2.0, TURN)
    with pytest.raises(FencedError):
        await log.until_durable(2)
    for call in (here.renew(old), here.release(old), here.end(old, "done")):
        with pytest.raises(FencedError, match="epoch 2"):
            await call
    assert [type(t) for t in troubles] == [FencedError] and here.metrics().fenced == 1
    assert log.append("fact", 3.0, TURN) == 3 and log.dropped == 2  # refused for good, and says so no more
    assert len(troubles) == 1
    fresh = there.log(new)
    assert fresh.append("fact", 4.0, TURN) == 2
    await fresh.until_durable(2)
    read = await there.read("call")
    assert [entry.seq for entry in read.entries] == [1, 2] and read.epochs == [1, 2]


@on_a_machine
async def test_appends_and_renewals_hold_the_lease_and_a_release_ends_it(machine: Machine) -> None:
    store = machine.store()
    lease = await store.create("call", owner="a", ttl=3.0)
    log = store.log(lease)
    machine.clock.now += 2.0
    log.append("fact", 2.0, TURN)
    await log.until_durable(1)
    machine.clock.now += 2.0
    renewed = await store.renew(lease)
    assert renewed.expires == 1_007.0
    machine.clock.now += 2.0
    with pytest.raises(LeaseHeldError):
        await store.claim("call", owner="b", ttl=3.0)
    await store.release(lease)
    assert (await store.claim("call", owner="b", ttl=3.0)).epoch == 2


@on_a_machine
async def test_an_owner_that_comes_back_claims_what_is_its_own(machine: Machine) -> None:
    store = machine.store()
    await store.create("call", owner="a", ttl=60.0)
    assert (await store.claim("call", owner="a", ttl=3.0)).epoch == 2


@on_a_machine
async def test_of_many_who_claim_orphans_each_is_claimed_once(machine: Machine) -> None:
    stores = [machine.store() for _ in range(4)]
    for number in range(9):
        machine.clock.now += 0.1
        await stores[0].create(f"call{number}", owner="dead", ttl=1.0)
    machine.clock.now += 5.0
    first = await stores[0].claim_orphans(owner="w0", ttl=5.0)
    assert [lease.session for lease in first] == ["call0"]  # the longest orphaned
    found = await asyncio.gather(*(s.claim_orphans(owner=f"w{n}", ttl=5.0, limit=3) for n, s in enumerate(stores)))
    claimed = [lease.session for leases in found for lease in leases]
    assert sorted(claimed) == [f"call{n}" for n in range(1, 9)]
    assert await stores[0].claim_orphans(owner="w0", ttl=5.0) == []


@on_a_machine
async def test_who_ended_is_claimed_by_nobody_and_forgotten_in_time(machine: Machine) -> None:
    store = machine.store()
    for number, reason in enumerate(("hung_up", "error")):
        lease = await store.create(f"call{number}", owner="a", ttl=1.0)
        log = store.log(lease)
        log.append("fact", 1.0, TURN)
        if number == 0:
            log.append("fact", 1.0, facts.SessionEnded(at=1.0, reason=reason))
        await log.aclose()
        if number == 1:
            await store.end(lease, reason)
    await store.create("live", owner="a", ttl=1.0)
    machine.clock.now += 10.0
    assert [(s.id, s.reason) for s in await store.sessions("ended")] == [("call0", "hung_up"), ("call1", "error")]
    with pytest.raises(StoreError, match="ended") as refused:
        await store.claim("call0", owner="b", ttl=1.0)
    assert refused.value.reason == "ended"
    assert [lease.session for lease in await store.claim_orphans(owner="b", ttl=1.0, limit=9)] == ["live"]
    assert await store.forget(older_than=3_600.0) == 0
    assert await store.forget(older_than=0.0) == 2
    assert [s.id for s in await store.sessions()] == ["live"]
    with sqlite3.connect(machine.path) as db:
        assert db.execute("select count(*) from entry").fetchone() == (0,)


@on_a_machine
async def test_unknown_and_doubled_sessions_are_named(machine: Machine) -> None:
    store = machine.store()
    lease = await store.create("call", owner="a", ttl=1.0)
    for call, reason in (
        (store.create("call", owner="b", ttl=1.0), "exists"),
        (store.claim("nobody", owner="b", ttl=1.0), "unknown"),
        (store.read("nobody"), "unknown"),
        (store.renew(msgspec.structs.replace(lease, session="nobody")), "unknown"),
    ):
        with pytest.raises(StoreError) as refused:
            await call
        assert refused.value.reason == reason


@on_a_machine
async def test_a_second_log_under_one_lease_is_refused_where_it_would_write_over_the_first(machine: Machine) -> None:
    store = machine.store()
    lease = await store.create("call", owner="a", ttl=9.0)
    one, other = store.log(lease), store.log(lease)
    one.append("fact", 1.0, TURN)
    await one.until_durable(1)
    other.append("fact", 2.0, TURN)
    with pytest.raises(StoreError, match="one log for a lease"):
        await other.until_durable(1)
    one.append("fact", 3.0, TURN)
    await one.until_durable(2)
    assert [(entry.seq, entry.at) for entry in (await store.read("call")).entries] == [(1, 1.0), (2, 3.0)]


@on_a_machine
async def test_what_a_commit_wrote_that_seemed_to_fail_is_not_written_again(machine: Machine) -> None:
    store = machine.store()
    lease = await store.create("call", owner="a", ttl=9.0)
    first, again = store.log(lease), store.log(lease)
    first.append("fact", 1.0, TURN)
    first.append("fact", 2.0, TURN)
    await first.until_durable(2)
    again.tried = 2  # as after a commit that did its work and then reported an error
    for at in (1.0, 2.0, 3.0):
        again.append("fact", at, TURN)
    await again.until_durable(3)
    assert [(entry.seq, entry.at) for entry in (await store.read("call")).entries] == [(1, 1.0), (2, 2.0), (3, 3.0)]


@on_a_machine
async def test_the_start_of_a_machine_ends_all_leases_of_the_one_before(machine: Machine) -> None:
    store = machine.store()
    await store.create("call", owner="a", ttl=3.0)
    await store.aclose()
    machine.clock.now, machine.clock.boot = 5.0, "second"  # started anew: the clock begins at zero
    again = machine.store()
    assert [s.status for s in await again.sessions()] == ["orphaned"]
    lease = await again.claim("call", owner="b", ttl=3.0)
    assert lease.epoch == 2 and 0.0 <= lease.age < 60.0


@on_a_machine
async def test_a_process_whose_clock_is_behind_may_not_claim(machine: Machine) -> None:
    store = machine.store()
    await store.create("call", owner="a", ttl=3.0)
    machine.clock.now -= 3_600.0
    for call in (store.claim("call", owner="b", ttl=3.0), store.claim_orphans(owner="b", ttl=3.0)):
        with pytest.raises(StoreError) as refused:
            await call
        assert refused.value.reason == "clock" and "behind" in str(refused.value)


@on_a_machine
async def test_sessions_share_commits_and_each_keeps_its_order(machine: Machine) -> None:
    store = machine.store()
    logs = [store.log(await store.create(f"call{n}", owner="a", ttl=9.0)) for n in range(16)]
    before = store.metrics().commits
    for turn in range(50):
        for log in logs:
            log.append("fact", float(turn), msgspec.structs.replace(TURN, turn=turn))
    await asyncio.gather(*(log.until_durable(50, timeout=10.0) for log in logs))
    metrics = store.metrics()
    assert metrics.entries == 800 and metrics.waiting == 0
    assert metrics.commits - before < 100 and metrics.largest > 16  # not one commit an entry
    assert 0.0 < metrics.commit_p50 <= metrics.commit_p99 and metrics.stored_p99 > 0.0
    for number in range(16):
        read = await store.read(f"call{number}")
        assert [entry.body["turn"] for entry in read.entries] == list(range(50))


@on_a_machine
async def test_what_cannot_be_encoded_leaves_a_note_and_no_gap(machine: Machine) -> None:
    store = machine.store()
    log = store.log(await store.create("call", owner="a", ttl=9.0))
    log.append("fact", 1.0, Odd(value=float))
    log.append("fact", 2.0, TURN)
    await log.until_durable(2)
    first, second = (await store.read("call")).entries
    assert first.kind == "log.unwritable" and "TypeError" in first.body["error"]
    assert fact_of(second) == TURN


@on_a_machine
async def test_a_barrier_that_is_not_reached_in_time_says_so(machine: Machine) -> None:
    store = machine.store()
    log = store.log(await store.create("call", owner="a", ttl=9.0))
    with pytest.raises(TimeoutError):
        await log.until_durable(1, timeout=0.01)
    log.append("fact", 1.0, TURN)
    await log.until_durable(1)
    await log.until_durable(0)


@on_a_machine
async def test_a_closed_store_refuses_and_a_closed_log_takes_nothing(machine: Machine) -> None:
    store = machine.store()
    log = store.log(await store.create("call", owner="a", ttl=9.0))
    log.append("input", 0.0, START)
    await log.aclose()
    await log.aclose()
    assert log.append("input", 0.0, START) == 2 and log.dropped == 1
    other = store.log(await store.create("other", owner="a", ttl=9.0))
    other.append("input", 0.0, START)
    await store.aclose()
    await store.aclose()
    with pytest.raises(StoreError) as refused:
        await store.create("third", owner="a", ttl=9.0)
    assert refused.value.reason == "closed"
    again = machine.store()
    assert [entry.seq for entry in (await again.read("call")).entries] == [1]
    assert [entry.seq for entry in (await again.read("other")).entries] == [1]  # the store wrote what waited


@on_a_machine
async def test_a_question_that_nobody_waits_for_any_more_stops_nothing(machine: Machine) -> None:
    store = machine.store()
    lease = await store.create("call", owner="a", ttl=9.0)
    for _ in range(20):
        asking = asyncio.ensure_future(store.renew(lease))
        await asyncio.sleep(0)
        asking.cancel()
    assert (await store.renew(lease)).expires == 1_009.0
