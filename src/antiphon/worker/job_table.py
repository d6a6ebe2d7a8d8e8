"""The jobs of a worker: given to agent processes, given again when one dies, reported when they are over. On the core's lane."""

from __future__ import annotations

import asyncio
import logging
import math
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from antiphon.errors import FencedError, LeaseHeldError, StoreError
from antiphon.models.store import SessionStore
from antiphon.worker import agent_messages as m
from antiphon.worker.agent_child import AgentChild
from antiphon.worker.agent_pool import AgentPool
from antiphon.worker.counts import WorkerCounts
from antiphon.worker.dispatch import Dispatch
from antiphon.worker.engine import Assignment, Engine, Pages
from antiphon.worker.job_record import JobRecord
from antiphon.worker.media_keeper import MediaKeeper
from antiphon.worker.server import AgentServer

if TYPE_CHECKING:
    from antiphon.worker.hand_overs import HandOvers

logger = logging.getLogger("antiphon")

CRASH_LOOP = "crash loop"
"""Why a session ended that made one process after the other crash."""

REJOINING = 20.0
"""Seconds from a new line on in which the old one's participant may still be seen to leave."""

LINE_LOST = "line lost"
"""Why one ended whose caller cannot be reached any more."""

SHUTDOWN = "job_shutdown"
"""Why one ended whose worker was stopped."""

NO_PROCESS = "no process"
"""Why one ended that no process had room for in time."""

WAIT_WITHIN = 60.0
"""Seconds that a job may wait for a process."""

MOST_LINES = 5
"""Lines in a row that may be tried for a call without one that can be had."""

Progress = Callable[[str, str, float], object]


