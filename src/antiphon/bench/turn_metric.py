"""The eot-bench metric: unwanted interruptions against waiting, over every setting of a simple policy.

A policy waits ``delay`` after a pause began and ends the turn if the score is above ``threshold``, else at ``timeout``.
A pause inside a turn is a false cut-off if the caller was still silent when the policy ended the turn; the latency of an
end is when it did. Of all settings, the fewest cut-offs at a mean latency of 300 and 600 ms are reported, and the lowest mean
latency at 5 and 10 % cut-offs. Source: livekit/eot-bench (thresholds by 0.01, delays 0.2-1.0 by 0.1, time-outs 1.0-3.5
by 0.5 s). Silence alone is given every delay on a 10 ms grid, which is kinder to it than eot-bench's.

Settings are chosen on the data they are reported for, as eot-bench does; ``turn_policy`` measures one fixed setting.
Owns arithmetic only. Intervals are bootstraps over speakers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from antiphon.bench.turn_data import Pause

Floats = NDArray[np.float64]

THRESHOLDS = np.round(np.arange(0.0, 1.005, 0.01), 2)
DELAYS = np.round(np.arange(0.2, 1.05, 0.1), 2)
TIMEOUTS = np.round(np.arange(1.0, 3.55, 0.5), 2)
SILENCES = np.round(np.arange(0.2, 3.505, 0.01), 2)
"""Delays of the policy that knows silence alone, seconds."""
BUDGETS = (0.3, 0.6)
"""Mean latencies, seconds, at which cut-offs are reported."""
SHARES = (0.05, 0.10)
"""Cut-offs at which latency is reported."""
ROUNDS = 1000
SLACK = 1e-9


class Setting(NamedTuple):
    """One policy. Silence alone: ``threshold`` 1, ``delay`` = ``timeout``."""

    threshold: float
    delay: float
    timeout: float


GRID = [Setting(float(t), float(d), float(o)) for t in THRESHOLDS for d in DELAYS for o in TIMEOUTS]
SILENCE_GRID = [Setting(1.0, float(d), float(d)) for d in SILENCES]


class Figures(msgspec.Struct):
    """What one detector reaches on one set. Cut-offs are shares of pauses, latencies seconds; ``None`` where no setting reaches
    the mark. ``per_turn`` (share of turns cut at least once), ``p50`` and ``p95`` (latency) belong to the setting of
    ``cut_600``. ``ci95``: 95 % intervals of the first four."""

    holds: int
    ends: int
    cut_300: float | None
    cut_600: float | None
    lat_5: float | None
    lat_10: float | None
    ci95: dict[str, tuple[float, float]]
    per_turn: float | None
    p50: float | None
    p95: float | None
    slices: dict[str, dict[str, float]] = {}


MARKS = ("cut_300", "cut_600", "lat_5", "lat_10")


class Board(msgspec.Struct):
    """Sums for every setting and speaker: enough to resample speakers without looking at a pause again."""

    settings: list[Setting]
    cut: Floats
    """(speakers, settings) pauses cut."""
    late: Floats
    """(speakers, settings) seconds waited at ends."""
    holds: Floats
    ends: Floats

    def marks(self, weights: Floats) -> list[float]:
        """The four figures with each speaker counted ``weights`` times; NaN where no setting reaches the mark."""
        cut = weights @ self.cut / max(float(weights @ self.holds), 1.0)
        late = weights @ self.late / max(float(weights @ self.ends), 1.0)
        return [_least(cut, late <= b + SLACK) for b in BUDGETS] + [_least(late, cut <= s + SLACK) for s in SHARES]

    def best(self, budget: float) -> Setting | None:
        """The setting with the fewest cut-offs within a mean latency; of equals the quickest."""
        cut, late = self.cut.sum(axis=0) / max(self.holds.sum(), 1), self.late.sum(axis=0) / max(self.ends.sum(), 1)
        allowed = np.flatnonzero(late <= budget + SLACK)
        if not len(allowed):
            return None
        return self.settings[int(allowed[np.lexsort((late[allowed], cut[allowed]))[0]])]


def board(pauses: Sequence[Pause], scores: Sequence[float] | None) -> Board:
    """Every setting tried on every pause. ``scores``: one for each pause, made ``SHORTEST`` into it; ``None``: silence alone."""
    speakers = {name: n for n, name in enumerate(dict.fromkeys(p.speaker for p in pauses))}
    who = np.array([speakers[p.speaker] for p in pauses], np.int64)
    length = np.array([p.length for p in pauses])
    over = np.isinf(length)
    settings = SILENCE_GRID if scores is None else GRID
    score = np.zeros(len(pauses)) if scores is None else np.asarray(scores, float)

    def sums(values: NDArray[np.floating], mask: NDArray[np.bool_]) -> Floats:
        return np.bincount(who[mask], values[mask], len(speakers)).astype(float)

    cut = np.empty((len(speakers), len(settings)))
    late = np.empty_like(cut)
    for column, setting in enumerate(settings):
        ended = _ended(score, setting)
        cut[:, column] = sums((length > ended + SLACK).astype(float), ~over)
        late[:, column] = sums(ended, over)
    ones = np.ones(len(pauses))
    return Board(settings, cut, late, sums(ones, ~over), sums(ones, over))


def figures(pauses: Sequence[Pause], scores: Sequence[float] | None, *, seed: int = 0, rounds: int = ROUNDS) -> Figures:
    """All that is reported of one set. ``seed``: of the bootstrap."""
    made = board(pauses, scores)
    speakers = len(made.holds)
    marks = made.marks(np.ones(speakers))
    chance = np.random.default_rng(seed)
    draws = [
        made.marks(np.bincount(chance.integers(speakers, size=speakers), minlength=speakers).astype(float))
        for _ in range(rounds)
    ]
    ci95 = {name: _interval([d[n] for d in draws]) for n, name in enumerate(MARKS) if np.isfinite(marks[n])}
    setting = made.best(BUDGETS[1])
    ended = (
        None if setting is None else _ended(np.zeros(len(pauses)) if scores is None else np.asarray(scores), setting)
    )
    waits = [] if ended is None else [e for e, p in zip(ended, pauses, strict=True) if p.ends]
    cut_300, cut_600, lat_5, lat_10 = (mark if np.isfinite(mark) else None for mark in marks)
    return Figures(
        holds=int(made.holds.sum()),
        ends=int(made.ends.sum()),
        cut_300=cut_300,
        cut_600=cut_600,
        lat_5=lat_5,
        lat_10=lat_10,
        ci95=ci95,
        per_turn=None if ended is None else cut_turns(pauses, ended),
        p50=float(np.median(waits)) if waits else None,
        p95=float(np.percentile(waits, 95)) if waits else None,
        slices={} if ended is None else slices(pauses, ended),
    )


def cut_turns(pauses: Sequence[Pause], ended: Sequence[float] | Floats) -> float:
    """Share of the turns that are cut at least once, ``ended`` being when the policy ends each pause."""
    turns = {p.turn for p in pauses}
    cut = {p.turn for p, end in zip(pauses, ended, strict=True) if not p.ends and p.length > end + SLACK}
    return len(cut) / len(turns)


def slices(pauses: Sequence[Pause], ended: Sequence[float] | Floats) -> dict[str, dict[str, float]]:
    """Cut-offs and mean latency of each slice, ``ended`` being when the policy ends each pause."""
    result: dict[str, dict[str, float]] = {}
    for name in sorted({s for p in pauses for s in p.slices}):
        inside = [(p, float(end)) for p, end in zip(pauses, ended, strict=True) if name in p.slices]
        cut = [p.length > end + SLACK for p, end in inside if not p.ends]
        waits = [end for p, end in inside if p.ends]
        result[name] = {"holds": len(cut), "ends": len(waits)}
        if cut:
            result[name]["cut"] = sum(cut) / len(cut)
        if waits:
            result[name]["latency"] = sum(waits) / len(waits)
    return result


def cut_by_silence(pauses: Sequence[Pause], delay: float) -> float:
    """Share of the pauses that a fixed delay cuts."""
    holds = [p.length > delay + SLACK for p in pauses if not p.ends]
    return sum(holds) / len(holds) if holds else 0.0


def _ended(score: Floats, setting: Setting) -> Floats:
    return np.where(score > setting.threshold, setting.delay, setting.timeout)


def _least(values: Floats, allowed: NDArray[np.bool_]) -> float:
    return float(values[allowed].min()) if allowed.any() else float("nan")


def _interval(draws: Sequence[float]) -> tuple[float, float]:
    kept = [d for d in draws if np.isfinite(d)]
    if not kept:
        return float("nan"), float("nan")
    low, high = np.percentile(kept, [2.5, 97.5])
    return float(low), float(high)
