"""Turns the results of ``run.py`` into one table, with the peers' figures as multiples of Antiphon's."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

FRAMEWORKS = {"antiphon": "antiphon", "livekit": "livekit-agents 1.8.9", "pipecat": "pipecat-ai 1.14.0"}
TICK_LIMIT = 20.0
"""ms: a size is held when 99 of 100 media ticks are no later than one tick."""

ANSWER_LIMIT = 200.0
"""ms above the framework's own figure for one call, at the 99th percentile."""


@dataclass
class Result:
    """What one part measured for one framework or script. ``data`` has ``failed`` where it could not."""

    part: str
    name: str
    case: dict[str, Any]
    data: dict[str, Any]

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def number(value: float | None, digits: int = 1) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def multiple(value: float | None, ours: float | None) -> str:
    """A figure as a multiple of ours."""
    return "-" if not value or not ours or ours <= 0 else f"{value / ours:.1f}x"


class Table:
    """The rows: what, then a figure for each framework, then the ratios."""

    def __init__(self) -> None:
        self._rows: list[list[str]] = []

    def row(
        self, what: str, values: dict[str, float | None], digits: int = 1, notes: dict[str, str] | None = None
    ) -> None:
        if all(value is None for value in values.values()):
            return
        ours = values.get("antiphon")
        shown = [number(values.get(name), digits) + (notes or {}).get(name, "") for name in FRAMEWORKS]
        self._rows.append([what, *shown, *(multiple(values.get(name), ours) for name in ("livekit", "pipecat"))])

    def lines(self) -> list[str]:
        if not self._rows:
            return []
        head = ["", *FRAMEWORKS.values(), "livekit / ours", "pipecat / ours"]
        return [f"| {' | '.join(cells)} |" for cells in (head, ["---", *["---:"] * 5], *self._rows)]


def pick(results: list[Result], part: str, **case: Any) -> dict[str, dict[str, Any]]:
    """The data by framework, where it has some."""
    return {
        result.name: result.data
        for result in results
        if result.part == part and result.case == case and "failed" not in result.data
    }


def each(found: dict[str, dict[str, Any]], *path: str) -> dict[str, float | None]:
    """One figure of each framework, by its path in the data."""
    values: dict[str, float | None] = {}
    for name, data in found.items():
        value: Any = data
        for key in path:
            value = None if value is None else value.get(key)
        values[name] = value
    return values


def imports(table: Table, results: list[Result]) -> None:
    rows = next(
        (result.data["data"]["rows"] for result in results if result.part == "imports" and "data" in result.data), []
    )
    cases = {row["case"]: row for row in rows}
    for key, what, digits in (
        ("cpu_s", "CPU of an agent file's imports, s", 2),
        ("rss_mb", "memory after them, MB", 0),
    ):
        table.row(
            what,
            {
                name: cases[case][key] if (case := f"{label.split()[0]}, an agent's file") in cases else None
                for name, label in FRAMEWORKS.items()
            },
            digits,
        )
    if "antiphon, import antiphon" in cases:
        row = cases["antiphon, import antiphon"]
        table.row("CPU of `import antiphon`, s", {"antiphon": row["cpu_s"]}, 2)
        table.row("memory after it, MB", {"antiphon": row["rss_mb"]}, 0)


