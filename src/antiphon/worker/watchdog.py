"""Looks after the agent processes: one that shows no sign of life, or takes too much memory, is ended, and its calls go on elsewhere.

A blocked user loop is not this one's affair: the core of that process still beats.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable

from antiphon.worker.agent_child import AgentChild

logger = logging.getLogger("antiphon")

LOOK_EVERY = 0.25
START_WITHIN = 120.0
"""Seconds until a process that starts has to show that it lives."""
DUMP_FOR = 1.0
"""Seconds that it has to print its stacks."""


class Watchdog:
    """``hang_timeout``: seconds without a beat. ``memory_limit``: MB."""

    def __init__(self, hang_timeout: float, memory_limit: float | None) -> None:
        self._hang_timeout, self._memory_limit = hang_timeout, memory_limit
        self._dying: set[AgentChild] = set()
        self._looked = 0.0

    def look(self, children: Iterable[AgentChild], now: float) -> None:
        """Once every ``LOOK_EVERY`` seconds."""
        children = list(children)
        if now - self._looked > LOOK_EVERY + self._hang_timeout / 2:
            for child in children:  # this process stood still itself: what came meanwhile is not read yet
                child.heard = now
        self._looked = now
        for child in children:
            silent = now - child.heard
            if child not in self._dying and silent > (self._hang_timeout if child.ready else START_WITHIN):
                self._hung(child, silent)
            elif self._memory_limit is not None and child.beat.rss > self._memory_limit * 1e6 and not child.how:
                self._too_big(child)

    def _hung(self, child: AgentChild, silent: float) -> None:
        logger.error(
            "agent process %d has shown no sign of life for %.1f s: its stacks follow, then it is ended, and its %d calls go on "
            "in another",
            child.pid,
            silent,
            len(child.jobs),
        )
        self._dying.add(child)
        child.dump()
        asyncio.get_running_loop().call_later(DUMP_FOR, self._end, child)

    def _end(self, child: AgentChild) -> None:
        self._dying.discard(child)
        child.kill("it hung")

    def _too_big(self, child: AgentChild) -> None:
        logger.error(
            "agent process %d has %.0f MB of memory, more than memory_limit=%g: it is ended, and its %d calls go on in another",
            child.pid,
            child.beat.rss / 1e6,
            self._memory_limit,
            len(child.jobs),
        )
        child.kill("it had too much memory")
