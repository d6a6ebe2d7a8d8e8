"""Processes that fight for a few sessions of one SQLite file, and are killed and stopped at any moment: see ``tests.store.history``."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

from antiphon.errors import StoreError
from antiphon.models.store import Lease
from antiphon.store.clock import machine_clock
from antiphon.store.sqlite import SQLiteStore
from tests.faults import Row
from tests.store.history import Done, Stored, broken, read_history

PROCESSES = 4
SESSIONS = ("call0", "call1", "call2")
SECONDS = 1.2
"""Of one trial."""
TTLS = (0.03, 0.1, 0.3)


class Diary:
    """A process's history: on its file before and behind each operation, whatever happens to the process."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._count = 0

    def begin(self, kind: str, session: str, **fields: Any) -> int:
        self._count += 1
        self._write(n=self._count, kind=kind, session=session, began=machine_clock(), **fields)
        return self._count

    def answer(self, n: int, good: bool, **fields: Any) -> None:
        self._write(n=n, answered=machine_clock(), good=good, **fields)

    def _write(self, **fields: Any) -> None:
        os.write(self._fd, json.dumps(fields).encode() + b"\n")


async def live(path: Path, diary: Diary, name: str, chance: random.Random) -> None:
    """Claim what is to be had, write, renew, let go or not, and go on writing when it is somebody else's."""
    store = SQLiteStore(path)
    count = 0

    async def tried(n: int, work: Awaitable[Any], **fields: Any) -> Any:
        try:
            result = await work
        except (StoreError, TimeoutError):
            diary.answer(n, False)
            return None
        diary.answer(n, True, **({"epoch": result.epoch} if isinstance(result, Lease) else {}), **fields)
        return result or True

    while True:
        session, ttl = chance.choice(SESSIONS), chance.choice(TTLS)
        begun = diary.begin("claim", session, ttl=ttl)
        lease = await tried(begun, store.claim(session, owner=name, ttl=ttl))
        if lease is None:
            await asyncio.sleep(chance.uniform(0.0, 0.02))
            continue
        log = store.log(lease)
        await asyncio.sleep(chance.choice([0.0, 0.0, 0.1]))  # time for a former owner to write, if it may
        for _ in range(chance.randint(1, 12)):
            appended = []
            for _ in range(chance.randint(1, 3)):
                count += 1
                value = f"{name}-{count}"
                appended.append(diary.begin("append", session, epoch=lease.epoch, value=value, ttl=ttl))
                log.append("fact", 1.0, {"kind": "value", "value": value})
            stored = await durable(log)
            for begun in appended:
                diary.answer(begun, stored)
            if chance.random() < 0.3:
                begun = diary.begin("renew", session, epoch=lease.epoch, ttl=ttl)
                await tried(begun, store.renew(lease))
            await asyncio.sleep(chance.choice([0.0, 0.0, 0.005, 0.05, ttl * 1.2]))
            if not stored:
                break
        if chance.random() < 0.5:
            begun = diary.begin("release", session, epoch=lease.epoch)
            await tried(begun, store.release(lease))
        await log.aclose()


async def durable(log: Any) -> bool:
    try:
        await log.until_durable(log.position, timeout=5.0)
    except (StoreError, TimeoutError):
        return False
    return True


def start(path: Path, folder: Path, name: str, seed: int) -> int:
    child = os.fork()
    if child == 0:
        try:
            asyncio.run(live(path, Diary(folder / f"{name}.jsonl"), name, random.Random(seed)))
        finally:
            os._exit(1)  # it never ends by itself
    return child


async def prepared(path: Path) -> None:
    store = SQLiteStore(path)
    for session in SESSIONS:
        await store.create(session, owner="nobody", ttl=0.0)
    await store.aclose()


async def in_the_end(path: Path) -> dict[str, Stored]:
    store = SQLiteStore(path)
    found = {}
    for session in await store.sessions():
        read = await store.read(session.id)
        entries = [(e.seq, epoch, str(e.body["value"])) for e, epoch in zip(read.entries, read.epochs, strict=True)]
        found[session.id] = Stored(session.epoch, session.seq, entries)
    await store.aclose()
    return found


def trial(seed: int) -> tuple[list[Done], dict[str, Stored], int]:
    """The history, what is stored, and how many were killed."""
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        path = folder / "calls.db"
        asyncio.run(prepared(path))
        started = 0
        running: dict[int, bool] = {}  # by process id: whether it is stopped
        until = time.monotonic() + SECONDS
        killed = 0
        try:
            while time.monotonic() < until:
                while len(running) < PROCESSES:
                    started += 1
                    running[start(path, folder, f"p{started}", seed * 1_000 + started)] = False
                time.sleep(chance.uniform(0.005, 0.08))
                victim = chance.choice(list(running))
                if running[victim] or chance.random() < 0.4:
                    os.kill(victim, signal.SIGCONT)
                    running[victim] = False
                elif chance.random() < 0.4:
                    os.kill(victim, signal.SIGSTOP)
                    running[victim] = True
                else:
                    os.kill(victim, signal.SIGKILL)
                    os.waitpid(victim, 0)
                    del running[victim]
                    killed += 1
        finally:
            for victim in running:
                os.kill(victim, signal.SIGKILL)
                os.waitpid(victim, 0)
        return read_history(folder.glob("p*.jsonl")), asyncio.run(in_the_end(path)), killed


def main(trials: int, seed: int) -> Row:
    """``trials`` fights."""
    wrong: list[str] = []
    counts: Counter[str] = Counter()
    for number in range(trials):
        history, stored, killed = trial(seed + number)
        wrong += [f"trial {seed + number}: {problem}" for problem in broken(history, stored)]
        counts["killed"] += killed
        counts["claims"] += sum(done.kind == "claim" and done.good for done in history)
        counts["acknowledged"] += sum(done.kind == "append" and done.good for done in history)
        counts["refused"] += sum(done.kind == "append" and not done.good for done in history)
    note = ", ".join(f"{counts[name]} {name}" for name in ("killed", "claims", "acknowledged", "refused"))
    return Row("owners of a store are killed and stopped", trials, wrong, note)
