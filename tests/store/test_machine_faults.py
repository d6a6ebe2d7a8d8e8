"""What befalls the machine around a store: its wall clock jumps, it runs out of open files. No lease is lost by it, no entry, no call."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from antiphon.errors import LeaseHeldError
from antiphon.kernel import facts
from antiphon.store.clock import boot_id, machine_clock
from antiphon.store.sqlite import SQLiteStore

ROOT = Path(__file__).parents[2]
TURN = facts.TurnCommitted(at=1.0, turn=1, item="i", text="two teas")


@pytest.mark.parametrize(
    "jump", [3_600.0, -3_600.0, 86_400.0 * 3_650, -86_400.0 * 3_650], ids=["+1h", "-1h", "+10y", "-10y"]
)
def test_a_wall_clock_that_jumps_takes_nobodys_lease_and_ends_none_late(
    jump: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The machine's own clock runs on: it is not set."""
    real = time.time

    async def story() -> None:
        here, there = SQLiteStore(tmp_path / "calls.db"), SQLiteStore(tmp_path / "calls.db")
        lease = await here.create("call", owner="a", ttl=30.0)
        log = here.log(lease)
        await here.create("short", owner="a", ttl=0.2)
        monkeypatch.setattr(time, "time", lambda: real() + jump)
        with pytest.raises(LeaseHeldError) as held:
            await there.claim("call", owner="b", ttl=3.0)
        assert 25.0 < held.value.remaining <= 30.0
        log.append("fact", 1.0, TURN)
        await log.until_durable(1, timeout=10.0)
        assert 25.0 < (await here.renew(lease)).expires - machine_clock() <= 30.0
        async with asyncio.timeout(10.0):
            while not (found := await there.claim_orphans(owner="b", ttl=3.0)):
                await asyncio.sleep(0.02)
        assert [(each.session, each.epoch) for each in found] == [("short", 2)]
        assert 0.0 <= found[0].age < 10.0
        opened = SQLiteStore(tmp_path / "calls.db")  # who opens it after the jump sees the same
        with pytest.raises(LeaseHeldError):
            await opened.claim("call", owner="c", ttl=3.0)
        for store in (here, there, opened):
            await store.aclose()

    asyncio.run(story())


def test_a_clock_set_back_forgets_nothing_early_and_set_forward_only_what_has_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """How long ago a session ended is told by the wall clock: days, for people."""
    real = time.time

    async def story() -> None:
        store = SQLiteStore(tmp_path / "calls.db")
        await store.end(await store.create("over", owner="a", ttl=30.0), "done")
        await store.create("runs", owner="a", ttl=30.0)
        monkeypatch.setattr(time, "time", lambda: real() - 3_600.0)
        assert await store.forget(older_than=1_800.0) == 0
        monkeypatch.setattr(time, "time", lambda: real() + 86_400.0)
        assert await store.forget(older_than=1_800.0) == 1
        assert [session.id for session in await store.sessions()] == ["runs"]
        await store.aclose()

    asyncio.run(story())


def test_the_clock_of_leases_runs_on_and_names_the_machines_start() -> None:
    before = machine_clock()
    assert before > 0 and boot_id() == boot_id()
    assert machine_clock() >= before


ELSEWHERE = """
import asyncio, json, sys
from antiphon.errors import LeaseHeldError, StoreError
from antiphon.store.clock import machine_clock
from antiphon.store.sqlite import SQLiteStore

async def story(path):
    store = SQLiteStore(path)
    said = {"clock": machine_clock()}
    try:
        await store.claim("call", owner="elsewhere", ttl=3.0)
    except LeaseHeldError as held:
        said["remaining"] = held.remaining
    said["short"] = [lease.session for lease in await store.claim_orphans(owner="elsewhere", ttl=30.0, limit=9)]
    await store.aclose()
    print(json.dumps(said))

asyncio.run(story(sys.argv[1]))
"""


