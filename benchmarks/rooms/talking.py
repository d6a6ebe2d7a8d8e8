"""Rows of live rooms, audio both ways: what a session costs, and how many one core holds."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass

from rooms.bench import Bench
from rooms.figures import Figure, Target, median, percentile
from rooms.processes import parse_stat
from rooms.script import REPLY_SECONDS
from rooms.worker import Side

PERIOD = 10.0
"""Seconds in which each caller speaks once, about 4 s, and is answered for 3 s."""
COST_ROOMS, COST_TURNS, COST_ROUNDS = 4, 3, 2
SIZES, TURNS = (2, 4, 6, 8, 10, 12, 16), 2
LATE, ON_TIME, HEARD = 0.5, 0.95, 0.95
"""A size holds when every turn is answered, this part of the answers at most ``LATE`` s later than the median of the side's
smallest size, and this part of each answer's sound arrives."""
MOST = Target(10, less=False)
FULL = 0.9
"""Part of their cores that server and callers may use: above it, a size that does not hold says nothing of the worker."""


@dataclass(frozen=True)
class Talk:
    """One size of one side. ``cores``: of the worker; ``others``: of server and callers, as a part of what they have.
    ``firsts``: seconds from the end of an utterance to the answer; ``heard``: seconds of sound of the answers, the least."""

    rooms: int
    joined: int
    due: int
    firsts: list[float]
    heard: float
    cores: float
    idle_cores: float
    others: float

    @property
    def cost(self) -> float:
        """CPU seconds of the worker in a minute of one session."""
        return 60 * self.cores / self.rooms


def talk(bench: Bench, side: Side, rooms: int, turns: int) -> Talk:
    """So many rooms at a worker that has one core to itself."""
    with bench.worker(side, pinned=True) as worker:
        bench.rest(3.0)
        cpu, began = worker.cpu(), time.monotonic()
        bench.rest(6.0)
        idle = (worker.cpu() - cpu) / (time.monotonic() - began)
        joined = sum("audio" in one for one in bench.crowd.join(rooms))
        bench.rest(4.0)
        bench.crowd.begin("talk", turns=1 + turns, period=PERIOD)
        time.sleep(PERIOD)  # until all speak
        cpu, server, began = worker.cpu(), _cpu(bench.server.pid), time.monotonic()
        time.sleep(turns * PERIOD)
        wall = time.monotonic() - began
        cpu, server = worker.cpu() - cpu, _cpu(bench.server.pid) - server
        found = bench.crowd.result()
    answers = [turn for turn in found["turns"] if turn["first"] is not None]
    return Talk(
        rooms, joined, found["due"], [turn["first"] for turn in answers],
        min((turn["heard"] for turn in answers), default=0.0), cpu / wall, idle,
        (server / wall + found["callers_cores"]) / bench.other_cores,
    )  # fmt: skip


def _cpu(pid: int) -> float:
    with open(f"/proc/{pid}/stat") as file:
        return parse_stat(file.read())[1]


def holds(talk: Talk, alone: float) -> bool:
    """Whether all turns were answered in time; ``alone``: the median of the smallest size."""
    if talk.joined < talk.rooms or len(talk.firsts) < talk.due or talk.heard < HEARD * REPLY_SECONDS:
        return False
    last = percentile(talk.firsts, ON_TIME)
    return last is not None and last <= alone + LATE


def cost(bench: Bench) -> list[Figure]:
    """CPU of a session, and of a worker at rest."""
    found: dict[str, list[Talk]] = {}
    rooms, turns = (2, 1) if bench.quick else (COST_ROOMS, COST_TURNS)
    for _, side in bench.turns(COST_ROUNDS):
        one = talk(bench, side, rooms, turns)
        found.setdefault(side.name, []).append(one)
        bench.say(f"cpu: {side.name} {one.cost:.2f} CPU-s a session-minute, {len(one.firsts)} of {one.due} answered")
    notes = {
        name: f"{short} turns were not answered"
        for name, of in found.items()
        if (short := sum(one.due - len(one.firsts) for one in of))
    }
    return [
        Figure(f"CPU of a session-minute, {rooms} rooms, all of the worker", "CPU-s",
               {name: median(one.cost for one in of) for name, of in found.items()}, Target(5), notes,
               {name: [asdict(one) for one in of] for name, of in found.items()}),
        Figure("CPU of a worker at rest, in a minute", "CPU-s",
               {name: median(60 * one.idle_cores for one in of) for name, of in found.items()}),
        Figure("end of speech to the answer's first sound, median", "s",
               {name: median(first for one in of for first in one.firsts) for name, of in found.items()}),
    ]  # fmt: skip


def held(bench: Bench) -> list[Figure]:
    """Rooms that one core holds: sizes upward, a side until one does not hold."""
    found: dict[str, list[Talk]] = {side.name: [] for side in bench.sides}
    most: dict[str, float | None] = dict.fromkeys(found)
    alone: dict[str, float] = {}
    over: set[str] = set()
    notes: dict[str, str] = {}
    for size in SIZES[:1] if bench.quick else SIZES:
        for _, side in bench.turns(1):
            if side.name in over:
                continue
            one = talk(bench, side, size, 1 if bench.quick else TURNS)
            found[side.name].append(one)
            alone.setdefault(side.name, median(one.firsts) or 0.0)
            if holds(one, alone[side.name]):
                most[side.name] = float(size)
            else:
                over.add(side.name)
                if one.others > FULL:
                    notes[side.name] = "perhaps more: server and callers had no CPU left"
            bench.say(f"rooms: {side.name} {size}: {'held' if side.name not in over else 'not held'}, "
                      f"{len(one.firsts)} of {one.due} answered, {one.cores:.2f} cores, others {one.others:.2f}")  # fmt: skip
    for name in set(found) - over:
        notes[name] = "or more: the largest size tried holds"
    raw = {name: [asdict(one) for one in of] for name, of in found.items()}
    return [Figure("rooms that one core holds", "", most, None if bench.quick else MOST, notes, raw)]
