"""``make bench-webrtc``: calls over WebRTC, every caller and every agent talking; Antiphon beside stock aiortc.

The server's process has one core to itself (its first core; the callers' process has another), real time is kept or it is
said that it is not. Tables: what a call costs and how many one core holds; what is heard at 0 to 10 % loss; whole
agents (``AgentSession``, everything that is on by default, scripted models) over WebRTC; what Opus costs by complexity.
``--out FILE`` writes JSON, ``--only`` picks tables, ``--quick`` takes the smallest sizes.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
AIORTC = HERE / "peers" / ".venv-aiortc" / "bin" / "python"
OURS = Path(sys.executable)
CALLS = {"antiphon": (1, 5, 10, 20, 30, 40, 50), "aiortc": (1, 5, 10, 20, 30)}
"""Calls at once. The largest are beyond what a stack holds, so that the limit is seen."""

AGENTS = (1, 5, 10, 20, 30)
LOSSES = (0.0, 0.01, 0.03, 0.1)
COMPLEXITIES = (0, 3, 5, 7, 10)
HEARD, SENT, GAP = 0.99, 0.99, 60.0
"""A size is held when each call's sound is heard and sent to this part of real time and 95 of 100 packets leave within
this many ms of the one before."""

Row = dict[str, Any]


def cores() -> tuple[int, int]:
    """One for the server, one for the callers."""
    found = sorted(os.sched_getaffinity(0))
    return found[0], found[-1]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def run(server: list[str], calls: int, *, loss: float = 0.0, seconds: float = 20.0, load: str = "talk") -> Row:
    """One server, its callers, one result; ``failed`` says why there is none."""
    port, (here, there) = free_port(), cores()
    with tempfile.TemporaryDirectory() as folder:
        out, log = Path(folder) / "out.json", Path(folder) / "log"
        with log.open("wb") as file:
            answering = subprocess.Popen(
                ["taskset", "-c", str(here), server[0], "-m", server[1], str(port), *server[2:]],
                cwd=HERE, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=file,
            )  # fmt: skip
            try:
                assert answering.stdout is not None
                if not answering.stdout.readline():
                    return {"failed": _last(log)}
                words = ["--calls", str(calls), "--loss", str(loss), "--seconds", str(seconds), "--load", load]
                asking = subprocess.run(
                    ["taskset", "-c", str(there), str(AIORTC), "-m", "rtc.callers", str(port), str(out), *words],
                    cwd=HERE, stdin=subprocess.DEVNULL, stdout=file, stderr=file, timeout=60 + seconds + 3 * calls,
                )  # fmt: skip
            except subprocess.TimeoutExpired:
                return {"failed": "the callers took too long"}
            finally:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    answering.wait(5)
                answering.kill()
                answering.wait()
        if asking.returncode or not out.exists():
            return {"failed": _last(log)}
        return dict(json.loads(out.read_text()))


def _last(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else "no output"


def server(stack: str, mode: str, complexity: int) -> list[str]:
    if stack == "aiortc":
        return [str(AIORTC), "rtc.answer_aiortc"]
    return [str(OURS), "rtc.answer_antiphon", mode, str(complexity)]


def held(row: Row) -> bool:
    """Whether real time was kept."""
    if "failed" in row or row["gone"]:
        return False
    heard = row["heard_least"]
    return (heard is None or heard >= HEARD) and row["sent_least"] >= SENT and row["packet_gap_ms"]["p95"] <= GAP


def cell(row: Row, name: str, part: str = "p50") -> str:
    value = row.get(name)
    if isinstance(value, dict):
        value = value.get(part)
    return "-" if value is None else value if isinstance(value, str) else f"{value:g}"


def show(rows: list[Row], first: str) -> None:
    columns = [
        (first, first), ("held", "held"), ("ms CPU / call-s", "cpu_ms_per_call_second"),
        ("CPU-s / call-min", "cpu_s_per_call_minute"), ("heard", "heard_least"), ("in ms", "in_ms"),
        ("out ms", "out_ms"), ("in+out ms", "mouth_to_mouth_ms"), ("threads", "threads"),
    ]  # fmt: skip
    print(f"{'stack':10}" + "".join(f"{head:>18}" for head, _ in columns))
    for row in rows:
        if "failed" in row:
            print(f"{row['stack']:10}{row[first]:>18}  failed: {row['failed']}")
        else:
            print(f"{row['stack']:10}" + "".join(f"{cell(row, name):>18}" for _, name in columns), flush=True)


def collect(jobs: list[tuple[str, list[str], dict[str, Any]]]) -> list[Row]:
    """The stacks by turns, so that a busy moment of the machine meets both."""
    rows = []
    for stack, words, options in jobs:
        row = {"stack": stack, **options, **run(words, **options)}
        row["held"] = "yes" if held(row) else "no"
        print(f"  {stack} {options}: {row.get('failed') or 'done'}", file=sys.stderr, flush=True)
        rows.append(row)
    return rows


def sizes(given: argparse.Namespace) -> list[Row]:
    """What a call costs, alone and in company."""
    counts = {stack: of[: 2 if given.quick else None] for stack, of in CALLS.items()}
    longest = max(map(len, counts.values()))
    order = [(stack, of[rank]) for rank in range(longest) for stack, of in counts.items() if rank < len(of)]
    rows = collect(
        [(s, server(s, "transport", given.complexity), {"calls": n, "seconds": given.seconds}) for s, n in order]
    )
    print("\nEvery caller and every agent talking, no loss")
    show(rows, "calls")
    for stack in counts:
        fits = [row["calls"] for row in rows if row["stack"] == stack and row["held"] == "yes"]
        print(f"{stack}: {max(fits, default=0)} calls held by one core")
    return rows


def losses(given: argparse.Namespace) -> list[Row]:
    """What is heard when packets are lost."""
    jobs = [
        (stack, server(stack, "transport", given.complexity), {"calls": 1, "loss": loss, "seconds": given.seconds})
        for loss in (LOSSES[::2] if given.quick else LOSSES)
        for stack in CALLS
    ]
    rows = collect(jobs)
    print("\nPackets lost at random, one call")
    show(rows, "loss")
    return rows


def agents(given: argparse.Namespace) -> list[Row]:
    """Whole agents: what the default CPU test measures, with WebRTC in place of memory."""
    jobs = [
        (
            "antiphon",
            server("antiphon", "agent", given.complexity),
            {"calls": n, "seconds": given.seconds, "load": "turns"},
        )
        for n in (AGENTS[:2] if given.quick else AGENTS)
    ]
    rows = collect(jobs)
    print("\nAgents with VAD, turn-taking, log of metrics; each caller speaks 3 s in 10 and is answered for 3 s")
    show(rows, "calls")
    return rows


def opus(given: argparse.Namespace) -> list[Row]:
    """What the codec costs, by complexity."""
    from rtc.sounds import speech

    from antiphon.audio.opus import OpusDecoder, OpusEncoder

    sound = speech(24_000)[: 24_000 * (5 if given.quick else 20)]
    frames = [sound[at : at + 480].tobytes() for at in range(0, sound.size - 479, 480)]
    length, rows = len(frames) * 0.02, list[Row]()
    for complexity in COMPLEXITIES:
        encoder, decoder = OpusEncoder(complexity=complexity), OpusDecoder()
        begun = time.process_time()
        packets = [encoder.encode(frame) for frame in frames]
        between = time.process_time()
        for packet in packets:
            decoder.decode(packet)
        end = time.process_time()
        rows.append(
            {
                "complexity": complexity,
                "encode_ms_per_second": round(1000 * (between - begun) / length, 2),
                "decode_ms_per_second": round(1000 * (end - between) / length, 2),
                "kbit_per_second": round(8 * sum(map(len, packets)) / length / 1000, 1),
            }
        )
    print("\nOpus, 32 kbit/s mono, encoded from 24 kHz, decoded to 16 kHz, speech without a break")
    for row in rows:
        print("  ".join(f"{name} {value:g}" for name, value in row.items()))
    return rows


PARTS: dict[str, Callable[[argparse.Namespace], list[Row]]] = {
    "opus": opus,
    "sizes": sizes,
    "losses": losses,
    "agents": agents,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=[])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--seconds", type=float, default=20.0, help="how long each row is measured")
    parser.add_argument("--complexity", type=int, default=5, help="of Antiphon's Opus encoder (default: 5, its own)")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    if not AIORTC.exists():
        print("The callers need aiortc's environment: run benchmarks/peers/setup aiortc", file=sys.stderr)
        return 1
    if len(os.sched_getaffinity(0)) < 2:
        print("Server and callers share the only core: no figure below is worth anything.", file=sys.stderr)
    found = {name: part(options) for name, part in PARTS.items() if name in (options.only or PARTS)}
    if options.out:
        options.out.write_text(json.dumps(found, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
