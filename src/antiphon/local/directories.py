"""What the model store does to its directory: change it safely, one process at a time (POSIX)."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

LOOK_AGAIN = 0.2
"""Seconds between two looks at a lock that another process holds."""


@contextlib.contextmanager
def locked(path: Path, on_wait: Callable[[], Any]) -> Iterator[None]:
    """Hold the lock file ``path``; ``on_wait`` is called while another process has it. A killed owner frees it."""
    with path.open("a") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                on_wait()
                time.sleep(LOOK_AGAIN)
        yield


def sync(path: Path) -> None:
    """Have the disk hold what was written to a file or directory."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def delete(folder: Path) -> None:
    """Remove a directory so that nobody sees a half of it."""
    if folder.exists():
        grave = folder.with_name(f"tmp-old-{folder.name}-{os.getpid()}")
        folder.rename(grave)
        shutil.rmtree(grave, ignore_errors=True)
