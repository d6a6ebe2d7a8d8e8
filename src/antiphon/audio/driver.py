"""Where the plane meets real time: the clock, the wait for the next tick, and the thread's standing."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time

now = time.monotonic
"""Seconds on the machine's monotonic clock, which all its processes share."""

wall = time.time
"""Seconds since 1970, as the kernel stamps packets."""

SWITCH_INTERVAL = 0.0005
"""Seconds after which a Python thread must let others run, where the plane is a thread. At CPython's default of 5 ms
every neighbour that computes in Python makes each tick 5 ms late; at 0.5 ms it is under 1 ms."""

_NICE = -10


def prompt_switching() -> None:
    """Let the plane's thread have its turn soon (process-wide: ``sys.setswitchinterval``)."""
    if sys.getswitchinterval() > SWITCH_INTERVAL:
        sys.setswitchinterval(SWITCH_INTERVAL)


def raise_priority() -> None:
    """Ask the system to schedule this thread before others; where that is not allowed, go on without."""
    with contextlib.suppress(OSError, AttributeError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)


def raise_group_priority() -> None:
    """The same for a process that leads a session: Linux weighs sessions against each other first (autogroup)."""
    with contextlib.suppress(OSError), open("/proc/self/autogroup", "w") as group:
        group.write(str(_NICE))
