"""The processes of a worker as the operating system shows them: who belongs to it, what each is for, memory, CPU. Linux.

A worker's processes are its descendants and all that have its mark in their environment, which a process that was
re-parented keeps.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

MARK = "BENCH_WORKER"
"""The environment variable that a worker is started with."""

PROC = Path("/proc")
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Process:
    """``cpu``: user and system seconds so far."""

    pid: int
    parent: int
    cpu: float
    role: str = ""


def parse_stat(text: str) -> tuple[int, float]:
    """Parent and CPU seconds, of ``/proc/PID/stat``. The name in it may hold anything."""
    words = text[text.rindex(")") + 2 :].split()
    return int(words[1]), (int(words[11]) + int(words[12])) / TICKS


def parse_rollup(text: str) -> float:
    """The proportional share in MB, of ``/proc/PID/smaps_rollup``."""
    for line in text.splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    raise ValueError("smaps_rollup has no Pss")


def role(command: str, environment: str, parent_command: str, *, root: bool) -> str:
    """What a process is for: ``worker`` (what was started), ``agent`` (runs entrypoints), ``media``, ``models`` (the local
    models, which many workers share) or ``other``. The one place that knows how both sides' processes look."""
    if root:
        return "worker"
    if "antiphon.local.server" in command:
        return "models"
    if "antiphon.audio.plane_main" in command or "antiphon.audio.media" in command:
        return "media"
    if "ANTIPHON_SUPERVISOR=" in environment:
        return "agent"
    if "multiprocessing.forkserver" in command and "multiprocessing.forkserver" in parent_command:
        return "agent"
    return "other"


def descendants(parents: dict[int, int], root: int) -> set[int]:
    """``root`` and everything below it; ``parents``: of each process."""
    found = {root}
    grown = True
    while grown:
        more = {pid for pid, parent in parents.items() if parent in found} - found
        grown = bool(more)
        found |= more
    return found


def of_worker(root: int, mark: str) -> list[Process]:
    """The worker's processes of this moment."""
    seen: dict[int, tuple[int, float]] = {}
    for entry in PROC.iterdir():
        if entry.name.isdigit():
            with suppress(OSError, ValueError):
                seen[int(entry.name)] = parse_stat((entry / "stat").read_text(errors="replace"))
    environments = {pid: _read(pid, "environ") for pid in seen}
    below = descendants({pid: parent for pid, (parent, _) in seen.items()}, root)
    mine = {pid for pid in seen if pid in below or f"{MARK}={mark}" in environments[pid].split("\0")}
    return [
        Process(pid, seen[pid][0], seen[pid][1],
                role(_read(pid, "cmdline"), environments[pid], _read(seen[pid][0], "cmdline"), root=pid == root))
        for pid in sorted(mine)
    ]  # fmt: skip


def _read(pid: int, name: str) -> str:
    try:
        return (PROC / str(pid) / name).read_text(errors="replace")
    except OSError:
        return ""


def memory(processes: Iterable[Process]) -> dict[str, float]:
    """MB of proportional share by role."""
    found: dict[str, float] = {}
    for process in processes:
        with suppress(OSError, ValueError):
            share = parse_rollup((PROC / str(process.pid) / "smaps_rollup").read_text())
            found[process.role] = found.get(process.role, 0.0) + share
    return found


def pin(pid: int, cores: set[int]) -> None:
    """Put all threads of a process on these cores; those that it starts later follow."""
    for thread in (PROC / str(pid) / "task").iterdir():
        with suppress(ProcessLookupError):
            os.sched_setaffinity(int(thread.name), cores)


def kill(processes: Iterable[Process]) -> None:
    for process in processes:
        with suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)
