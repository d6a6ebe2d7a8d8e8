"""A coffee counter on local models: four callers order in one call, and the agent hears, notes and reads back.

    make demo                          (or: python examples/coffee/demo.py)
    make demo CALLERS=my/recordings    anybody's recordings, WAV or FLAC

It fetches what is missing, holds the call in real time, shows the transcript as the recogniser hears it, and writes
call.wav (caller left, agent right), call.json (session report) and call.jsonl (event log) into demo-out.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from agent import CoffeeCounter
from orders import Order
from queue_leg import BELL
from recordings import Caller, as_wav, find_callers
from scoring import orders_taken, table

from antiphon import AgentSession, AntiphonError, JobContext, LadderOptions, TurnHandlingOptions
from antiphon.audio.seam import LegSpec
from antiphon.audio.wav import read_wav
from antiphon.cli.conversation import ShownJob, hold
from antiphon.cli.live import LiveCall
from antiphon.cli.pulling import megabytes, pull
from antiphon.cli.report import complain
from antiphon.cli.screen import Screen
from antiphon.local import DEFAULT_MODELS, LLM_MODEL
from antiphon.local.store import Store

HERE = Path(__file__).parent
MEMORY = 2_300_000_000
"""Bytes that the default models take while they run."""

ENOUGH = 0.75
"""The demo succeeds when at least this part of the orders was understood right."""

STEP_UP = 0.8
"""Seconds between the end of an answer and the next caller's first word."""

PATIENCE = 60.0
"""Seconds after which a caller who got no answer makes room for the next one."""

LADDER = LadderOptions(filler=4.0, failover=30.0, apology=32.0, end=60.0)
"""A small machine takes its time: a word in between every 4 s, and no second try before the first has had its chance."""


def words() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--callers", type=Path, default=HERE / "callers", help="folder of recordings")
    parser.add_argument("--limit", type=int, default=0, metavar="N", help="only the first N recordings")
    parser.add_argument("--out", type=Path, default=Path("demo-out"), metavar="DIR", help="where the files go")
    parser.add_argument("--llm", default=LLM_MODEL, metavar="NAME", help="another local language model")
    parser.add_argument("--quiet", action="store_true", help="do not play the call through the loudspeaker")
    parser.add_argument("--plane", choices=("thread", "process"), default="thread", help="where sound runs")
    return parser.parse_args()


def main() -> int:
    """Returns 0 when enough orders were understood, or, where nobody wrote down what was ordered, when every caller
    got an answer."""
    options = words()
    screen = Screen(sys.stdout)
    try:
        callers = find_callers(options.callers, options.limit)
        fetch(options.llm, screen)
        with tempfile.TemporaryDirectory() as scratch:
            paths = [as_wav(caller.path, Path(scratch)) for caller in callers]
            return asyncio.run(demo(callers, paths, options, screen))
    except AntiphonError as error:
        screen.close()
        complain(error)
        return 1
    except KeyboardInterrupt:
        screen.close()
        return 130


def fetch(llm: str, screen: Screen) -> None:
    """Say what it takes, then fetch what is missing."""
    names = [name if name != LLM_MODEL else llm for name in DEFAULT_MODELS]
    store = Store()
    plan = store.plan(names)
    size = sum(row.size for row in store.list() if row.name in names)
    screen.line(
        f"The local models: {megabytes(size)} on disk, {megabytes(MEMORY)} of memory while they run; "
        f"to fetch now: {megabytes(plan.fetch)}, with {megabytes(plan.disk)} of disk while that goes on."
    )
    pull(store, names, screen)


async def demo(callers: list[Caller], paths: list[Path], options: argparse.Namespace, screen: Screen) -> int:
    options.out.mkdir(parents=True, exist_ok=True)
    files = {name: options.out / name for name in ("call.wav", "call.json", "call.jsonl")}
    job = ShownJob(
        leg=LegSpec("queue_leg:make_leg", {"recordings": [str(path) for path in paths], "aloud": not options.quiet}),
        plane=options.plane,
        record=str(files["call.wav"]),
        report=str(files["call.json"]),
        log=str(files["call.jsonl"]),
    )
    job.shown = LiveCall(screen, caller_name="caller")
    turns = TurnHandlingOptions(ladder=LADDER)
    session = AgentSession[list[Order]](llm=f"local/{options.llm}", turn_handling=turns, userdata=[])

    async def entrypoint(ctx: JobContext) -> None:
        screen.status("loading the models ...")
        began = time.monotonic()
        await session.start(CoffeeCounter(), ctx)
        screen.line(f"Loaded in {time.monotonic() - began:.1f} s. Callers in this call: {len(callers)}.\n")

    queue = Queue([duration(path) for path in paths])
    status = await hold(entrypoint, job, screen, queue.serve)
    for path in files.values():
        if path.exists():
            length = f" ({duration(path):.0f} s, caller left, agent right)" if path.suffix == ".wav" else ""
            screen.line(f"wrote {path}{length}")
    if status:
        return status
    taken = orders_taken(session.history, queue.starts)
    lines, right = table(callers, taken)
    screen.line("\nWhat was ordered, as the agent's tool got it:")
    for line in lines:
        screen.line(line)
    known = sum(caller.order is not None for caller in callers)
    if not known:
        answered = sum(bool(one.answer) for one in taken)
        screen.line(f"\nanswered {min(answered, len(callers))} of {len(callers)} callers")
        return 0 if answered >= len(callers) else 1
    screen.line(f"\nunderstood {right} of {known} orders")
    return 0 if right >= known * ENOUGH else 1


class Queue:
    """Calls one caller after the other, each when the one before has been served. ``durations``: seconds of each
    recording; ``starts``: how many items the conversation had when each caller stepped up."""

    def __init__(self, durations: list[float]) -> None:
        self._durations = durations
        self.starts: list[int] = []

    async def serve(self, session: AgentSession[Any]) -> None:
        await session.wait_for_idle()
        for seconds in self._durations:
            await asyncio.sleep(STEP_UP)
            self.starts.append(len(session.history))
            session.send_dtmf(BELL)
            await asyncio.sleep(seconds)
            with suppress(TimeoutError):
                await asyncio.wait_for(session.wait_for_idle(), PATIENCE)
        session.send_dtmf(BELL)


def duration(path: Path) -> float:
    """Seconds of sound in a WAV file."""
    samples, rate = read_wav(str(path))
    return len(samples) / rate


if __name__ == "__main__":
    raise SystemExit(main())
