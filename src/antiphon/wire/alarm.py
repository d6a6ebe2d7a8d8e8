"""A time limit that is set anew for each chunk of audio.

Owns one timer of the loop for any number of settings: it looks again when it fires. Never: what happens then.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Alarm:
    """Calls ``ring`` once the time that was set last has passed, unless it was stopped. ``rang``: it has, since then."""

    rang = False

    def __init__(self, ring: Callable[[], object]) -> None:
        self._ring = ring
        self._loop = asyncio.get_running_loop()
        self._due: float | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._looks_at = float("inf")

    def set(self, seconds: float) -> None:
        """Ring that long from now."""
        self._due = due = self._loop.time() + seconds
        self.rang = False
        if due < self._looks_at:
            if self._timer is not None:
                self._timer.cancel()
            self._look_at(due)

    def stop(self) -> None:
        """Do not ring until it is set again."""
        self._due = None

    def close(self) -> None:
        """Stop, and let go of the timer."""
        self._due = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer, self._looks_at = None, float("inf")

    def _look_at(self, when: float) -> None:
        self._timer, self._looks_at = self._loop.call_at(when, self._look), when

    def _look(self) -> None:
        self._timer, self._looks_at = None, float("inf")
        if self._due is None:
            return
        if self._loop.time() < self._due:
            self._look_at(self._due)
        else:
            self._due, self.rang = None, True
            self._ring()
