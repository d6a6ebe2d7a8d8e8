"""How busy this machine is: what a worker tells its dispatcher, and decides by. Sampled on the core's loop.

CPU is that of the machine (``/proc/stat``), since calls that run elsewhere on it slow ours as well; the loop's lag is this
process's own.
"""

from __future__ import annotations

import asyncio
from collections import deque
from pathlib import Path

SAMPLE_EVERY = 0.5
SAMPLES = 5
"""Averaged: 2.5 s."""
LAG_FULL = 0.1
"""Seconds that the core's loop is late when it counts as full."""


class LoadMeter:
    """``value``: 0 (idle), 1 (full) and above, the worse of CPU and lag."""

    def __init__(self, stat: Path = Path("/proc/stat")) -> None:
        self._stat = stat
        self._cpu: deque[float] = deque(maxlen=SAMPLES)
        self._lag: deque[float] = deque(maxlen=SAMPLES)
        self._before = self._read()

    @property
    def cpu(self) -> float:
        """Share of the machine's CPU in use."""
        return sum(self._cpu) / len(self._cpu) if self._cpu else 0.0

    @property
    def lag(self) -> float:
        """Seconds that the core's loop was late, of late at its worst."""
        return max(self._lag, default=0.0)

    @property
    def value(self) -> float:
        return max(self.cpu, self.lag / LAG_FULL)

    async def run(self) -> None:
        """Sample until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + SAMPLE_EVERY
            await asyncio.sleep(SAMPLE_EVERY)
            self.sample(max(0.0, loop.time() - due))

    def sample(self, lag: float) -> None:
        """Take one sample; the loop was ``lag`` seconds late."""
        self._lag.append(lag)
        now = self._read()
        busy, total = now[0] - self._before[0], now[1] - self._before[1]
        self._before = now
        if total > 0:
            self._cpu.append(busy / total)

    def _read(self) -> tuple[int, int]:
        """Busy and all ticks since the machine began; zeros where it does not say."""
        try:
            words = self._stat.read_text().split("\n", 1)[0].split()[1:]
        except OSError:
            return 0, 0
        ticks = [int(word) for word in words[:8]]
        total = sum(ticks)
        return total - ticks[3] - ticks[4], total