class JobTable:
    """``owner``: of the sessions in the store. ``changed``: called when there are more or fewer jobs. ``spawn``: runs what takes a while.
    ``progress``: told of models that are loaded: kind, name, seconds (negative: now)."""

    def __init__(
        self,
        server: AgentServer,
        dispatch: Dispatch,
        media: MediaKeeper,
        *,
        owner: str,
        changed: Callable[[], object],
        spawn: Callable[[Awaitable[object]], object],
        progress: Progress,
    ) -> None:
        self.jobs: dict[str, JobRecord] = {}
        self.counts = WorkerCounts()
        self.store: SessionStore | None = None
        self.hand_overs: HandOvers | None = None
        self._server, self._dispatch, self._media, self._owner = server, dispatch, media, owner
        self._changed, self._spawn, self._progress = changed, spawn, progress
        self.pool = AgentPool(
            server,
            owner=owner,
            take=self._said,
            lost=self._lost,
            durable=lambda: any(job.durable for job in self.jobs.values()),
        )

    def assigned(self, assignment: Assignment, agent_name: str, engine: Engine) -> None:
        """A new job is ours."""
        job = JobRecord.assigned(
            assignment,
            agent_name,
            engine,
            media=assignment.media,
            durable=self.store is not None,
            now=asyncio.get_running_loop().time(),
        )
        self.jobs[job.offer.id] = job
        self.counts.taken += 1
        engine.report(job.offer.id, "running")
        logger.info("job %s%s", job.offer.id, f" in room {job.offer.room}" if job.offer.room else "")
        self.give(job)

    def adopt(self, job: JobRecord) -> None:
        """Go on with a session of a supervisor that is gone."""
        self.jobs[job.offer.id] = job
        if job.released is None:
            logger.warning("session %s has no owner any more: it is taken over", job.line)
        self.give(job)

    def end(self, id: str, reason: str, *, drain: bool = False) -> None:
        """End a job."""
        job = self.jobs.get(id)
        if job is None:
            return
        job.ending = job.ending or reason
        if job.child is not None:
            job.child.send(m.End(job=id, reason=reason, drain=drain))
        elif job.waiting:
            self.give_up(job, reason)

    def terminated(self, id: str) -> None:
        """The dispatcher ends a job. A LiveKit server does so by itself, too, when it sees the agent's participant leave: while that is
        being replaced by another one it is no order of anybody's. (A room that is closed ends the call by its line.)"""
        job = self.jobs.get(id)
        if job is None:
            return
        now = asyncio.get_running_loop().time()
        if job.durable and (not self._media.lives(job.media) or now - job.rejoined < REJOINING):
            job.rejoined = -math.inf
            logger.info("job %s goes on by a new line: its participant was seen to leave", id)
            return
        self.end(id, "job_terminated")

    def give(self, job: JobRecord) -> None:
        """To a process that has room for it; to the next that has, where there is none now. Not where it is not waiting for one."""
        if self.jobs.get(job.offer.id) is not job or not job.waiting or not self._media.alive:
            return
        if not job.attach:
            job.media = self._media.place(self.lines())
        again = job.died is not None or job.released is not None
        child = self.pool.refuge(alone=job.crashes.suspect) if again else self.pool.place()
        if child is not None:
            job.child, job.waits = child, None
            child.jobs.add(job.offer.id)
            child.alone = child.alone or job.crashes.suspect
            child.send(job.take())
            if job.ending:
                child.send(m.End(job=job.offer.id, reason=job.ending))
        self.fill()

    def lines(self) -> Counter[str]:
        """How many calls each media process has."""
        return Counter(job.media for job in self.jobs.values())

    def fill(self) -> None:
        """Have the processes that are needed."""
        waiting = [job for job in self.jobs.values() if job.waiting]
        self.pool.fill(len(waiting) if any(job.crashes.suspect for job in waiting) else min(1, len(waiting)))

    def give_waiting(self) -> None:
        """To whom has room by now."""
        for job in [job for job in self.jobs.values() if job.waiting]:
            self.give(job)

    def look(self, now: float) -> None:
        """Now and then: who waits is served where there is room, and not for ever."""
        self.give_waiting()
        for job in [job for job in self.jobs.values() if job.waiting]:
            job.waits = now if job.waits is None else job.waits
            if now - job.waits > WAIT_WITHIN:
                job.failed = job.failed or "No agent process had room for it in time."
                self.give_up(job, NO_PROCESS)
        self.fill()

    def _over(self, job: JobRecord, reason: str) -> None:
        if self.jobs.get(job.offer.id) is not job:
            return
        del self.jobs[job.offer.id]
        self._leave(job)
        if job.ours:
            self._media.close_line(job.line, job.media)
            if job.engine is not None:
                job.engine.report(job.offer.id, "failed" if job.failed else "success", job.failed)
            self.counts.failed += bool(job.failed)
        logger.info("job %s is over: %s", job.offer.id, reason or "done")
        self._changed()

    def elsewhere(self, job: JobRecord) -> None:
        """Another owner goes on with it, on the same line and for the same dispatcher: nothing is closed, nothing reported."""
        if self.jobs.get(job.offer.id) is not job:
            return
        del self.jobs[job.offer.id]
        self._leave(job)
        if self.hand_overs is not None:
            self.hand_overs.left = True
        level = logging.INFO if job.released is not None else logging.WARNING
        logger.log(level, "session %s goes on in another worker", job.line)
        self._changed()
        self.give_waiting()

    def _leave(self, job: JobRecord) -> None:
        """Its process has one call less."""
        child, job.child = job.child, None
        if child is None:
            return
        child.jobs.discard(job.offer.id)
        if not child.jobs and (child.old or child.alone or self._server.isolation == "process"):
            child.retire()
        self.fill()

    # --- what agent processes say ----------------------------------------------------------------------------------------

    def _said(self, child: AgentChild, message: m.AnyFromAgent) -> None:
        match message:
            case m.Progress():
                self._progress(message.model_kind, message.model, message.seconds)
            case m.MediaLost():
                child.media_lost = message.media
            case m.CannotStart():
                logger.error("an agent process cannot start: %s", message.message)
            case m.Ready():
                self.give_waiting()
                if self.hand_overs is not None and not child.old:
                    self.hand_overs.retire_old()
                self._changed()
            case m.Running() | m.NoLine() | m.Shown() | m.Failed() | m.Released() | m.Gone() | m.Elsewhere():
                job = self.jobs.get(message.job)
                if job is not None and job.child is child:
                    self._about(job, message)
            case _:
                return

    def _about(self, job: JobRecord, message: m.AnyFromAgent) -> None:
        match message:
            case m.Running():
                job.runs()
                if job.died is not None:
                    self._taken_over(job)
                elif job.released is not None:
                    self._handed_over(job)
            case m.NoLine():
                self._leave(job)
                self._without_line(job)
            case m.Shown():
                if isinstance(job.engine, Pages):
                    job.engine.show(job.offer.id, message.text)
            case m.Failed():
                job.failed = job.failed or message.error
            case m.Released():
                self._released(job)
            case m.Gone():
                if job.safe:
                    job.failed = job.failed or CRASH_LOOP
                self._over(job, message.reason)
                self.give_waiting()
            case m.Elsewhere():
                self.elsewhere(job)

    def _released(self, job: JobRecord) -> None:
        job.let_go(asyncio.get_running_loop().time())
        job.moving = self.hand_overs is not None and not job.ending
        self._leave(job)
        if job.ending:
            self.give_up(job, job.ending)
        elif self.hand_overs is not None:
            self._spawn(self.hand_overs.released(job))
        self.give_waiting()

    def _without_line(self, job: JobRecord) -> None:
        """At once by another line; where that cannot be had either, a little later."""
        job.lines_tried += 1
        if job.lines_tried > MOST_LINES:
            job.failed = job.failed or LINE_LOST
            self.give_up(job, LINE_LOST)
        elif self._by_a_new_line(job) and job.lines_tried == 1:
            self.give(job)

    def _taken_over(self, job: JobRecord) -> None:
        assert job.died is not None and job.child is not None
        seconds = asyncio.get_running_loop().time() - job.died
        job.died = None
        job.takeovers += 1
        self.counts.took_over(seconds)
        logger.warning("session %s goes on in process %d after %.2f s", job.line, job.child.pid, seconds)

    def _handed_over(self, job: JobRecord) -> None:
        assert job.released is not None and job.child is not None
        seconds = asyncio.get_running_loop().time() - job.released
        job.released = None
        self.counts.handed_over(seconds)
        logger.info("session %s was handed over to process %d within %.2f s", job.line, job.child.pid, seconds)

    def _by_a_new_line(self, job: JobRecord) -> bool:
        """Its old line is gone. False: the call is over with it."""
        job.rejoined = asyncio.get_running_loop().time()
        beside = self._dispatch.rejoin(job)
        if beside is None:
            job.failed = job.failed or LINE_LOST
            self.give_up(job, LINE_LOST)
            return False
        self._spawn(beside)
        return True

    # --- when one dies -------------------------------------------------------------------------------------------------

    def _lost(self, child: AgentChild) -> None:
        """An agent process is gone: others go on with its sessions, at once."""
        jobs = [self.jobs[id] for id in sorted(child.jobs) if id in self.jobs]
        if jobs:
            self.counts.died += 1
            logger.error("agent process %d is gone with %d calls", child.pid, len(jobs))
        now = asyncio.get_running_loop().time()
        for job in jobs:
            job.child = None
            self._orphaned(job, now, blameless=bool(child.media_lost))
        self.fill()
        self._changed()

    def _orphaned(self, job: JobRecord, now: float, *, blameless: bool) -> None:
        """``blameless``: its process did not die by what runs in it."""
        if job.running and not job.durable:
            job.failed = "The agent's process died. With a store, another one would have gone on."
            self._over(job, "process died")
            return
        job.died = now if job.died is None else job.died
        if job.safe:
            job.failed = job.failed or CRASH_LOOP
            self.give_up(job, CRASH_LOOP)
            return
        if not blameless:
            self._count_crash(job, now)
        job.resume = job.running
        job.attach = bool(job.media) and self._media.lives(job.media)
        if job.attach or self._by_a_new_line(job):
            self.give(job)

    def _count_crash(self, job: JobRecord, now: float) -> None:
        job.crashed(now)
        if job.crashes.exceeded:
            logger.error("session %s made process after process crash: it is served by the safe entrypoint", job.line)
            self.counts.crash_looped += 1
            job.safe = True

    def give_up(self, job: JobRecord, reason: str) -> None:
        """No process has it, and none shall: nobody else may go on with it either."""
        if not job.closing and self.jobs.get(job.offer.id) is job:
            job.closing = True
            self._spawn(self._give_up(job, reason))

    async def theirs(self, job: JobRecord) -> bool:
        """Whether another owner has it. Where nobody has, this worker does now."""
        try:
            if self.store is not None:
                await self.store.claim(job.line, owner=self._owner, ttl=self._server.lease_ttl)
        except LeaseHeldError:
            return True
        except StoreError as error:
            logger.warning("who owns session %s cannot be asked: %s", job.line, error)
        return False

    async def _give_up(self, job: JobRecord, reason: str) -> None:
        if self.store is not None and job.durable:
            try:
                lease = await self.store.claim(job.line, owner=self._owner, ttl=3.0)
                await self.store.end(lease, reason)
            except (LeaseHeldError, FencedError):
                self.elsewhere(job)
                return
            except StoreError as error:
                if error.reason not in ("unknown", "ended"):
                    logger.warning("the end of session %s could not be stored: %s", job.line, error)
        self._over(job, reason)