def dialogue(table: Table, results: list[Result]) -> None:
    sizes = sorted({result.case["size"] for result in results if result.part == "dialogue"})
    harness = {size: pick(results, "dialogue", size=size).get("null", {}).get("cpu_ms_per_second") for size in sizes}
    own = next((value for value in reversed(list(harness.values())) if value is not None), 0.0)
    for size in sizes:
        found = pick(results, "dialogue", size=size)
        calls = "1 call" if size == 1 else f"{size} calls"
        short = {
            name: f" ({data['answered']} of {data['turns']} answered)"
            for name, data in found.items()
            if data["answered"] < data["turns"]
        }
        table.row(f"end of turn to first audio, {calls}, p50 ms", each(found, "decision_to_audio", "p50"), notes=short)
        table.row(f"the same, p99 ms (n {max((d['decision_to_audio']['n'] for d in found.values()), default=0)})",
                  each(found, "decision_to_audio", "p99"))  # fmt: skip
        table.row(f"media tick late, {calls}, p99 ms", each(found, "tick_late", "p99"))
        table.row(f"CPU per call, {calls}, ms per second", each(found, "cpu_ms_per_second"))
        net = {
            name: value if name == "antiphon" else max(0.0, value - (harness[size] or own))
            for name, value in each(found, "cpu_ms_per_second").items()
            if value
        }
        table.row("the same, the harness's metronome taken off the peers'", net)
    table.row("memory per added call, MB", {name: per_call(results, name) for name in FRAMEWORKS})
    limits = {name: held(results, name) for name in FRAMEWORKS}
    table.row(
        "calls held by one core (largest size tried that holds)",
        {name: limit[0] for name, limit in limits.items()},
        0,
        {name: " or more" for name, limit in limits.items() if limit[0] and not limit[1]},
    )


def runs_of(results: list[Result], name: str) -> dict[int, dict[str, Any]]:
    return {
        result.case["size"]: result.data
        for result in results
        if result.part == "dialogue" and result.name == name and "failed" not in result.data
    }


def per_call(results: list[Result], name: str) -> float | None:
    """MB from one call to the largest size that holds, divided by the calls added."""
    runs = runs_of(results, name)
    most = held(results, name)[0]
    if 1 not in runs or not most or most <= 1:
        return None
    return (runs[int(most)]["memory"]["pss_mb"] - runs[1]["memory"]["pss_mb"]) / (most - 1)


def held(results: list[Result], name: str) -> tuple[float | None, bool]:
    """The largest size that holds, and whether a larger one was tried that does not."""
    runs = runs_of(results, name)
    alone = runs.get(1, {}).get("decision_to_audio", {}).get("p99")
    most: float | None = None
    for size, data in sorted(runs.items()):
        p99, late = data["decision_to_audio"]["p99"], data["tick_late"]["p99"]
        fine = data["turns"] > 0 and data["answered"] == data["turns"] and late is not None and late <= TICK_LIMIT
        if not fine or alone is None or p99 is None or p99 > alone + ANSWER_LIMIT:
            return most, True
        most = float(size)
    return most, False


def bargein(table: Table, results: list[Result]) -> None:
    for blocked, what in ((0.0, "loop free"), (0.3, "loop blocked 300 ms each second")):
        found = pick(results, "bargein", blocked=blocked)
        missed = {name: f" ({data['missed']} missed)" for name, data in found.items() if data["missed"]}
        table.row(f"barge-in, {what}: above the setting, p50 ms", each(found, "above_setting", "p50"), 0, missed)
        table.row("the same, p95 ms", each(found, "above_setting", "p95"), 0)
        table.row("the same, worst ms", each(found, "above_setting", "max"), 0)
        table.row("caller's first sound to silence, p50 ms", each(found, "onset_to_stop", "p50"), 0)


def render(about: dict[str, Any], results: list[Result]) -> str:
    """The whole report as Markdown."""
    table = Table()
    imports(table, results)
    dialogue(table, results)
    bargein(table, results)
    where = ", ".join(f"{key.replace('_', ' ')}: {value}" for key, value in about.items())
    lines = ["# Benchmarks", "", where, "", *table.lines(), ""]
    for result in results:
        if "printed" in result.data and result.part != "imports":
            lines += [f"## {result.part} ({result.name})", "", "```", result.data["printed"], "```", ""]
    failed = [result for result in results if "failed" in result.data]
    if failed:
        lines += ["## Not measured", ""]
        lines += [f"- {result.part}, {result.name} {result.case or ''}: {result.data['failed']}" for result in failed]
        lines.append("")
    return "\n".join(lines)
