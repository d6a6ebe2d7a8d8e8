"""Which tests are measured: whatever runs while branches are counted takes two to three times as long."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import coverage
import pytest

HERE = Path(__file__).parent
MEASURED = {"kernel", "turns", "session", "scenarios"}
"""Folders whose tests are there to reach each branch of kernel/ and turns/: what others reach does not count."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Coverage waits while a test of another folder runs, or one that ``repeats``."""
    running = coverage.Coverage.current()
    measured = item.path.relative_to(HERE).parts[0] in MEASURED and not item.get_closest_marker("repeats")
    if running is None or measured:
        return (yield)
    running.stop()
    try:
        return (yield)
    finally:
        running.start()
