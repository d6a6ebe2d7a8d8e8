"""What befalls a store's file: no space, no permission, another process, garbage, a later version. Each has its error; the call
goes on; what can still be stored is, without a gap."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from antiphon.errors import StoreError
from antiphon.kernel import facts
from antiphon.store import sqlite_file
from antiphon.store.sqlite import SQLiteStore
from antiphon.store.sqlite_file import SCHEMA

ROOT = Path(__file__).parents[2]
TURN = facts.TurnCommitted(at=2.5, turn=1, item="i", text="two teas")


def opened(path: Path) -> StoreError:
    """The error of opening it."""
    with pytest.raises(StoreError) as refused:
        SQLiteStore(path)
    assert refused.value.hint
    return refused.value


def test_garbage_is_not_taken_for_a_store(tmp_path: Path) -> None:
    path = tmp_path / "calls.db"
    path.write_bytes(b"not a database at all" * 100)
    assert opened(path).reason == "damaged"


def test_the_database_of_something_else_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "calls.db"
    with sqlite3.connect(path) as db:
        db.execute("create table session(id text)")
    before = path.read_bytes()
    error = opened(path)
    assert error.reason == "damaged" and "something else" in str(error)
    assert path.read_bytes() == before


def test_a_later_versions_store_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "calls.db"
    asyncio.run(SQLiteStore(path).aclose())
    with sqlite3.connect(path) as db:
        db.execute(f"pragma user_version = {SCHEMA + 1}")
    error = opened(path)
    assert error.reason == "newer" and str(SCHEMA + 1) in str(error)


def test_a_later_versions_log_is_refused(tmp_path: Path) -> None:
    async def story() -> None:
        store = SQLiteStore(tmp_path / "calls.db")
        await store.create("call", owner="a", ttl=1.0, build="9.9")
        with sqlite3.connect(store.path) as db:
            db.execute("update session set log_version = 99")
        db.close()
        with pytest.raises(StoreError, match=r"9\.9") as refused:
            await store.read("call")
        assert refused.value.reason == "newer"
        await store.aclose()

    asyncio.run(story())


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert opened(tmp_path / "file" / "calls.db").reason == "read_only"
    assert opened(tmp_path).reason == "read_only"


def test_a_network_file_system_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_file, "_NETWORK", {sqlite_file._file_system(tmp_path / "calls.db")})
    assert "network file system" in str(opened(tmp_path / "calls.db"))


def test_a_damaged_page_is_told_where_it_is_met(tmp_path: Path) -> None:
    path = tmp_path / "calls.db"

    async def write() -> None:
        store = SQLiteStore(path)
        log = store.log(await store.create("call", owner="a", ttl=60.0))
        for _ in range(500):
            log.append("fact", 1.0, TURN)
        await log.aclose()
        await store.aclose()

    async def look() -> None:
        store = SQLiteStore(path)
        with pytest.raises(StoreError) as refused:
            await store.read("call")
        assert refused.value.reason == "damaged" and "recover" in refused.value.hint
        await store.aclose()

    asyncio.run(write())
    whole = path.read_bytes()
    path.write_bytes(whole[: 4096 * 5] + b"\xff" * (len(whole) - 4096 * 5))
    asyncio.run(look())


def test_while_another_process_holds_the_file_entries_wait_and_none_is_lost(tmp_path: Path) -> None:
    async def story() -> None:
        store = SQLiteStore(tmp_path / "calls.db")
        troubles: list[StoreError] = []
        told = threading.Event()
        log = store.log(
            await store.create("call", owner="a", ttl=60.0), on_error=lambda error: (troubles.append(error), told.set())
        )
        other = sqlite3.connect(store.path, isolation_level=None)
        for facts_before in (0, 5):
            told.clear()
            other.execute("begin immediate")
            for _ in range(5):
                log.append("fact", 1.0, TURN)
            await asyncio.get_running_loop().run_in_executor(None, told.wait, 10.0)
            assert log.durable == facts_before
            other.execute("rollback")
            while log.durable < facts_before + 5:  # it tries again by itself
                await asyncio.sleep(0.01)
        other.close()
        assert [error.reason for error in troubles] == ["locked", "locked"] and troubles[0].passing
        assert [entry.seq for entry in (await store.read("call")).entries] == list(range(1, 11))
        assert store.metrics().failed >= 1
        await store.aclose()

    asyncio.run(asyncio.wait_for(story(), 30.0))


def test_more_than_may_wait_ends_the_log_not_the_call(tmp_path: Path) -> None:
    async def story() -> None:
        store = SQLiteStore(tmp_path / "calls.db", max_waiting=10)
        troubles: list[StoreError] = []
        log = store.log(await store.create("call", owner="a", ttl=60.0), on_error=troubles.append)
        other = sqlite3.connect(store.path, isolation_level=None)
        other.execute("begin immediate")
        for _ in range(30):
            log.append("fact", 1.0, TURN)
        other.execute("rollback")
        other.close()
        with pytest.raises(StoreError, match="wait for the store"):
            await log.until_durable(30)
        assert log.dropped == 30 and [error.reason for error in troubles] == ["behind"]
        seqs = [entry.seq for entry in (await store.read("call")).entries]
        assert seqs == list(range(1, len(seqs) + 1))
        await store.aclose()

    asyncio.run(story())


FULL = """
import asyncio, json, sys
from pathlib import Path
from antiphon.kernel import facts
from antiphon.store.sqlite import SQLiteStore

async def story(folder):
    store = SQLiteStore(folder / "calls.db")
    troubles = []
    log = store.log(await store.create("call", owner="a", ttl=60.0), on_error=lambda error: troubles.append(error.reason))
    ballast = folder / "ballast"
    ballast.write_bytes(bytes(200_000))
    turn = facts.TurnCommitted(at=1.0, turn=1, item="i", text="two teas " * 100)
    appended = 0
    while not troubles and appended < 2_000:
        log.append("fact", 1.0, turn)
        appended += 1
        await asyncio.sleep(0.001)
    held = log.durable
    for _ in range(20):
        log.append("fact", 1.0, turn)
        appended += 1
    ballast.unlink()
    await log.until_durable(appended, timeout=20.0)
    entries = (await store.read("call")).entries
    await store.aclose()
    print(json.dumps({"troubles": troubles, "held": held, "appended": appended, "seqs": [e.seq for e in entries]}))

asyncio.run(story(Path(sys.argv[1])))
"""


def test_on_a_full_disk_entries_wait_until_there_is_space_and_none_is_lost(tmp_path: Path) -> None:
    """On a real small file system, in a namespace of its own."""
    mount = f'mount -t tmpfs -o size=700k tmpfs {tmp_path} && exec "$@"'
    unshare = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mount, "sh"]
    if shutil.which("unshare") is None or subprocess.run([*unshare, "true"], capture_output=True).returncode:
        pytest.skip("this machine lets nobody mount a small file system")
    done = subprocess.run(
        [*unshare, sys.executable, "-c", FULL, str(tmp_path)],
        capture_output=True, text=True, timeout=60, env={**os.environ, "PYTHONPATH": str(ROOT / "src")}, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["troubles"] == ["full"], told
    assert told["held"] < told["appended"] and told["seqs"] == list(range(1, told["appended"] + 1))
