"""A worker as one engine sees it: one agent name, one entrypoint."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from antiphon.worker.engine import Acceptance, Assignment, Engine, JobOffer, Load, Refusal

if TYPE_CHECKING:
    from antiphon.worker.supervisor import Supervisor

logger = logging.getLogger("antiphon")


class Registration:
    """``engine``: who speaks with the dispatcher, made by ``make``. ``worker_id``: as the dispatcher calls this worker; empty while
    it is not registered."""

    def __init__(self, supervisor: Supervisor, name: str, make: Callable[[Registration], Engine]) -> None:
        self.name, self.worker_id = name, ""
        self._supervisor = supervisor
        self._complained = False
        self.engine = make(self)

    def load(self) -> Load:
        return self._supervisor.admission.load()

    async def offered(self, offer: JobOffer) -> Acceptance | Refusal:
        return await self._supervisor.admission.offered(offer)

    def assigned(self, assignment: Assignment) -> None:
        self._supervisor.table.assigned(assignment, self.name, self.engine)
        self._supervisor.admission.settled(assignment.offer)

    def withdrawn(self, offer: JobOffer) -> None:
        self._supervisor.admission.settled(offer)

    def terminated(self, job: str, reason: str = "", *, drain: bool = False) -> None:
        if reason:
            self._supervisor.table.end(job, reason, drain=drain)
        else:
            self._supervisor.table.terminated(job)

    def running(self) -> list[str]:
        return [id for id, job in self._supervisor.jobs.items() if job.engine is self.engine]

    def connected(self, worker_id: str) -> None:
        self._complained = False
        self.worker_id = worker_id
        logger.info("registered as %s%s", worker_id, f" for {self.name!r}" if self.name else "")
        self._supervisor.changed()

    def disconnected(self, reason: str) -> None:
        self.worker_id = ""
        if not self._complained:
            self._complained = True
            logger.warning("%s Trying again.", reason)
        self._supervisor.changed()
