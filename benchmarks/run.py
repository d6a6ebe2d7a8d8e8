"""``make bench``: every figure in one invocation, one table and JSON in ``benchmarks/out``.

Calls of the frameworks run two at a time, one process per core, the cores swapped from batch to batch. A part that
cannot run is named with its reason; it never stops the others. ``--only`` picks parts by name, ``--quick`` takes the
smallest sizes.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from machine import machine
from report import Result, render

HERE = Path(__file__).parent
OUT = HERE / "out"
PEERS = {name: HERE / "peers" / f".venv-{name}" / "bin" / "python" for name in ("livekit", "pipecat")}
PYTHONS = {"antiphon": Path(sys.executable), **PEERS, "null": Path(sys.executable)}

SIZES = {
    "null": (1, 20),
    "antiphon": (1, 8, 20, 60, 80),
    "livekit": (1, 8, 12, 20),
    "pipecat": (1, 8, 12),
}
"""Calls at once, per framework. The largest are beyond what it holds, so that the limit is seen."""

ALONE = {"seconds": 64, "period": 8, "reply": 2}
MANY = {"seconds": 20}

SCRIPTS: dict[str, tuple[str, ...]] = {
    "plane": ("plane_neighbours.py", "plane_cpu.py"),
    "simulation": ("simulation.py",),
    "voice": ("local_voice.py",),
    "first minute": ("first_minute.py",),
}
"""Parts that have a script of their own: it takes ``--out FILE`` for its JSON and prints its table."""


@dataclass
class Job:
    """One process of the harness."""

    adapter: str
    mode: str
    options: dict[str, Any]
    out: Path
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def start(self, core: int) -> None:
        words = [str(PYTHONS[self.adapter]), "-m", "harness.load", self.adapter, self.mode, str(self.out)]
        for name, value in self.options.items():
            words += [f"--{name}", str(value)]
        self.out.unlink(missing_ok=True)
        log = self.out.with_suffix(".log").open("wb")
        self.process = subprocess.Popen(
            ["taskset", "-c", str(core), *words], cwd=HERE, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )

    def finish(self, limit: float) -> dict[str, Any]:
        assert self.process is not None
        try:
            status = self.process.wait(limit)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return {"failed": f"took longer than {limit:.0f} s"}
        if status or not self.out.exists():
            lines = self.out.with_suffix(".log").read_text(errors="replace").strip().splitlines()
            return {"failed": f"exit status {status}: {lines[-1] if lines else 'no output'}"}
        return dict(json.loads(self.out.read_text()))


def run_jobs(jobs: list[Job], limit: float) -> list[dict[str, Any]]:
    """Run them in pairs, one per core. Returns their results in order."""
    cores = sorted(os.sched_getaffinity(0))[:2]
    results = []
    for batch, start in enumerate(range(0, len(jobs), len(cores))):
        pair = jobs[start : start + len(cores)]
        for index, job in enumerate(pair):
            job.start(cores[(index + batch) % len(cores)])
        for job in pair:
            result = job.finish(limit)
            results.append(result)
            say(f"  {job.adapter:9} {job.mode:9} {job.options}  {result.get('failed') or 'done'}")
    return results


def present(adapter: str) -> bool:
    return PYTHONS[adapter].exists()


def dialogue(options: argparse.Namespace) -> list[Result]:
    """Latency, CPU, memory, lateness at several sizes."""
    sizes = {name: of[: 1 if options.quick else None] for name, of in SIZES.items() if present(name)}
    columns = [[(name, size) for size in of] for name, of in sizes.items()]
    order = [pair for rank in range(max(map(len, columns))) for column in columns for pair in column[rank : rank + 1]]
    jobs = [
        Job(
            name,
            "dialogue",
            {"sessions": size, "seconds": 40 if size == 1 else 20},
            OUT / f"dialogue.{name}.{size}.json",
        )
        for name, size in order
    ]
    found = run_jobs(jobs, 150)
    return [Result("dialogue", name, {"size": size}, result) for (name, size), result in zip(order, found, strict=True)]


def bargein(options: argparse.Namespace) -> list[Result]:
    """How fast the agent stops, with the user's loop free and blocked."""
    names = [name for name in ("antiphon", "livekit", "pipecat") if present(name)]
    order = [(name, block) for block in (0.0, 0.3) for name in names]
    jobs = [
        Job(
            name,
            "bargein",
            {"turns": 2 if options.quick else 6, "block": block},
            OUT / f"bargein.{name}.{'blocked' if block else 'free'}.json",
        )
        for name, block in order
    ]
    found = run_jobs(jobs, 240)
    return [
        Result("bargein", name, {"blocked": block}, result) for (name, block), result in zip(order, found, strict=True)
    ]


def script(name: str, files: tuple[str, ...], limit: float = 240.0) -> list[Result]:
    """Parts with a script of their own; its table is printed as it is."""
    results = []
    for file in files:
        path = HERE / file
        if not path.exists():
            results.append(Result(name, file, {}, {"failed": "there is no such script in this checkout"}))
            continue
        out = OUT / path.with_suffix(".json").name
        out.unlink(missing_ok=True)
        try:
            done = subprocess.run(
                [sys.executable, str(path), "--out", str(out)],
                cwd=HERE.parent, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=limit,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            results.append(Result(name, file, {}, {"failed": f"took longer than {limit:.0f} s"}))
            continue
        if done.returncode or not out.exists():
            last = (done.stderr or done.stdout).strip().splitlines()[-1:] or ["no output"]
            results.append(Result(name, file, {}, {"failed": f"exit status {done.returncode}: {last[0]}"}))
        else:
            results.append(
                Result(name, file, {}, {"printed": done.stdout.rstrip(), "data": json.loads(out.read_text())})
            )
    return results


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", default=[], metavar="PART")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    OUT.mkdir(exist_ok=True)
    parts: dict[str, Callable[[], list[Result]]] = {
        "imports": lambda: script("imports", ("importing.py",)),
        "dialogue": lambda: dialogue(options),
        "bargein": lambda: bargein(options),
    }
    for name, files in SCRIPTS.items():
        parts[name] = lambda name=name, files=files: script(name, files)
    unknown = set(options.only) - set(parts)
    if unknown:
        parser.error(f"unknown part {sorted(unknown)[0]!r}; there are: {', '.join(parts)}")

    about, results = machine(), list[Result]()
    begun = time.monotonic()
    for name, part in parts.items():
        if options.only and name not in options.only:
            continue
        say(f"{name} ...")
        results += part()
    about["minutes"] = round((time.monotonic() - begun) / 60, 1)
    table = render(about, results)
    (OUT / "table.md").write_text(table)
    data = {"machine": about, "results": [result.as_dict() for result in results]}
    (OUT / "results.json").write_text(json.dumps(data, indent=1))
    print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
