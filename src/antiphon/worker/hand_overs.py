"""Calls that change hands on purpose: to a process of the changed program, or to another worker when this one is to stop.

Each at its caller's next silence: its process lets go of it, and the next one goes on from the store, on the same line. Part of
the supervisor.
"""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import TYPE_CHECKING

from antiphon.errors import AntiphonError
from antiphon.worker import agent_messages as m
from antiphon.worker.control import Ask, ask_worker
from antiphon.worker.job_record import JobRecord
from antiphon.worker.runtime_directory import CONTROL, control_sockets

if TYPE_CHECKING:
    from antiphon.worker.supervisor import Supervisor

logger = logging.getLogger("antiphon")

WITHIN = 10.0
"""Seconds that a call may take to come to a silence, before it is handed over as it is."""


class HandOvers:
    """One supervisor's."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor
        self._heir: Path | None = None
        """Control socket of the worker that gets the calls of this one."""
        self.left = False
        """Calls of another worker are on lines in this one's media process."""

    # --- to a process of the changed program -----------------------------------------------------------------------------

    def retire_old(self) -> None:
        """A process of the program as it is now is ready: the others leave their calls to it. Calls that are not stored end where they
        are."""
        supervisor = self._supervisor
        for child in [child for child in supervisor.pool.children if child.old and child.ready]:
            if not child.jobs:
                child.retire()
            for id in sorted(child.jobs):
                self._ask(supervisor.jobs[id])

    # --- to another worker -----------------------------------------------------------------------------------------------

    async def to_another_worker(self) -> None:
        """Where another worker of this machine keeps its sessions in the same store and takes jobs: leave it those that are
        stored."""
        store = self._supervisor.server.store_key
        own = self._supervisor.folder / CONTROL
        for path in [path for path in control_sockets() if path != own] if store else ():
            try:
                answer = await ask_worker(path, Ask())
            except AntiphonError as error:
                logger.info("%s", error)
                continue
            if answer is not None and answer.store == store and answer.open:
                self._heir = path
                break
        if self._heir is not None:
            logger.info("calls are handed over to %s", answer.worker if answer is not None else "")
            for job in list(self._supervisor.jobs.values()):
                self._ask(job)

    def _ask(self, job: JobRecord) -> None:
        if job.durable and job.running and job.child is not None:
            job.child.send(m.HandOver(job=job.offer.id, within=WITHIN))

    # --- on the way --------------------------------------------------------------------------------------------------------

    async def released(self, job: JobRecord) -> None:
        """Its process has let go of it."""
        job.resume = job.attach = True
        job.released = asyncio.get_running_loop().time()
        if self._heir is not None and await self._inherited(self._heir, job):
            self.left = True
            del self._supervisor.jobs[job.offer.id]
            logger.info("session %s goes on in another worker", job.line)
            self._supervisor.changed()
        else:
            self._supervisor.give(job)

    async def _inherited(self, heir: Path, job: JobRecord) -> bool:
        try:
            answer = await ask_worker(heir, Ask(adopt=job.line))
        except AntiphonError as error:
            logger.warning("%s", error)
            return False
        return answer is not None and answer.done

    def arrived(self, job: JobRecord) -> None:
        """It goes on."""
        assert job.released is not None and job.child is not None
        seconds = asyncio.get_running_loop().time() - job.released
        job.released = None
        self._supervisor.counts.handed_over(seconds)
        logger.info("session %s was handed over to process %d within %.2f s", job.line, job.child.pid, seconds)
