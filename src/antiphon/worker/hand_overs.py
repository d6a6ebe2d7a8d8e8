"""Calls that change hands on purpose: to a process of the changed program, or to another worker when this one is to stop.

Each at its caller's next silence: its process lets go of it, and the next one goes on from the store, on the same line. Part of
the supervisor.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from antiphon.errors import AntiphonError
from antiphon.worker import agent_messages as m
from antiphon.worker.control import Ask, ask_worker
from antiphon.worker.job_record import JobRecord
from antiphon.worker.job_table import SHUTDOWN
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
            for job in [supervisor.jobs[id] for id in sorted(child.jobs) if id in supervisor.jobs]:
                self._ask(job)

    # --- to another worker -----------------------------------------------------------------------------------------------

    async def to_another_worker(self) -> None:
        """Where another worker of this machine keeps its sessions in the same store and takes jobs: leave it those that are
        stored."""
        self._heir = await self._find_heir(self._supervisor.server.store_key)
        if self._heir is not None:
            for job in list(self._supervisor.jobs.values()):
                self._ask(job)

    async def _find_heir(self, store: str) -> Path | None:
        for path in _others(self._supervisor.folder / CONTROL) if store else ():
            try:
                answer = await ask_worker(path, Ask())
            except AntiphonError as error:
                logger.info("%s", error)
                continue
            if answer is not None and answer.store == store and answer.open:
                logger.info("calls are handed over to %s", answer.worker)
                return path
        return None

    def _ask(self, job: JobRecord) -> None:
        if job.durable and job.running and job.child is not None and not job.ending:
            job.child.send(m.HandOver(job=job.offer.id, within=WITHIN))

    # --- on the way --------------------------------------------------------------------------------------------------------

    async def released(self, job: JobRecord) -> None:
        """Its process has let go of it, and no other has it."""
        table = self._supervisor.table
        try:
            inherited = self._heir is not None and await self._inherited(self._heir, job)
        finally:
            job.moving = False
        if inherited:
            table.elsewhere(job)
        elif job.ending:
            table.give_up(job, job.ending)
        else:
            table.give(job)

    async def _inherited(self, heir: Path, job: JobRecord) -> bool:
        try:
            answer = await ask_worker(heir, Ask(adopt=job.line))
            done = answer is not None and answer.done
        except AntiphonError as error:  # it may have it, and be slow to say so
            logger.warning("%s", error)
            done = await self._supervisor.table.theirs(job)
        if done and job.ending not in ("", SHUTDOWN):
            with suppress(AntiphonError):
                await ask_worker(heir, Ask(end=job.line))
        return done


def _others(own: Path) -> list[Path]:
    """Control sockets of the other workers."""
    try:
        return [path for path in control_sockets() if path != own]
    except (OSError, AntiphonError) as error:
        logger.warning("other workers cannot be looked for: %s", error)
        return []
