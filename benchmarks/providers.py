"""What providers cost: recognition streams beside LiveKit's plugin and the vendor's own library, on one service that runs on
another core; a thousand streams at once; imports; how soon another model is heard.

The clients run one after the other, each alone on its core. Needs ``scripts/install-livekit-plugins`` and
``scripts/install-vendor-sdks``; what is not there is left out.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from wire.failover import failovers

ROOT = Path(__file__).parents[1]
WIRE = Path(__file__).parent / "wire"
PYTHONS = {
    "plain": Path(sys.executable),
    "antiphon": Path(sys.executable),
    "livekit": ROOT / ".cache" / "livekit-plugins" / "bin" / "python",
    "vendor": ROOT / ".cache" / "vendor-sdks" / "bin" / "python",
}
PROVIDERS = ("deepgram", "cartesia", "openai", "anthropic", "google")
IMPORT = (
    "import time, antiphon; t = time.process_time(); from antiphon.providers import {}; print(time.process_time() - t)"
)


def on_core(core: int, *command: object) -> list[str]:
    cores = sorted(os.sched_getaffinity(0))
    return ["taskset", "-c", str(cores[core % len(cores)]), *map(str, command)]


def client(name: str, url: str, streams: int, seconds: float, chunk: float) -> dict[str, Any]:
    """Run one client; its figures."""
    script = WIRE / f"{name}_client.py"
    done = subprocess.run(
        on_core(1, PYTHONS[name], script, url, streams, seconds, chunk),
        capture_output=True, text=True, check=False, start_new_session=True,  # a share of the CPU of its own
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}"},
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(f"{name}: {done.stderr[-2000:]}")
    figures: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    figures["cpu_per_minute"] = figures["cpu"] / (streams * figures["wall"] / 60)
    return figures


def imports() -> dict[str, float]:
    """CPU seconds of importing each provider, the least of five fresh processes."""
    found = {}
    for name in PROVIDERS:
        runs = [
            float(
                subprocess.run(
                    [sys.executable, "-c", IMPORT.format(name)], capture_output=True, text=True, check=True
                ).stdout
            )
            for _ in range(5)
        ]
        found[name] = min(runs)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0, help="of audio in each run (20)")
    parser.add_argument("--streams", type=int, default=50, help="beside the others (50)")
    parser.add_argument("--most", type=int, default=1000, help="of ours alone, by chunks of 100 ms (1000; 0: not)")
    parser.add_argument("--out", type=Path, help="write JSON here too")
    options = parser.parse_args()
    service = subprocess.Popen(
        on_core(0, sys.executable, WIRE / "service.py"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert service.stdout is not None
    url = f"http://127.0.0.1:{service.stdout.readline().strip()}"
    rows = []
    try:
        for name in PYTHONS:
            if PYTHONS[name].exists():
                print(f"{name}: {options.streams} streams, chunks of 50 ms ...", flush=True)
                rows.append({"chunk": 0.05, **client(name, url, options.streams, options.seconds, 0.05)})
        if options.most:
            print(f"antiphon: {options.most} streams, chunks of 100 ms ...", flush=True)
            rows.append({"chunk": 0.1, **client("antiphon", url, options.most, options.seconds, 0.1)})
    finally:
        service.terminate()
        with suppress(subprocess.TimeoutExpired):
            service.wait(5)
    print(
        "\nclient                     streams  chunk   CPU a minute   events   delivered p50    p99   memory each   worst tick"
    )
    for row in rows:
        delivered = (
            f"{row['delivered_p50_ms']:8.2f} ms {row['delivered_p99_ms']:6.2f}"
            if "delivered_p50_ms" in row
            else " " * 18
        )
        print(
            f"{row['client']:26} {row['streams']:6}  {1000 * row['chunk']:3.0f} ms  {1000 * row['cpu_per_minute']:8.1f} ms  "
            f"{row['events']:7}  {delivered}  {row['memory_per_stream'] / 1000:8.0f} kB  {row['late_ms']:7.0f} ms"
        )
    taken = imports()
    print("\nimport, CPU: " + ", ".join(f"{name} {1000 * seconds:.0f} ms" for name, seconds in taken.items()))
    logging.disable(logging.WARNING)
    waits = failovers()
    print(
        "from giving a model up until the next one is heard, virtual clock, the longest: "
        + ", ".join(f"{kind} {max(each):.2f} s in {len(each)} calls" for kind, each in waits.items())
    )
    if options.out:
        options.out.write_text(json.dumps({"streams": rows, "imports": taken, "failovers": waits}, indent=1))


if __name__ == "__main__":
    main()
