"""Follows the files of a program: a change of one is told, once for all that change together."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path

logger = logging.getLogger("antiphon")

LOOK_EVERY = 0.5
"""Seconds. A change is told when nothing has changed for as long."""
MOST_FILES = 5_000
PASSED_OVER = ("__pycache__", "node_modules", "site-packages")


async def follow(folder: Path, changed: Callable[[], object]) -> None:
    """Look at the Python files under ``folder`` until cancelled; hidden folders, virtual environments and caches are passed
    over."""
    loop = asyncio.get_running_loop()
    told = before = await loop.run_in_executor(None, stamps, folder)
    while True:
        await asyncio.sleep(LOOK_EVERY)
        now = await loop.run_in_executor(None, stamps, folder)
        if now == before and now != told:
            names = sorted({path.name for path, _ in told.items() ^ now.items()})
            logger.info("changed: %s", ", ".join(names[:5]) + (" ..." if len(names) > 5 else ""))
            told = now
            changed()
        before = now


def stamps(folder: Path) -> dict[Path, int]:
    """When each file was changed last, in nanoseconds."""
    found: dict[Path, int] = {}
    for path in _files(folder):
        try:
            found[path] = path.stat().st_mtime_ns
        except OSError:
            continue
        if len(found) >= MOST_FILES:
            break
    return found


def _files(folder: Path) -> Iterator[Path]:
    for at, folders, names in os.walk(folder):
        folders[:] = [
            name
            for name in folders
            if not name.startswith(".") and name not in PASSED_OVER and not Path(at, name, "pyvenv.cfg").exists()
        ]
        for name in names:
            if name.endswith(".py"):
                yield Path(at, name)
