"""A durable log on the virtual clock: a disk that takes its time, gets stuck, or belongs to somebody else by now.

It promises nothing beyond the process: it is for tests of what a session does while it waits.
"""

from __future__ import annotations

import asyncio

import msgspec

from antiphon.errors import FencedError, StoreError
from antiphon.models.log import Lane
from antiphon.testing.memory_log import MemoryLog


class ScriptedDurableLog(MemoryLog):
    """``delay``: seconds until a fact is durable. ``stuck_at``: facts of that session time and later never are. ``fenced_at``: from
    then on another owner has the session. ``lost_at``: from then on nothing can be stored. ``durable_at``: the loop's time
    at which each position became durable."""

    def __init__(
        self,
        *,
        delay: float = 0.01,
        stuck_at: float | None = None,
        fenced_at: float | None = None,
        lost_at: float | None = None,
    ) -> None:
        super().__init__()
        self.delay, self.stuck_at, self.fenced_at, self.lost_at = delay, stuck_at, fenced_at, lost_at
        self.error: StoreError | None = None
        self.position = self.durable = self.dropped = 0
        self.durable_at: dict[int, float] = {}
        self._changed = asyncio.Event()

    def append(self, lane: Lane, at: float, body: msgspec.Struct | dict[str, object]) -> int:
        seq = super().append(lane, at, body)
        if lane == "fact":
            self.position += 1
            if self.fenced_at is not None and at >= self.fenced_at:
                self._fail(FencedError("Session call is at epoch 2."))
            elif self.lost_at is not None and at >= self.lost_at:
                self._fail(StoreError("The disk is gone.", reason="damaged"))
            elif self.stuck_at is None or at < self.stuck_at:
                asyncio.get_running_loop().call_later(self.delay, self._reached, self.position)
        return seq

    def _fail(self, error: StoreError) -> None:
        self.error = self.error or error
        self._wake()

    def _reached(self, position: int) -> None:
        if self.error is None:
            self.durable = max(self.durable, position)
            self.durable_at[position] = asyncio.get_running_loop().time()
            self._wake()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def until_durable(self, position: int, timeout: float = 0.3) -> None:
        async with asyncio.timeout(timeout):
            while self.durable < position:
                if self.error is not None:
                    raise self.error
                await self._changed.wait()
