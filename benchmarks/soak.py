"""Many short calls in one process, one after another and some at once: what is left of each when it is over.

Each call: the agent greets, a caller types or speaks, a tool runs, the agent answers, the call ends. The plane is a process
of its own, the log a store's, as under ``start``. Memory, tasks, threads and open files are taken at equal steps, between
calls; the first step is warm-up.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from antiphon import Agent, AgentSession, JobContext, function_tool
from antiphon.audio.process_plane import ProcessPlane
from antiphon.audio.seam import LegSpec
from antiphon.store.sqlite import SQLiteStore
from antiphon.testing.llm import ScriptedLLM, calls
from antiphon.testing.stt import ScriptedSTT
from antiphon.testing.tts import ScriptedTTS
from antiphon.worker.runtime import default_runtime


class Clerk(Agent):
    def __init__(self) -> None:
        super().__init__(instructions="Take orders.")

    async def on_enter(self) -> None:
        self.session.say("Hello.")

    @function_tool
    async def order(self, what: str) -> str:
        """Order it."""
        return f"{what} is ordered"


async def one(number: int, store: SQLiteStore, plane: Any) -> None:
    """One call, from its beginning to its end."""
    id = f"call{number}"
    lease = await store.create(id, owner="soak", ttl=60.0)
    log = store.log(lease)
    words = {"a tea": [calls("order", what="tea"), "Your tea is coming."], ...: "Pardon?"}
    context = JobContext(leg=LegSpec("memory"), plane=plane, log=log, id=id)
    session: AgentSession[None] = AgentSession(
        llm=ScriptedLLM(words), stt=ScriptedSTT(), tts=ScriptedTTS(), turn_detector=None
    )
    await session.start(Clerk(), context)
    await session.run(user_input="a tea")
    await session.aclose()
    await context.aclose()
    await store.end(lease, "done")


def taken(plane: ProcessPlane) -> dict[str, float]:
    """What this process and the plane hold now."""
    gc.collect()
    return {
        "memory_mb": round(_rss("self"), 1),
        "plane_memory_mb": round(_rss(str(plane.pid)), 1),
        "tasks": len(asyncio.all_tasks()) + len(asyncio.all_tasks(default_runtime().core.loop)),
        "threads": threading.active_count(),
        "files": len(os.listdir("/proc/self/fd")),
        "plane_files": len(os.listdir(f"/proc/{plane.pid}/fd")),
    }


def _rss(process: str) -> float:
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


async def soak(sessions: int, at_once: int, steps: int, folder: Path) -> list[dict[str, float]]:
    store = SQLiteStore(folder / "soak.db")
    plane: Any = await default_runtime().plane("process")
    rows: list[dict[str, float]] = []
    began = time.perf_counter()
    each = sessions // steps
    for step in range(steps):
        numbers = iter(range(step * each, (step + 1) * each))

        async def caller(numbers: Any = numbers) -> None:
            for number in numbers:
                await one(number, store, plane)

        await asyncio.gather(*(caller() for _ in range(at_once)))
        await asyncio.sleep(0.5)
        await store.forget(older_than=0.0)
        row = {"calls": (step + 1) * each, "seconds": round(time.perf_counter() - began, 1), **taken(plane)}
        rows.append(row)
        print("  ".join(f"{name} {value:g}" for name, value in row.items()), flush=True)
    await store.aclose()
    await default_runtime().aclose()
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=2000, help="calls in all (2000)")
    parser.add_argument("--at-once", type=int, default=20, help="calls at the same time (20)")
    parser.add_argument("--steps", type=int, default=8, help="times that what is held is taken (8)")
    parser.add_argument("--out", type=Path, help="write JSON here too")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = asyncio.run(soak(options.sessions, options.at_once, options.steps, Path(folder)))
    first, last = rows[0], rows[-1]
    calls_between = max(1, last["calls"] - first["calls"])
    grown = {name: 1000 * (last[name] - first[name]) / calls_between for name in ("memory_mb", "plane_memory_mb")}
    print(
        "grown behind the first step, kB a call: " + ", ".join(f"{name} {value:.2f}" for name, value in grown.items())
    )
    if options.out:
        options.out.write_text(json.dumps({"soak": rows, "grown_kb_per_call": grown}, indent=2))


if __name__ == "__main__":
    main()
