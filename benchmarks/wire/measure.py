"""What all clients share: the metronome that gives each stream its audio in real time, and this process's cost meanwhile."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

RATE = 16_000


def memory() -> int:
    """Bytes of this process that are its own (``Pss``)."""
    for line in Path("/proc/self/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0


IN_STEP = 50
"""Streams that get their audio at one moment; more are spread over the chunk's time."""


async def metronome(push: Callable[[int, bytes, float], None], streams: int, *, chunk: float, seconds: float) -> float:
    """Call ``push(number, pcm, at)`` for each stream every ``chunk`` seconds; returns the worst delay of a call."""
    pcm = bytes([7, 1]) * round(chunk * RATE)
    began, worst, slots = time.monotonic(), 0.0, max(1, streams // IN_STEP)
    for step in range(round(seconds / chunk) * slots):
        due = began + step * chunk / slots
        wait = due - time.monotonic()
        if wait > 0:
            await asyncio.sleep(wait)
        worst = max(worst, time.monotonic() - due)
        for number in range(step % slots, streams, slots):
            push(number, pcm, due)
    return worst


class Cost:
    """CPU of this process while the block runs."""

    def __enter__(self) -> Cost:
        self._cpu, self._wall = time.process_time(), time.monotonic()
        return self

    def __exit__(self, *error: object) -> None:
        self.cpu, self.wall = time.process_time() - self._cpu, time.monotonic() - self._wall


def tell(**figures: Any) -> None:
    print(json.dumps(figures), flush=True)


def quantile(values: list[float], part: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))] if ordered else 0.0
