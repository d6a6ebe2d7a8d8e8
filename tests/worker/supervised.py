"""A worker as a tree of real processes, its dispatcher a double: started, watched from outside, and gone without a trace."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from tests.worker.dispatcher import KEY, SECRET, Dispatcher, dispatcher
from tests.worker.livekit_server import free_port

APP = Path(__file__).with_name("supervised_app.py")


class Supervised:
    """``output``: what all its processes print; a file, since the last of them may hold it for long."""

    dispatcher: Dispatcher

    def __init__(self, process: subprocess.Popen[bytes], port: int, app: Path, output: Path) -> None:
        self.process, self.port, self.output = process, port, output
        self._app = app
        self.seen: set[int] = set()
        """Every process that was ever seen of it."""

    @property
    def lines(self) -> list[str]:
        """What they have printed."""
        return re.sub(r"\x1b\[[0-9;]*m", "", self.output.read_text()).splitlines()

    async def says(self, text: str, count: int = 1, seconds: float = 30.0) -> None:
        await self.until(lambda: sum(text in line for line in self.lines) >= count, seconds)

    async def until(self, condition: Callable[[], Any], seconds: float = 20.0) -> None:
        try:
            async with asyncio.timeout(seconds):
                while not condition():
                    await asyncio.sleep(0.02)
        except TimeoutError as error:
            raise AssertionError("it did not come about:\n" + "\n".join(self.lines)) from error

    async def exits(self, seconds: float = 15.0) -> int:
        """Wait for the supervisor's end. Returns its status, negative: of a signal."""
        return await asyncio.to_thread(self.process.wait, seconds)

    async def status(self, job: str, status: int, seconds: float = 30.0) -> Any:
        """Wait until the dispatcher is told this of a job."""

        def told() -> list[Any]:
            found = [body for kind, body in self.dispatcher.said if kind == "update_job" and body.job_id == job]
            return [body for body in found if body.status == status]

        await self.until(told, seconds)
        return told()[0]

    def get(self, path: str) -> tuple[int, str]:
        """Of its health server: status and text."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def metric(self, name: str) -> float:
        """A figure, or the sum of those of all processes."""
        text = self.get("/metrics")[1]
        return sum(float(value) for value in re.findall(rf"^antiphon_{name}(?:{{.*}})? (.*)$", text, re.MULTILINE))

    async def sees(self, name: str, value: float, seconds: float = 20.0) -> None:
        """Wait until a figure is this."""
        async with asyncio.timeout(seconds):
            while await asyncio.to_thread(self.metric, name) != value:
                await asyncio.sleep(0.05)

    def agents(self) -> list[int]:
        """Its agent processes."""
        return [pid for pid in self._children() if self._app.name in command(pid)]

    def media(self) -> list[int]:
        """Its media processes."""
        return [pid for pid in self._children() if "plane_main" in command(pid)]

    def kill(self) -> None:
        """End all of it."""
        if self.process.poll() is None:
            self._children()
        for pid in (self.process.pid, *self.seen):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()

    def _children(self) -> list[int]:
        found = [pid for pid in everybody() if parent(pid) == self.process.pid]
        self.seen.update(found)
        return found

    def left(self) -> list[str]:
        """What still runs of all that was seen."""
        return [f"{pid}: {command(pid)}" for pid in self.seen if alive(pid)]

    def serving(self) -> list[int]:
        """Agent processes that have calls, by the worker's own figures."""
        text = self.get("/metrics")[1]
        found = re.findall(r'^antiphon_agent_sessions{pid="(\d+)"} [1-9]\d*$', text, re.MULTILINE)
        return [int(pid) for pid in found]


def everybody() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdecimal()]


def command(pid: int) -> str:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    return ""


def parent(pid: int) -> int:
    with suppress(OSError, IndexError):
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return 0


def alive(pid: int) -> bool:
    with suppress(OSError, IndexError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


@asynccontextmanager
async def supervised(
    folder: Path,
    *words: str,
    server: Dispatcher | None = None,
    environment: dict[str, str] | None = None,
    **options: Any,
) -> AsyncIterator[Supervised]:
    """The tests' program, registered at ``server`` and taking jobs. ``options``: of its ``AgentServer``."""
    async with AsyncExitStack() as stack:
        at = server or await stack.enter_async_context(dispatcher())
        settings = {"SERVER": json.dumps(options), "CALLS": str(folder), **(environment or {})}
        words = ("--no-rehearsal", *words)
        running = await stack.enter_async_context(worker(folder, APP, at.url, *words, environment=settings))
        running.dispatcher = at
        await running.until(lambda: any(kind == "update_worker" and not body.status for kind, body in at.said))
        yield running


@asynccontextmanager
async def worker(
    folder: Path, app: Path, url: str, *words: str, environment: dict[str, str] | None = None
) -> AsyncIterator[Supervised]:
    """``app`` as a worker of the dispatcher at ``url``: its models are loaded."""
    running = launched(folder, app, url, *words, environment=environment)
    try:
        await running.says("Ready:", seconds=60)
        running.agents()
        yield running
    finally:
        running.kill()


def launched(folder: Path, app: Path, url: str, *words: str, environment: dict[str, str] | None = None) -> Supervised:
    """``app`` as a worker, just started."""
    port, output = free_port(), folder / f"output-{uuid.uuid4().hex[:6]}.txt"
    where = {"LIVEKIT_URL": url, "LIVEKIT_API_KEY": KEY, "LIVEKIT_API_SECRET": SECRET}
    with output.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-u", str(app), "start", "--health-port", str(port), *words],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            env={**os.environ, **where, **(environment or {})},
        )
    return Supervised(process, port, app, output)
