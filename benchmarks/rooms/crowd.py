"""The callers' process, asked from here."""

from __future__ import annotations

import json
import subprocess
import sys
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Any

from rooms.server import FIRST, Server

HERE = Path(__file__).parents[1]


class Crowd:
    """Callers of one server. ``ask`` waits for the answer; ``begin`` and ``result`` are its two halves."""

    def __init__(self, server: Server, log: Path) -> None:
        self._log = log
        with log.open("ab") as errors:
            self._process = subprocess.Popen(
                [*FIRST, sys.executable, "-m", "rooms.callers", server.url],
                cwd=HERE, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True,
            )  # fmt: skip
        self.pid = self._process.pid
        self.result()

    def begin(self, do: str, **more: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"do": do, **more}) + "\n")
        self._process.stdin.flush()

    def result(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the callers' process ended: " + self._log.read_text(errors="replace")[-500:])
        return json.loads(line)

    def ask(self, do: str, **more: Any) -> Any:
        self.begin(do, **more)
        return self.result()

    def join(self, count: int, *, together: bool = False, seconds: float = 25.0) -> list[dict[str, float]]:
        """As many callers, each in a new room. For each what it noted, in seconds after its connection: ``begun``, ``joined``,
        ``track``, ``audio``, as far as it came."""
        rooms = [f"bench-{uuid.uuid4().hex[:8]}" for _ in range(count)]
        noted: list[dict[str, float]] = self.ask("join", rooms=rooms, together=together, seconds=seconds)
        return noted

    def leave(self) -> None:
        self.ask("leave")

    def close(self) -> None:
        assert self._process.stdin is not None
        with suppress(OSError):
            self._process.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(10)
        self._process.kill()
        self._process.wait()
