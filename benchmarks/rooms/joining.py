"""Rows of the first seconds of a call: one caller at a time, and many at once."""

from __future__ import annotations

from collections.abc import Sequence

from rooms.bench import Bench
from rooms.figures import Figure, Target, median
from rooms.worker import Side

ROUNDS, CALLS = 2, 5
BURSTS, AT_ONCE = 5, 8
BETWEEN = 5.0
"""Seconds from one call to the next: what a worker keeps warm is warm again."""

Noted = dict[str, float]


def audio(noted: Sequence[Noted]) -> list[float]:
    """Seconds from the connection to the agent's first sound, of those who heard it."""
    return [one["audio"] for one in noted if "audio" in one]


def join(bench: Bench) -> list[Figure]:
    """From the caller's connection to the agent's first sound, at a worker that has nothing else to do."""
    noted: dict[str, list[Noted]] = {side.name: [] for side in bench.sides}
    for _, side in bench.turns(ROUNDS):
        with bench.worker(side) as _worker:
            for _ in range(1 if bench.quick else CALLS):
                noted[side.name] += bench.crowd.join(1)
                bench.crowd.leave()
                bench.rest(BETWEEN)
        bench.say(f"join: {side.name} {[round(one, 3) for one in audio(noted[side.name])]}")
    return [
        Figure("joined to the agent's first sound, median", "s", {name: median(audio(of)) for name, of in noted.items()},
               Target(0.4), _missing(noted), dict(noted)),
        Figure("the same, the slowest", "s", {name: max(audio(of), default=None) for name, of in noted.items()}),
        Figure("the same from before the caller connects, median", "s",
               {name: median(one["audio"] - one["begun"] for one in of if "audio" in one) for name, of in noted.items()}),
    ]  # fmt: skip


def burst(bench: Bench) -> list[Figure]:
    """Many callers at once, each burst at a fresh worker."""
    noted: dict[str, list[Noted]] = {side.name: [] for side in bench.sides}
    for _, side in bench.turns(BURSTS):
        noted[side.name] += _burst(bench, side)
    asked = {name: len(of) for name, of in noted.items()}
    heard = {name: float(len(audio(of))) for name, of in noted.items()}
    most = float(max(asked.values()))
    return [
        Figure(f"bursts of {AT_ONCE} callers: heard the agent, of {most:g}", "", dict(heard), Target(most, less=False), raw=dict(noted)),
        Figure("the same: joined to first sound, median", "s", {name: median(audio(of)) for name, of in noted.items()}),
        Figure("the same, the slowest of those who heard", "s",
               {name: max(audio(of), default=None) for name, of in noted.items()}, Target(1.2)),
    ]  # fmt: skip


def _burst(bench: Bench, side: Side) -> list[Noted]:
    with bench.worker(side):
        bench.rest(BETWEEN)
        noted = bench.crowd.join(AT_ONCE, together=True)
    bench.say(f"burst: {side.name} {sorted(round(one, 2) for one in audio(noted))}")
    return noted


def _missing(noted: dict[str, list[Noted]]) -> dict[str, str]:
    short = {name: len(of) - len(audio(of)) for name, of in noted.items()}
    return {name: f"{count} callers heard nothing" for name, count in short.items() if count}
