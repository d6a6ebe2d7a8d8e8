"""The result of the turn-taking bench: as JSON, and as a table to read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np

from antiphon.bench.turn_metric import BUDGETS, MARKS, Figures, figures
from antiphon.bench.turn_policy import PolicyFigures, policy_curve, policy_figures
from antiphon.bench.turn_scores import Scored, ScoredPause
from antiphon.kernel.policy import TurnPolicy


class TurnReport(msgspec.Struct):
    """``sets`` and ``vad``: the eot-bench grid, by set, of the detector and of silence alone. ``policy``: the shipped
    policy at its default, ``curve``: along its knob. ``decision_ms``: time of one decision."""

    detector: str
    sets: dict[str, Figures]
    vad: dict[str, Figures]
    policy: dict[str, PolicyFigures]
    curve: dict[str, list[PolicyFigures]]
    unreadable: int = 0
    decision_ms: dict[str, float] = {}


def report(detector: str, scored: Scored, *, seed: int = 0) -> TurnReport:
    """All figures of a run. ``seed``: of the intervals."""
    groups: dict[str, list[ScoredPause]] = {}
    for one in scored.pauses:
        groups.setdefault(one.pause.group, []).append(one)
    made = TurnReport(detector, {}, {}, {}, {}, len(scored.unreadable))
    for name, group in groups.items():
        pauses = [one.pause for one in group]
        made.vad[name] = figures(pauses, None, seed=seed)
        judged = all(one.scores for one in group)
        made.sets[name] = figures(pauses, [one.scores[0] for one in group], seed=seed) if judged else made.vad[name]
        default = policy_figures(group, TurnPolicy())
        if default is not None:
            made.policy[name] = default
            made.curve[name] = policy_curve(group)
    if scored.milliseconds:
        p50, p95 = np.percentile(scored.milliseconds, [50, 95])
        made.decision_ms = {"p50": round(float(p50), 2), "p95": round(float(p95), 2)}
    return made


def as_json(made: TurnReport) -> bytes:
    """The report as a JSON document; numbers with four places."""
    return msgspec.json.format(msgspec.json.encode(_rounded(msgspec.to_builtins(made))), indent=1)


def as_text(made: TurnReport) -> str:
    """The report as tables."""
    return "\n".join(_lines(made))


def _lines(made: TurnReport) -> Iterator[str]:
    yield f"eot-bench grid: detector {made.detector}, the best setting for each mark (95 % intervals over speakers)"
    yield (
        f"{'set':28} {'holds':>6} {'ends':>6}  "
        + "  ".join(f"{title:>22}" for title in TITLES)
        + "  per turn   p50   p95"
    )
    for name in made.sets:
        yield _grid_line(f"{name}, {made.detector}", made.sets[name])
        if made.detector != "vad":
            yield _grid_line(f"{name}, silence alone", made.vad[name])
    for name, own in made.sets.items():
        yield from _slice_lines(f"{name} at {BUDGETS[1]:g} s", own.slices)
    yield ""
    yield "policy as shipped, nothing chosen on this data (silence alone: a fixed delay as long as its mean, as its p95)"
    head = f"{'set':20} {'knob':>5} {'cut-offs':>9} {'mean':>6} {'p50':>6} {'p95':>6} {'per turn':>9} {'limit':>6}"
    yield f"{head} {'silence, mean':>14} {'silence, p95':>13}"
    for name, default in made.policy.items():
        yield _policy_line(f"{name} (default)", default)
        for point in made.curve[name]:
            yield _policy_line(name, point)
        yield from _slice_lines(f"{name}, default", default.slices)
    if made.decision_ms:
        yield ""
        yield f"one decision takes {made.decision_ms['p50']:.1f} ms (p95 {made.decision_ms['p95']:.1f}), by the clock of this machine"
    if made.unreadable:
        yield f"left out: {made.unreadable} rows without readable audio"


TITLES = ("cut-offs at 300 ms", "cut-offs at 600 ms", "latency at 5 %", "latency at 10 %")


def _grid_line(title: str, own: Figures) -> str:
    cells = []
    for mark in MARKS:
        value = getattr(own, mark)
        if value is None:
            cells.append("not reached")
            continue
        low, high = own.ci95[mark]
        unit, scale = ("%", 100.0) if mark.startswith("cut") else ("ms", 1000.0)
        cells.append(f"{value * scale:.0f} {unit} [{low * scale:.0f}, {high * scale:.0f}]")
    last = f"  {_share(own.per_turn):>8} {_seconds(own.p50)} {_seconds(own.p95)}"
    return f"{title:28} {own.holds:6} {own.ends:6}  " + "  ".join(f"{cell:>22}" for cell in cells) + last


def _policy_line(title: str, own: PolicyFigures) -> str:
    times = f"{_seconds(own.mean):>6} {_seconds(own.p50):>6} {_seconds(own.p95):>6}"
    silence = f"{_share(own.vad_at_mean):>14} {_share(own.vad_at_p95):>13}"
    shares = f"{_share(own.per_turn):>9} {_share(own.limit):>6}"
    return f"{title:20} {own.latency:5.1f} {_share(own.cut):>9} {times} {shares} {silence}"


def _slice_lines(title: str, parts: dict[str, dict[str, float]]) -> Iterator[str]:
    for name, part in parts.items():
        cut, latency = _share(part.get("cut")), _seconds(part.get("latency"))
        counts = f"{part['holds']:.0f} holds, {part['ends']:.0f} ends"
        yield f"  {title}, {name}: {counts}, cut-offs {cut}, mean latency {latency} s"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f} %"


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_rounded(item) for item in value]
    return round(value, 4) if isinstance(value, float) else value
