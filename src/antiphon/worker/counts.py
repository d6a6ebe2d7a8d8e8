"""What a worker has done since its start."""

from __future__ import annotations


class WorkerCounts:
    """``taken``, ``failed``: jobs. ``died``: agent processes that had calls. ``crash_looped``: sessions that made process after process crash."""

    def __init__(self) -> None:
        self.taken = self.failed = self.died = self.crash_looped = 0
        self.takeovers = 0
        """Sessions that another process went on with."""
        self.takeover_seconds = self.last_takeover = 0.0
        """From a process's death until another one ran the session: of all, of the last."""

    def took_over(self, seconds: float) -> None:
        self.takeovers += 1
        self.takeover_seconds += seconds
        self.last_takeover = seconds
