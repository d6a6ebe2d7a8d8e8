"""Files on which processes write down what happens, a line each, whatever happens to the process."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

EVENTS, EFFECTS, JOBS = "events.jsonl", "effects.jsonl", "jobs.jsonl"
"""What agent processes tell; what tools did to the world; what the dispatcher was told."""


class Diary:
    """One process's end of a file. Each line has the time (``at``, the machine's monotonic clock) and the process (``pid``)."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def note(self, kind: str, **fields: Any) -> None:
        line = {"kind": kind, "at": time.monotonic(), "pid": os.getpid(), **fields}
        os.write(self._fd, json.dumps(line).encode() + b"\n")


class Reader:
    """Reads a file as it grows. ``lines``: all so far."""

    def __init__(self, path: Path) -> None:
        self.lines: list[dict[str, Any]] = []
        self._path, self._read, self._rest = path, 0, b""

    def look(self) -> list[dict[str, Any]]:
        """What is new."""
        if not self._path.exists():
            return []
        with self._path.open("rb") as file:
            file.seek(self._read)
            data = file.read()
        self._read += len(data)
        *whole, self._rest = (self._rest + data).split(b"\n")
        new = [json.loads(line) for line in whole]
        self.lines += new
        return new


def read(path: Path) -> list[dict[str, Any]]:
    """All lines of a file; none where there is no file."""
    return Reader(path).look()
