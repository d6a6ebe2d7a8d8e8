"""``make bench-workers``: a worker of Antiphon beside one of livekit-agents, in rooms of the same real LiveKit server.

Both run the same agent: scripted models with fixed delays and a tone for a voice, Silero VAD on all audio, turns that end by
it. The sides take turns in every row, one worker at a time; the callers are a process of their own. Figures of one run are to
be compared with one another only. Prints a table, writes ``benchmarks/out/workers.json``. ``--only`` picks rows, ``--quick``
takes the smallest sizes: it shows that the rows work, not what they are worth.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness.core import speed
from machine import machine
from rooms.bench import Bench
from rooms.crowd import Crowd
from rooms.figures import Figure, table
from rooms.joining import burst, join
from rooms.legs import legs
from rooms.resting import idle, sessions, start
from rooms.server import PATH, Server
from rooms.takeover import agent_killed, media_killed
from rooms.talking import cost, held
from rooms.worker import SIDES

OUT = Path(__file__).parent / "out" / "workers.json"
ROWS: dict[str, Callable[[Bench], list[Figure]]] = {
    "start": start,
    "idle": idle,
    "memory": sessions,
    "join": join,
    "burst": burst,
    "cpu": cost,
    "rooms": held,
    "legs": legs,
    "agent-killed": agent_killed,
    "media-killed": media_killed,
}


def measure(rows: list[str], sides: list[str], quick: bool) -> dict[str, Any]:
    """The rows, in order. One that fails is said to have, and stops no other."""
    about = {**machine(), "loop_s_before": speed(), "quick": quick}
    figures: list[Figure] = []
    failed: dict[str, str] = {}
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as kept:
        folder = Path(kept)
        server = Server(folder)
        crowd = Crowd(server, folder / "callers.log")
        try:
            bench = Bench(server, crowd, [SIDES[name] for name in sides], quick, folder)
            for name in rows:
                bench.say(f"{name} ...")
                try:
                    figures += ROWS[name](bench)
                except (RuntimeError, OSError) as error:
                    failed[name] = str(error)
                    bench.say(f"{name}: {error}")
        finally:
            crowd.close()
            server.close()
    about |= {"loop_s_after": speed(), "minutes": round((time.monotonic() - began) / 60, 1)}
    print(", ".join(f"{key.replace('_', ' ')}: {value}" for key, value in about.items()))
    print(table(figures))
    for name, error in failed.items():
        print(f"{name}: not measured: {error}")
    return {"machine": about, "figures": [figure.as_dict() for figure in figures], "failed": failed}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=ROWS, default=list(ROWS), metavar="ROW", help=", ".join(ROWS))
    parser.add_argument("--side", nargs="+", choices=SIDES, default=list(SIDES), help="one of them alone")
    parser.add_argument("--quick", action="store_true", help="once each, the smallest sizes")
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    for side in options.side:
        if not SIDES[side].present:
            print(f"{side} is not here: run benchmarks/peers/setup {side}", file=sys.stderr)
            return 1
    if not PATH.exists():
        print("The LiveKit server is not here: run scripts/install-test-servers", file=sys.stderr)
        return 1
    found = measure([name for name in ROWS if name in options.only], options.side, options.quick)
    options.out.parent.mkdir(exist_ok=True)
    options.out.write_text(json.dumps(found, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
