"""The clock that leases run by on one machine: the same in all its processes, and nobody can set it.

Owns: which of the machine's clocks that is, and how to tell that the machine has started anew.
"""

from __future__ import annotations

import time
from pathlib import Path

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_BOOTTIME = getattr(time, "CLOCK_BOOTTIME", None)


def machine_clock() -> float:
    """Seconds since the machine started, sleep included. Where there is no such clock: since 1970."""
    return time.time() if _BOOTTIME is None else time.clock_gettime(_BOOTTIME)


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
