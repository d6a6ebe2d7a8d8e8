"""Rows of a call whose process is killed while the agent counts: how long the caller hears nothing, when the count goes on."""

from __future__ import annotations

import random
import time
from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

from rooms.bench import Bench
from rooms.figures import OURS, Figure, Target, percentile
from rooms.processes import Process, kill
from rooms.script import NUMBERS
from rooms.worker import Side, Worker

KILLS = {"agent": 20, "media": 10}
PEER_KILLS = 2
"""It has no takeover: enough to see it."""
GAP = 0.2
"""Seconds without sound that are a break in the count."""
WATCH = 10.0
TARGETS = {"agent": (Target(1.5), Target(3.0)), "media": (Target(5.0), Target(5.0))}


def again(
    loud: Sequence[float], words: Sequence[tuple[float, int]], killed: float
) -> tuple[float | None, float | None]:
    """Seconds from the moment when the agent falls silent after the kill (what had been made is played first) until it is heard
    again, and until a word that had not been said; 0 where the count did not break, None where it never came. ``loud``,
    ``words``: as the ear noted them."""
    at = max(1, bisect_right(loud, killed))
    while at < len(loud) and loud[at] - loud[at - 1] <= GAP:
        at += 1
    if at >= len(loud):
        counted = max((word for _, word in words), default=-1) == len(NUMBERS) - 1
        return (0.0, 0.0) if counted else (None, None)
    before = max((word for when, word in words if when < loud[at]), default=-1)
    new = next((when for when, word in words if when >= loud[at] and word > before), None)
    silent = max(killed, loud[at - 1])
    return loud[at] - silent, None if new is None else new - silent


def busiest(before: Sequence[Process], now: Sequence[Process], role: str) -> Process | None:
    """Of this role, the one that has worked most in between: the call's."""
    cpu = {one.pid: one.cpu for one in before}
    kept = [one for one in now if one.role == role and one.pid in cpu]
    return max(kept, key=lambda one: one.cpu - cpu[one.pid], default=None)


def agent_killed(bench: Bench) -> list[Figure]:
    """kill -9 of the process that runs the entrypoint."""
    return _killed(bench, "agent", bench.sides)


def media_killed(bench: Bench) -> list[Figure]:
    """kill -9 of the media process. Ours alone: the peer's media are in the process that runs the entrypoint."""
    return _killed(bench, "media", [side for side in bench.sides if side.name == OURS])


def _killed(bench: Bench, role: str, sides: Sequence[Side]) -> list[Figure]:
    heard: dict[str, float | None] = {}
    gone_on: dict[str, float | None] = {}
    notes: dict[str, str] = {}
    raw: dict[str, Any] = {}
    for side in sides:
        kills = 1 if bench.quick else KILLS[role] if side.name == OURS else PEER_KILLS
        variables = {"BENCH_REPLY": "long"}
        if side.name == OURS:
            variables["BENCH_STORE"] = f"sqlite:///{bench.folder / f'{role}.db'}"
        try:
            with bench.worker(side, **variables) as worker:
                found = [_one(bench, worker, role, random.Random(number)) for number in range(kills)]
        except RuntimeError as error:
            notes[side.name] = str(error)
            continue
        raw[side.name] = found
        bench.say(f"{role} killed: {side.name} {found}")
        firsts, news = ([one[part] for one in found if one[part] is not None] for part in (0, 1))
        notes[side.name] = f"of {kills} callers {len(firsts)} heard the agent again, {len(news)} more of the count"
        heard[side.name] = percentile(firsts, 0.99) if len(firsts) == kills else None
        gone_on[side.name] = percentile(news, 0.99) if len(news) == kills else None
    first, new = TARGETS[role]
    return [
        Figure(f"kill -9 of the {role} process: silence, p99", "s", heard, first, notes, raw),
        Figure("the same: silence until the count goes on, p99", "s", gone_on, new),
    ]


def _one(bench: Bench, worker: Worker, role: str, chance: random.Random) -> tuple[float | None, float | None]:
    """One call, killed at some moment of the count."""
    try:
        bench.crowd.join(1)
        time.sleep(2.0)
        if bench.crowd.ask("ask", seconds=15.0) is None:
            raise RuntimeError("the agent does not count")
        before = worker.processes()
        time.sleep(0.5 + 3 * chance.random())
        victim = busiest(before, worker.processes(), role)
        if victim is None:
            raise RuntimeError(f"no {role} process apart from the worker's own")
        killed = time.monotonic()
        kill([victim])
        ear = bench.crowd.ask("words", seconds=WATCH)
        return again(ear["loud"], ear["words"], killed)
    finally:
        bench.crowd.leave()
        bench.rest(3.0)