@pytest.mark.parametrize("shift", ["3600", "-3600", "100000000"])
def test_a_container_with_a_time_of_its_own_takes_nobodys_lease(shift: str, tmp_path: Path) -> None:
    """In a real time namespace, whose clock since the start of the machine is another."""
    unshare = ["unshare", "--user", "--map-root-user", "--time", "--fork"]
    shifts = [f"--boottime={shift}", f"--monotonic={shift}"]
    if shift.startswith("-") and machine_clock() < 2 * 3_600:
        pytest.skip("the machine has not run for long enough: a clock cannot go below zero")
    if shutil.which("unshare") is None or subprocess.run([*unshare, *shifts, "true"], capture_output=True).returncode:
        pytest.skip("this machine lets nobody make a time namespace")

    async def story() -> None:
        store = SQLiteStore(tmp_path / "calls.db")
        await store.create("call", owner="a", ttl=60.0)
        await store.create("short", owner="a", ttl=0.0)
        done = await asyncio.to_thread(
            subprocess.run,
            [*unshare, *shifts, sys.executable, "-c", ELSEWHERE, str(store.path)],
            capture_output=True, text=True, timeout=60, env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        said = json.loads(done.stdout)
        assert abs(said["clock"] - machine_clock()) < 30.0
        assert 30.0 < said["remaining"] <= 60.0 and said["short"] == ["short"]
        with pytest.raises(LeaseHeldError):
            await store.claim("short", owner="b", ttl=3.0)
        await store.aclose()

    asyncio.run(story())


FILES = """
import asyncio, json, os, resource, sys
from pathlib import Path
from antiphon.errors import AntiphonError, StoreError
from antiphon.kernel import facts
from antiphon.store.event_log import FileEventLog
from antiphon.store.sqlite import SQLiteStore

TURN = facts.TurnCommitted(at=1.0, turn=1, item="i", text="two teas " * 50)

async def story(folder):
    store = SQLiteStore(folder / "calls.db")
    lease = await store.create("call", owner="a", ttl=60.0)
    log = store.log(lease)
    log.append("fact", 1.0, TURN)
    await log.until_durable(1, timeout=10.0)
    await store.read("call")
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    held, said = [], {}
    try:
        while True:
            held.append(os.open(os.devnull, os.O_RDONLY))
    except OSError:
        pass
    for _ in range(2_000):
        log.append("fact", 1.0, TURN)
    await log.until_durable(2_001, timeout=20.0)
    said["durable"], said["renewed"] = log.durable, (await store.renew(lease)).epoch
    async def refused(work):
        try:
            made = work()
            await made if asyncio.iscoroutine(made) else made
        except AntiphonError as error:
            return [getattr(error, "reason", ""), getattr(error, "passing", None), error.hint]
    said["read"] = await refused(lambda: store.read("call"))
    said["open"] = await refused(lambda: SQLiteStore(folder / "calls.db"))
    said["log"] = await refused(lambda: FileEventLog(folder / "call.jsonl"))
    for descriptor in held:
        os.close(descriptor)
    said["entries"] = [entry.seq for entry in (await store.read("call")).entries] == list(range(1, 2_002))
    said["left"] = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        await store.read("call")
    said["left_then"] = len(os.listdir("/proc/self/fd"))
    await store.aclose()
    print(json.dumps(said))

asyncio.run(story(Path(sys.argv[1])))
"""


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts open files in /proc")
def test_without_a_file_left_to_open_calls_are_written_on_and_nothing_else_is_opened(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FILES, str(tmp_path)],
        capture_output=True, text=True, timeout=120, env={**os.environ, "PYTHONPATH": str(ROOT / "src")}, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert (said["durable"], said["renewed"], said["entries"]) == (2_001, 1, True)
    for what in ("read", "open"):
        reason, passing, hint = said[what]
        assert reason == "io" and passing and "ulimit" in hint, (what, said[what])
    assert "ulimit" in said["log"][2]
    assert said["left_then"] == said["left"]
