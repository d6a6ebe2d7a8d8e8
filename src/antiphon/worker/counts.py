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
        self.handovers = 0
        """Sessions that one process left to another."""
        self.last_handover = 0.0
        """Seconds between the two."""

    def handed_over(self, seconds: float) -> None:
        self.handovers += 1
        self.last_handover = seconds

    def took_over(self, seconds: float) -> None:
        self.takeovers += 1
        self.takeover_seconds += seconds
        self.last_takeover = seconds
