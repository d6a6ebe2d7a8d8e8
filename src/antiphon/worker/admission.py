"""Which offers a worker takes: those it has a process for, while the machine keeps up, and that the program does not refuse."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from antiphon.session.lanes import Lane
from antiphon.worker.agent_pool import AgentPool
from antiphon.worker.engine import Acceptance, JobOffer, Load, Refusal
from antiphon.worker.load import LAG_FULL, LoadMeter
from antiphon.worker.server import AgentServer

logger = logging.getLogger("antiphon")

DECIDE_WITHIN = 10.0
"""Seconds that ``on_request`` has for an offer; later the dispatcher has asked somebody else."""


class Admission:
    """``jobs``: how many there are. ``changed``: called when the load is another. ``user``: the lane of ``on_request``."""

    def __init__(
        self, server: AgentServer, pool: AgentPool, user: Lane, jobs: Callable[[], int], changed: Callable[[], object]
    ) -> None:
        self.meter = LoadMeter()
        self.refused = 0
        """Offers, since the start."""
        self.draining = False
        self._server, self._pool, self._user = server, pool, user
        self._jobs, self._changed = jobs, changed
        self._promised: set[str] = set()

    @property
    def lag(self) -> float:
        """Seconds that the slowest loop was late: this process's or an agent process's."""
        return max([self.meter.lag, *(child.beat.lag for child in self._pool.children)])

    def load(self) -> Load:
        """What the dispatcher is told."""
        jobs = self._jobs()
        lags = [child.beat.lag for child in self._pool.children if child.ready and not child.alone]
        busy = max(self.meter.value, min(lags, default=0.0) / LAG_FULL) / self._server.load_threshold
        value = min(1.0, max(busy, (jobs + len(self._promised)) / self._server.capacity))
        room = self._pool.room() > len(self._promised)
        return Load(value=value, jobs=jobs, open=room and not self.draining and value < 1.0, draining=self.draining)

    async def offered(self, offer: JobOffer) -> Acceptance | Refusal:
        """Take a job or not."""
        if not self.load().open:
            self.refused += 1
            return Refusal()
        self._promised.add(offer.id)
        self._changed()
        answer = await self._ask(offer) if self._server.on_request is not None else None
        if isinstance(answer, Refusal):
            self.refused += 1
            self.settled(offer)
            return answer
        return answer or Acceptance(identity=f"agent-{offer.id}")

    def settled(self, offer: JobOffer) -> None:
        """What was promised has come, or never will."""
        self._promised.discard(offer.id)
        self._changed()

    async def _ask(self, offer: JobOffer) -> Acceptance | Refusal | None:
        """The user's own decision, on the user's lane."""

        async def decide() -> Acceptance | Refusal | None:
            assert self._server.on_request is not None
            answer = self._server.on_request(offer)
            return await answer if isinstance(answer, Awaitable) else answer

        try:
            future = asyncio.run_coroutine_threadsafe(decide(), self._user.loop)
            return await asyncio.wait_for(asyncio.wrap_future(future), DECIDE_WITHIN)
        except TimeoutError:
            logger.error("on_request has not decided within %g s: job %s is refused", DECIDE_WITHIN, offer.id)
            return Refusal()
        except Exception:
            logger.exception("on_request raised: job %s is refused", offer.id)
            return Refusal()
