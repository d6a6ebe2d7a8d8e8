"""Rows of a worker before and beside its calls: start, memory at rest, memory of each session."""

from __future__ import annotations

from rooms.bench import Bench
from rooms.figures import Figure, Target, median
from rooms.processes import memory
from rooms.worker import Worker

STARTS, IDLES, FEW, MANY = 5, 3, 1, 6
SETTLE = 4.0


def start(bench: Bench) -> list[Figure]:
    """From the command to the moment when the server has the worker."""
    registered: dict[str, list[float]] = {}
    warm: dict[str, list[float]] = {}
    for _, side in bench.turns(STARTS):
        with Worker(side, bench.server) as worker:
            registered.setdefault(side.name, []).append(worker.registered)
            warm.setdefault(side.name, []).append(worker.warm)
        bench.say(f"start: {side.name} {worker.registered:.2f} s, warm {worker.warm:.2f} s")
    return [
        Figure("start to registered, median", "s", {name: median(of) for name, of in registered.items()}, Target(1.5), raw=dict(registered)),
        Figure("start to all that it warms", "s", {name: median(of) for name, of in warm.items()}, raw=dict(warm)),
    ]  # fmt: skip


def idle(bench: Bench) -> list[Figure]:
    """Memory of a worker that nobody calls."""
    found: dict[str, list[float]] = {}
    apart: dict[str, list[dict[str, float]]] = {}
    for _, side in bench.turns(IDLES):
        with bench.worker(side) as worker:
            bench.rest(SETTLE)
            found.setdefault(side.name, []).append(worker.memory())
            apart.setdefault(side.name, []).append(memory(worker.processes()))
            bench.say(f"idle: {side.name} {found[side.name][-1]:.0f} MB of {len(worker.processes())} processes")
    values = {name: median(of) for name, of in found.items()}
    return [Figure("idle worker, proportional memory", "MB", values, Target(120), raw={"all": found, "roles": apart})]


def sessions(bench: Bench) -> list[Figure]:
    """Memory that one more room costs, of rooms where somebody has been answered."""
    values: dict[str, float | None] = {}
    notes: dict[str, str] = {}
    raw: dict[str, list[float]] = {}
    most = 3 if bench.quick else MANY
    for _, side in bench.turns(1):
        with bench.worker(side) as worker:
            points = []
            for count in (FEW, most - FEW):
                heard = sum("audio" in caller for caller in bench.crowd.join(count))
                talk = bench.crowd.ask("talk", turns=1, period=10.0)
                bench.rest(SETTLE)
                points.append(worker.memory())
                answered = sum(turn["first"] is not None for turn in talk["turns"])
                if heard < count or answered < talk["due"]:
                    notes[side.name] = (
                        f"{count - heard} of {count} callers heard nothing, {talk['due'] - answered} turns were not answered"
                    )
            values[side.name], raw[side.name] = (points[1] - points[0]) / (most - FEW), points
            bench.say(f"memory: {side.name} {points[0]:.0f} MB with {FEW} room, {points[1]:.0f} MB with {most}")
    return [Figure(f"memory of one more room, {FEW} to {most}", "MB", values, Target(12), notes, dict(raw))]
