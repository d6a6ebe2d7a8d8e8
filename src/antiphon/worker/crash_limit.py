"""How often a session may be taken over after crashes before it counts as what makes processes crash."""

from __future__ import annotations

from collections import deque

MOST = 3
"""Takeovers of a session ..."""
WITHIN = 60.0
"""... in so many seconds; one more, and it is served by the safe entrypoint."""
TOGETHER = 1.0
"""Seconds: a process that dies so soon behind another, before a session has begun in it, dies of what that one died of."""
SUSPECT = 3
"""From so many on it has a process of its own, so that it takes no other session with it."""


class CrashLimit:
    """One session's takeovers."""

    def __init__(self, most: int = MOST, within: float = WITHIN) -> None:
        self._most, self._within = most, within
        self._times: deque[float] = deque()

    def note(self, now: float, *, begun: bool = True) -> None:
        """Its process has died, and another takes it over. ``begun``: it had begun there; when several die at once, it may have been given
        to one that was about to."""
        if not begun and self._times and now - self._times[-1] < TOGETHER:
            return
        self._times.append(now)
        while self._times[0] <= now - self._within:
            self._times.popleft()

    @property
    def exceeded(self) -> bool:
        """This session crashes whoever serves it."""
        return len(self._times) > self._most

    @property
    def suspect(self) -> bool:
        """It may be the one that does."""
        return len(self._times) >= min(SUSPECT, self._most)
