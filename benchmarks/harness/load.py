"""One process, N calls of one framework, on its own interpreter: ``python -m harness.load ADAPTER MODE OUT ...``.

``dialogue``: every caller speaks once per period and is answered; latency, CPU, memory, lateness.
``bargein``: every caller talks over each long reply; how fast it stops, with the user's loop blocked or not.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import statistics
import time
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from harness.core import Caller, Marks, Speaker, load_clips, memory, percentile, speed, turns
from harness.line import Line, Metronome

SETTLE = 1.5


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("adapter")
    parser.add_argument("mode", choices=["dialogue", "bargein"])
    parser.add_argument("out", type=Path)
    parser.add_argument("--sessions", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=20.0, help="how long is measured")
    parser.add_argument("--period", type=float, default=10.0, help="seconds between a caller's utterances")
    parser.add_argument("--reply", type=float, default=3.0, help="seconds of speech per reply")
    parser.add_argument("--turns", type=int, default=6)
    parser.add_argument(
        "--block", type=float, default=0.0, help="seconds that the user's loop is blocked, every second"
    )
    return parser.parse_args()


class Call:
    """One running call."""

    def __init__(self, adapter: ModuleType, clips: list[bytes], index: int, says_at: list[float], reply: float) -> None:
        self.marks = Marks()
        caller = Caller(self.marks, clips, index, says_at)
        self.line = Line(self.marks, caller, Speaker(self.marks), reply)
        self._adapter = adapter
        self._metronome: Metronome | None = None

    async def begin(self, phase: float) -> None:
        self._task = asyncio.create_task(self._adapter.run(self.line))
        ready = asyncio.create_task(self.line.ready.wait())
        await asyncio.wait([self._task, ready], return_when=asyncio.FIRST_COMPLETED, timeout=60)
        if self._task.done():
            self._task.result()
        if not self.line.ready.is_set():
            raise TimeoutError("the framework did not take audio within 60 s")
        if self._adapter.ON_LOOP:
            self._metronome = Metronome(self.line, phase)

    async def end(self) -> None:
        if self._metronome:
            self._metronome.stop()
        self.line.stop.set()
        try:
            await asyncio.wait_for(self._task, 15)
        except Exception as problem:
            print(f"at the end of a call: {problem!r}")


def milliseconds(values: list[float]) -> dict[str, Any]:
    """Median, 95th and 99th percentile and worst, in ms."""
    shares = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "max": 1.0}
    spots = {name: percentile(values, share) for name, share in shares.items()}
    return {name: None if value is None else round(value * 1000, 1) for name, value in spots.items()} | {
        "n": len(values)
    }


async def dialogue(adapter: ModuleType, options: argparse.Namespace) -> dict[str, Any]:
    clips, chance = load_clips(), random.Random(options.sessions)
    before, begun = memory(), time.monotonic()
    says_at = [1.0 + turn * options.period for turn in range(int(options.seconds / options.period) + 4)]
    calls = []
    for index in range(options.sessions):
        await asyncio.sleep(max(0.0, begun + index * options.period / options.sessions - time.monotonic()))
        call = Call(adapter, clips, index, says_at, options.reply)
        await call.begin(chance.random() * 0.02)
        calls.append(call)
    await asyncio.sleep(max(0.0, begun + options.period + SETTLE - time.monotonic()))

    for call in calls:
        call.line.lateness.values.clear()
        call.line.speaker.underruns = 0
    cpu, since = time.process_time(), time.monotonic()
    await asyncio.sleep(options.seconds)
    cpu, wall, until = time.process_time() - cpu, time.monotonic() - since, time.monotonic()
    after = memory()
    await asyncio.sleep(2.5)

    found = [turn for call in calls for turn in turns(call.marks, since, until)]
    late = [value for call in calls for value in call.line.lateness.values]
    result = {
        "sessions": options.sessions,
        "turns": len(found),
        "answered": sum(turn.handed_over is not None for turn in found),
        "decision_to_audio": milliseconds(
            [t.handed_over - t.decided for t in found if t.decided is not None and t.handed_over is not None]
        ),
        "decision_to_sound": milliseconds(
            [t.sounded - t.decided for t in found if t.decided is not None and t.sounded is not None]
        ),
        "speech_to_audio": milliseconds([t.handed_over - t.ended for t in found if t.handed_over is not None]),
        "tick_late": milliseconds(late),
        "underruns": sum(call.line.speaker.underruns for call in calls),
        "cpu_ms_per_second": round(cpu / wall * 1000 / options.sessions, 2),
        "core_share": round(cpu / wall, 3),
        "memory_before": before,
        "memory": after,
    }
    for call in calls:
        await call.end()
    return result


async def bargein(adapter: ModuleType, options: argparse.Namespace) -> dict[str, Any]:
    chance, clips = random.Random(3), load_clips()
    call = Call(adapter, clips, 0, [1.0], 20.0)
    await call.begin(0.005)
    marks, caller = call.marks, call.line.caller

    async def wait_for(name: str, since: float, limit: float) -> float | None:
        until = time.monotonic() + limit
        while time.monotonic() < until:
            found = [at for at in marks.times(name) if at > since]
            if found:
                return found[0]
            await asyncio.sleep(0.01)
        return None

    async def block_the_loop() -> None:
        while True:
            await asyncio.sleep(1.0)
            until = time.perf_counter() + options.block
            while time.perf_counter() < until:
                pass

    blocker = asyncio.create_task(block_the_loop()) if options.block else None
    stopped, missed, since = [], 0, time.monotonic()
    for _ in range(options.turns):
        sounds = await wait_for("sounds", since, 20)
        if sounds is None:
            missed += 1
            since = time.monotonic()
            caller.say_at(since + 0.3)
            continue
        await asyncio.sleep(4.0 + chance.random())
        caller.say_at(time.monotonic() + 0.1)
        onset = await wait_for("speech_on", sounds, 2)
        stop = await wait_for("stopped", onset, 4) if onset else None
        if stop is None or onset is None:
            missed += 1
        else:
            stopped.append(stop - onset)
        ends = max(marks.times("speech_off"))
        await asyncio.sleep(max(0.0, ends - time.monotonic()))
        since = time.monotonic()
    if blocker:
        blocker.cancel()
    await call.end()
    setting = adapter.BARGE_IN_SETTING
    return {
        "turns": options.turns,
        "missed": missed,
        "blocked": options.block,
        "setting_ms": setting * 1000,
        "onset_to_stop": milliseconds(stopped),
        "above_setting": milliseconds([value - setting for value in stopped]),
    }


async def main() -> None:
    options = arguments()
    adapter = import_module(f"harness.adapters.{options.adapter}")
    speeds = [speed()]
    await adapter.setup()
    result = await (dialogue if options.mode == "dialogue" else bargein)(adapter, options)
    await adapter.teardown()
    speeds.append(speed())
    result |= {
        "framework": adapter.NAME,
        "mode": options.mode,
        "cores": sorted(os.sched_getaffinity(0)),
        "loop_cpu_seconds": round(statistics.mean(speeds), 4),
    }
    options.out.write_text(json.dumps(result, indent=1))


if __name__ == "__main__":
    asyncio.run(main())
    os._exit(0)
