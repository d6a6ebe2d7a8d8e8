"""What every row needs: the server, the callers, the sides in turns, the sizes."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rooms.crowd import Crowd
from rooms.processes import pin
from rooms.server import Server
from rooms.worker import Side, Worker


@dataclass
class Bench:
    """``quick``: the smallest sizes. ``folder``: for files that are not kept."""

    server: Server
    crowd: Crowd
    sides: list[Side]
    quick: bool
    folder: Path

    @property
    def other_cores(self) -> int:
        """Cores that server and callers have while a worker is pinned."""
        return max(1, len(os.sched_getaffinity(0)) - 1)

    def turns(self, count: int) -> Iterator[tuple[int, Side]]:
        """Each side ``count`` times (once where it is to be quick), the order swapped from round to round."""
        for number in range(1 if self.quick else count):
            for side in self.sides if number % 2 == 0 else reversed(self.sides):
                yield number, side

    @contextmanager
    def worker(self, side: Side, *, pinned: bool = False, **variables: str) -> Iterator[Worker]:
        """A worker, warm and at rest; afterwards its callers have left. ``pinned``: it has one core to itself, server and
        callers have the others."""
        cores = sorted(os.sched_getaffinity(0))
        theirs = set(cores[1:] or cores) if pinned else set(cores)
        for pid in (self.server.pid, self.crowd.pid):
            pin(pid, theirs)
        with Worker(side, self.server, cores={cores[0]} if pinned else None, **variables) as worker:
            self.rest(2.0)
            try:
                yield worker
            finally:
                self.crowd.leave()

    def rest(self, seconds: float) -> None:
        time.sleep(seconds / 2 if self.quick else seconds)

    def say(self, text: str) -> None:
        print(f"  {text}", file=sys.stderr, flush=True)
