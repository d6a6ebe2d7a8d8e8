"""The clock that leases run by on one machine: the same in all its processes, and nobody can set it.

Owns: which of the machine's clocks that is, and how to tell that the machine has started anew.
"""

from __future__ import annotations

import time
from pathlib import Path

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_BOOTTIME = getattr(time, "CLOCK_BOOTTIME", None)
_OFFSETS = Path("/proc/self/timens_offsets")


def _shift() -> float:
    """Seconds by which this process sees the machine's clock ahead: a container may have been given a time of its own
    (time_namespaces(7))."""
    try:
        rows = [line.split() for line in _OFFSETS.read_text(encoding="ascii").splitlines()]
    except OSError:
        return 0.0
    return next((int(row[1]) + int(row[2]) / 1e9 for row in rows if row[0] == "boottime"), 0.0)


_SHIFT = _shift()


def machine_clock() -> float:
    """Seconds since the machine started, sleep included, the same in all its containers. Where there is no such clock: since
    1970."""
    return time.time() if _BOOTTIME is None else time.clock_gettime(_BOOTTIME) - _SHIFT


def boot_id() -> str:
    """Names this start of the machine; empty where it has no name, or the clock does not begin with it."""
    if _BOOTTIME is None:
        return ""
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return ""


def wall_clock() -> float:
    """Seconds since 1970: for people, and for the age of what has ended. Never for leases."""
    return time.time()


def stopwatch() -> float:
    """Seconds, for durations."""
    return time.perf_counter()
