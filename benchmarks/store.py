"""What a durable log costs: from an entry's append until it is on the disk, for one session and for many at once, and what the
append itself takes of the loop that makes it.

The sessions write as calls do: a fact now and then, four inputs with each. ``--rate``: facts a second of each session.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import tempfile
import time
from pathlib import Path
from typing import Any

from antiphon.kernel.events import Acked
from antiphon.kernel.facts import TurnCommitted
from antiphon.store.sqlite import SQLiteStore

FACT = TurnCommitted(at=1.0, turn=1, item="turn.1", text="I would like two teas, please. " * 30)  # about 1 kB
INPUT = Acked(seq=1, now=1.0, speech="speech.1", position=4_800, quality="peer")


async def measure(sessions: int, rate: float, seconds: float, folder: Path) -> dict[str, Any]:
    """``rate`` 0: each session writes its next fact as soon as the last one is durable."""
    store = SQLiteStore(folder / f"{sessions}-{rate:g}.db")
    durable: list[float] = []
    appends: list[float] = []
    end = time.perf_counter() + seconds
    chance = random.Random(sessions)

    async def one(number: int) -> None:
        log = store.log(await store.create(f"call{number}", owner="bench", ttl=60.0))
        while time.perf_counter() < end:
            for _ in range(4):
                log.append("input", 1.0, INPUT)
            began = time.perf_counter()
            log.append("fact", 1.0, FACT)
            appends.append(time.perf_counter() - began)
            await log.until_durable(log.position, timeout=60.0)
            durable.append(time.perf_counter() - began)
            if rate:
                await asyncio.sleep(chance.expovariate(rate))
        await log.aclose()

    await asyncio.gather(*(one(n) for n in range(sessions)))
    metrics = store.metrics()
    await store.aclose()
    return {
        "sessions": sessions,
        "rate": rate,
        "facts": len(durable),
        "facts_per_second": len(durable) / seconds,
        "durable_p50_ms": quantile(durable, 0.5),
        "durable_p99_ms": quantile(durable, 0.99),
        "append_p99_ms": quantile(appends, 0.99),
        "entries_per_commit": metrics.entries / max(1, metrics.commits),
        "commit_p50_ms": metrics.commit_p50 * 1000,
    }


def quantile(times: list[float], part: float) -> float:
    ordered = sorted(times)
    return 1000 * ordered[min(len(ordered) - 1, int(len(ordered) * part))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0, help="of each row (10)")
    parser.add_argument("--folder", type=Path, help="on the disk to measure (a temporary one)")
    parser.add_argument("--out", type=Path, help="write JSON here too")
    options = parser.parse_args()
    rows = []
    print("sessions  facts/s each    facts/s   durable p50    p99   append p99   entries a commit")
    for sessions, rate in ((1, 0.0), (32, 0.0), (32, 1.2), (500, 1.2)):
        with tempfile.TemporaryDirectory(dir=options.folder) as folder:
            row = asyncio.run(measure(sessions, rate, options.seconds, Path(folder)))
        rows.append(row)
        print(
            f"{sessions:8}  {f'{rate:g}' if rate else 'most':>12} {row['facts_per_second']:10.0f}"
            f"   {row['durable_p50_ms']:8.1f} ms {row['durable_p99_ms']:6.1f}   {row['append_p99_ms']:7.3f} ms"
            f"   {row['entries_per_commit']:8.1f}"
        )
    if options.out:
        options.out.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
