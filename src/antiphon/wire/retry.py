"""When a request is made again: by class of failure, within a budget, never after the first token.

Owns: the schedule. Never: sockets, formats.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable

import msgspec

from antiphon.errors import ModelError

Sleep = Callable[[float], Awaitable[None]]


async def pause(seconds: float) -> None:
    """How retries wait, unless a model is given another way."""
    import asyncio  # not before: a provider that is only named should cost little

    await asyncio.sleep(seconds)


class RetryPolicy(msgspec.Struct, frozen=True):
    """``delays``: seconds before the 2nd, 3rd, ... attempt (their number is the number of retries), with up to a
    quarter of jitter. ``budget``: seconds after the first attempt began beyond which no further one begins: on a
    call a late answer is worse than another model's."""

    delays: tuple[float, ...] = (0.0, 0.3, 1.0)
    budget: float = 3.0

    def wait(
        self, error: ModelError, *, attempt: int, elapsed: float, jitter: Callable[[], float] = random.random
    ) -> float | None:
        """Seconds to wait after the ``attempt``-th try (from 0) failed ``elapsed`` s after the beginning; ``None``:
        give up. A wait that the service asked for is kept, or, where it exceeds the budget, given up at once."""
        if not error.retryable or attempt >= len(self.delays):
            return None
        delay = self.delays[attempt] * (1 + 0.25 * jitter())
        if error.retry_after is not None:
            delay = max(delay, error.retry_after)
        return delay if elapsed + delay <= self.budget else None
