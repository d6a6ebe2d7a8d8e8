"""One worker of one side, started as its users start it: ``python agent.py start``."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from rooms.processes import MARK, Process, kill, memory, of_worker, pin
from rooms.server import Server, environment

HERE = Path(__file__).parent
WITHIN = 60.0
"""Seconds that a worker has to be ready."""


@dataclass(frozen=True)
class Side:
    """``warm``: what it prints when it is as ready as it gets, and ``times``: how often."""

    name: str
    python: Path
    program: str
    words: tuple[str, ...]
    warm: str
    times: int

    @property
    def present(self) -> bool:
        return self.python.exists()


SIDES = {
    side.name: side
    for side in (
        Side("antiphon", Path(sys.executable), "agent_antiphon.py", ("--health-port", "0"), "Ready:", 1),
        Side(
            "livekit", HERE.parent / "peers" / ".venv-livekit" / "bin" / "python", "agent_livekit.py", (),
            "process initialized", os.cpu_count() or 1,
        ),
    )
}  # fmt: skip


class Worker:
    """A worker that is registered and warm, until the block ends. ``registered``, ``warm``: seconds from its start until the
    server had it, and until it had all it prepares."""

    def __init__(self, side: Side, server: Server, *, cores: set[int] | None = None, **variables: str) -> None:
        self.side, self.mark = side, uuid.uuid4().hex
        self.lines: list[str] = []
        paths = [str(HERE.parent), str(HERE.parents[1] / "src")]
        before = server.registrations()
        began = time.monotonic()
        self._process = subprocess.Popen(
            [str(side.python), str(HERE / side.program), "start", *side.words],
            cwd=HERE.parent, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env={**os.environ, **environment(server), **variables, MARK: self.mark, "PYTHONUNBUFFERED": "1",
                 "PYTHONPATH": os.pathsep.join(paths), "LIVEKIT_AGENTS_PRELOAD_LOCAL_INFERENCE": "0"},
        )  # fmt: skip
        if cores:
            pin(self._process.pid, cores)
        threading.Thread(target=self._read, daemon=True).start()
        self.registered = self._wait(lambda: server.registrations() > before, began)
        self.warm = self._wait(lambda: sum(side.warm in line for line in self.lines) >= side.times, began)

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.lines.append(line.rstrip())

    def _wait(self, condition: object, began: float) -> float:
        assert callable(condition)
        while not condition():
            if self._process.poll() is not None or time.monotonic() > began + WITHIN:
                kill(self.processes())
                raise RuntimeError(f"{self.side.name} did not start: " + (self.lines or ["it said nothing"])[-1])
            time.sleep(0.005)
        return time.monotonic() - began

    def processes(self) -> list[Process]:
        return of_worker(self._process.pid, self.mark)

    def memory(self) -> float:
        """MB of the whole tree, without the local models' process."""
        return sum(share for role, share in memory(self.processes()).items() if role != "models")

    def cpu(self) -> float:
        """Seconds so far, of the processes that there are."""
        return sum(process.cpu for process in self.processes())

    def close(self) -> None:
        left = self.processes()
        with suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(4)
        kill(process for process in [*left, *self.processes()] if process.role != "models")
        self._process.wait()

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()
