"""What a machine has too little of, and a call that makes its process crash: told by hand, not by chance."""

from __future__ import annotations

import asyncio
import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.takeover.campaign import Fault, Outcome, outcome_of
from tests.takeover.checking import read_calls
from tests.takeover.diary import read
from tests.takeover.worker import CampaignWorker, campaign_worker

PLAIN = ["tell", "book", "pay"]
TRIES = 3
"""Takeovers of a call that makes its processes crash, before the safe entrypoint serves it."""


def crash_loop(seed: int) -> Outcome:
    """One caller says a word at which the agent's process dies, each time; three others talk."""

    def happens(worker: CampaignWorker, turns: dict[str, list[str]]) -> list[str]:
        worker.offer("bad", ["tell", "crash", "tell"], seed)
        worker.until(lambda: len(worker.ended()) == len(turns) + 1, 90.0)
        crashes = [line for line in worker.events.lines if line["kind"] == "crash"]
        heard = [line["text"] for line in read(worker.folder / "bad.jsonl") if line["kind"] == "word"]
        (bad,) = asyncio.run(read_calls(worker.folder, ["bad"]))
        broken = [] if len(crashes) == TRIES + 1 else [f"the word was tried {len(crashes)} times"]
        if sum(line["kind"] == "safe" for line in worker.events.lines) != 1 or "Sorry." not in heard:
            broken.append("the safe entrypoint did not serve it")
        if (bad.stored.status, bad.stored.reason) != ("ended", "crash loop"):
            broken.append(f"it is {bad.stored.status}, {bad.stored.reason!r}")
        return broken

    return _beside("a word that crashes", happens, seed)


def memory(seed: int) -> Outcome:
    """One caller has the agent take much memory: its process is ended, and its calls go on in another."""

    def happens(worker: CampaignWorker, turns: dict[str, list[str]]) -> list[str]:
        turns["hog"] = ["tell", "hog", "tell"]
        worker.offer("hog", turns["hog"], seed)
        worker.until(lambda: len(worker.ended()) == len(turns), 90.0)
        return [] if "more than memory_limit" in worker.said else ["nobody ended the process that had too much memory"]

    return _beside("too much memory", happens, seed, memory_limit=400)


def full_disk(seed: int) -> Outcome:
    """The store's disk has no space for some seconds."""

    def happens(worker: CampaignWorker, turns: dict[str, list[str]]) -> list[str]:
        worker.until(lambda: any(line["kind"] == "durable" for line in worker.events.lines), 20.0)
        time.sleep(2.0)
        filled = fill(worker.folder / "store" / "filler")
        time.sleep(4.0)
        (worker.folder / "store" / "filler").unlink()
        worker.until(lambda: len(worker.ended()) == len(turns), 90.0)
        return [] if filled and "no space left" in worker.said else ["nobody said that the disk was full"]

    with small_disk() as folder:
        return _beside("a full disk", happens, seed, store=str(folder / "calls.db"), disk=folder)


def _beside(
    kind: str,
    happens: Callable[[CampaignWorker, dict[str, list[str]]], list[str]],
    seed: int,
    *,
    disk: Path | None = None,
    **options: Any,
) -> Outcome:
    """Three calls beside what happens; all that runs when a process dies of it counts as cut."""
    with tempfile.TemporaryDirectory(prefix="takeover-") as temporary:
        folder = Path(temporary)
        if disk is not None:
            (folder / "store").symlink_to(disk)
        with campaign_worker(folder, **{"max_sessions": 4, "processes": 4, **options}) as worker:
            turns = {f"call{number}": list(PLAIN) for number in range(3)}
            for number, (job, kinds) in enumerate(turns.items()):
                worker.offer(job, kinds, seed + number)
            worker.until(lambda: len(worker.serving()) == len(turns), 20.0)
            broken = happens(worker, turns)
            epochs = [line for line in worker.events.lines if line["kind"] == "serving" and line["resumed"]]
            faults = [Fault(kind, line["at"], set(), [line["job"]]) for line in epochs] or [Fault(kind, 0.0, set(), [])]
            left = set(turns) - set(worker.ended())
            broken += [f"never over: {', '.join(sorted(left))}"] if left else []
        return outcome_of(folder, turns, faults, broken)


def fill(path: Path) -> int:
    """To the last byte. Returns how many there were."""
    written = 0
    with path.open("wb", buffering=0) as file:
        for size in (65_536, 4_096, 512, 1):
            try:
                while True:
                    written += file.write(b"\0" * size)
            except OSError:
                continue
    return written


@contextmanager
def small_disk(megabytes: int = 8) -> Iterator[Path]:
    """A disk of its own in memory. Raises ``PermissionError`` where this process may not mount one."""
    with tempfile.TemporaryDirectory(prefix="disk-") as folder:
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=700,uid={os.getuid()}", "tmpfs", folder],
            capture_output=True,
            check=False,
        )
        if mounted.returncode:
            raise PermissionError(mounted.stderr.decode().strip())
        try:
            yield Path(folder)
        finally:
            subprocess.run(["umount", folder], check=False)
