"""Looks in the store for sessions that nobody owns: their supervisor is gone with all its processes, or has let go of them. Those that this
worker serves are taken over, each again after a longer while; those that nobody waits for any more are ended."""

from __future__ import annotations

import asyncio
import logging
import random
from typing import TYPE_CHECKING

import msgspec

from antiphon.errors import StoreError
from antiphon.models.store import SessionStore, StoredSession
from antiphon.worker.job_record import JobRecord

if TYPE_CHECKING:
    from antiphon.worker.supervisor import Supervisor

logger = logging.getLogger("antiphon")

SCAN_EVERY = 2.0
"""Seconds, with a quarter more or less."""
TOO_OLD = 300.0
"""Seconds without an owner after which nobody waits for a session's return: its room is long over."""

SHORTEST_WAIT = 5.0
"""Seconds after which a session that was taken over, and let go of again, is taken over once more; then three times as long."""
LONGEST_WAIT = 120.0


class OrphanScan:
    """One worker's."""

    def __init__(self, supervisor: Supervisor, store: SessionStore) -> None:
        self._supervisor, self._store = supervisor, store
        self._complained = False
        self._tries: dict[str, tuple[int, float]] = {}
        """How often a session was taken over here, and before when it is not again."""

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(SCAN_EVERY * random.uniform(0.75, 1.25))
            if self._supervisor.admission.draining or not self._supervisor.ready:
                continue
            try:
                found = await self._store.sessions("orphaned")
            except StoreError as error:
                if not self._complained:
                    logger.warning("sessions without an owner cannot be looked for: %s", error)
                self._complained = True
                continue
            self._complained = False
            for session in found:
                if session.remaining < -TOO_OLD and self._ours(session):
                    await self._end(session.id, "nobody went on with it")
                else:
                    self._try(session)

    def _try(self, session: StoredSession) -> None:
        now = asyncio.get_running_loop().time()
        self._tries = {id: tried for id, tried in self._tries.items() if now - tried[1] < TOO_OLD}
        tries, again = self._tries.get(session.id, (0, 0.0))
        if now >= again and self._consider(session):
            self._tries[session.id] = (tries + 1, now + min(LONGEST_WAIT, SHORTEST_WAIT * 3**tries))

    async def _end(self, id: str, reason: str) -> None:
        owner, ttl = self._supervisor.id, self._supervisor.server.lease_ttl
        try:
            await self._store.end(await self._store.claim(id, owner=owner, ttl=ttl), reason)
        except StoreError as error:
            logger.info("session %s could not be ended: %s", id, error)
        else:
            logger.warning("session %s has ended: %s", id, reason)

    async def adopt(self, id: str) -> bool:
        """Go on with this session now, which its worker has let go of. False: it cannot. Raises ``StoreError``."""
        if self._supervisor.admission.draining or not self._supervisor.ready:
            return False
        found = [session for session in await self._store.sessions("orphaned") if session.id == id]
        return bool(found) and self._consider(found[0], given=True)

    def _consider(self, session: StoredSession, *, given: bool = False) -> bool:
        supervisor = self._supervisor
        known = {job.line for job in supervisor.jobs.values()}
        if session.id in known or session.remaining < -TOO_OLD or not self._ours(session):
            return False
        engine = supervisor.engine_of(session.about["agent_name"])
        try:
            job = JobRecord.stored(session, engine, now=asyncio.get_running_loop().time())
        except (msgspec.MsgspecError, KeyError):
            return False
        if job.offer.id in supervisor.jobs or not supervisor.pool.room():
            return False
        if given:
            job.released, job.died = job.died, None
        supervisor.table.adopt(job)
        return True

    def _ours(self, session: StoredSession) -> bool:
        """A job of an entrypoint that this worker has, from where its jobs come."""
        named = session.about.get("agent_name") in self._supervisor.server.entrypoints
        return named and self._supervisor.dispatch.serves(session)
