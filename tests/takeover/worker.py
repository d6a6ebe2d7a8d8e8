"""The campaign's worker: its tree of processes, its calls, and their deaths."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from tests.takeover.diary import EVENTS, JOBS, Reader
from tests.worker.supervised import command, everybody, parent

OVER = ("success", "failed", "refused")
PROGRAM = Path(__file__).with_name("program.py")


class CampaignWorker:
    """``events``, ``jobs``: what its agent processes told, what the dispatcher was told. ``folder``: of all files."""

    def __init__(self, folder: Path, output: IO[bytes], program: Path, **options: Any) -> None:
        self.folder, self.program = folder, program
        self.events, self.jobs = Reader(folder / EVENTS), Reader(folder / JOBS)
        self._output = output
        self._options = {"store": str(folder / "store" / "calls.db"), **options}
        (folder / "store").mkdir(exist_ok=True)
        self.supervisors = 1
        self.process = self._start()
        self.seen: set[int] = set()
        self._closed: set[str] = set()

    def _start(self) -> subprocess.Popen[bytes]:
        environment = {"CAMPAIGN": str(self.folder), "SERVER": json.dumps(self._options)}
        return subprocess.Popen(
            [sys.executable, "-u", str(self.program), "start", "--no-rehearsal"],
            stdin=subprocess.PIPE,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **environment},
        )

    def start_again(self) -> None:
        """Another supervisor, where the first one was killed."""
        self.process.wait()
        self.supervisors += 1
        self.process = self._start()

    # --- what it is told and tells -------------------------------------------------------------------------------------

    def offer(self, job: str, turns: list[str], seed: int) -> None:
        """A caller rings."""
        self._tell(offer=job, metadata=json.dumps({"turns": turns, "seed": seed}))

    def end(self, job: str) -> None:
        self._tell(end=job)

    def _tell(self, **order: Any) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(order).encode() + b"\n")
        self.process.stdin.flush()

    def look(self) -> list[dict[str, Any]]:
        """What agent processes told meanwhile."""
        self.jobs.look()
        self._children()
        return self.events.look()

    def until(self, condition: Callable[[], Any], seconds: float = 30.0) -> bool:
        """Wait for it. False: it did not come about."""
        until = time.monotonic() + seconds
        while True:
            self.look()
            if condition():
                return True
            if time.monotonic() > until or self.process.poll() is not None:
                return False
            time.sleep(0.02)

    def ended(self) -> dict[str, str]:
        """Jobs that are over: how."""
        told = {line["job"]: line["kind"] for line in self.jobs.lines if line["kind"] in OVER}
        if self.supervisors > 1:  # nobody tells of the calls of one that was killed
            for job in {line["job"] for line in self.jobs.lines} - set(told) - self._closed:
                record = self.folder / f"{job}.jsonl"
                if record.exists() and '"closed"' in record.read_text():
                    self._closed.add(job)
        return {**dict.fromkeys(self._closed, "closed"), **told}

    def serving(self) -> dict[str, int]:
        """The process that each running call was last begun in."""
        over = self.ended()
        return {
            line["job"]: line["pid"]
            for line in self.events.lines
            if line["kind"] == "serving" and line["job"] not in over
        }

    @property
    def said(self) -> str:
        """What all its processes printed."""
        text = (self.folder / "output.txt").read_text(errors="replace")
        return re.sub(r"\x1b\[[0-9;]*m", "", text)

    # --- its processes -------------------------------------------------------------------------------------------------

    def agents(self) -> list[int]:
        return [pid for pid in self._children() if self.program.name in command(pid)]

    def media(self) -> list[int]:
        return [pid for pid in self._children() if "plane_main" in command(pid)]

    def _children(self) -> list[int]:
        found = [pid for pid in everybody() if parent(pid) == self.process.pid]
        self.seen.update(found)
        return found

    def stop(self) -> None:
        """End all that is left."""
        self._children()
        for pid in (self.process.pid, *self.seen):
            if str(self.program) in command(pid) or "plane_main" in command(pid):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        self.process.wait()


@contextmanager
def campaign_worker(folder: Path, program: Path = PROGRAM, **options: Any) -> Iterator[CampaignWorker]:
    """One that takes calls. ``options``: of its ``AgentServer``."""
    with (folder / "output.txt").open("ab") as output:
        worker = CampaignWorker(folder, output, program, **options)
        try:
            assert worker.until(lambda: "Ready." in worker.said), worker.said
            yield worker
        finally:
            worker.stop()
