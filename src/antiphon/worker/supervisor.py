"""An ``AgentServer`` at work: the process that the user started. It has the engines and keeps the media process and the agent processes;
it runs no entrypoint, so that it lives when one of those dies, and another goes on with the dead one's calls.

Lives on the core's lane; on the user's there is ``on_request`` alone.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
import uuid
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from antiphon.errors import AntiphonError, ConfigurationError, StoreError
from antiphon.session.lanes import Lane
from antiphon.worker import agent_messages as m
from antiphon.worker import runtime_directory
from antiphon.worker.admission import Admission
from antiphon.worker.agent_child import AgentChild
from antiphon.worker.agent_pool import AgentPool
from antiphon.worker.counts import WorkerCounts
from antiphon.worker.dispatch import Dispatch
from antiphon.worker.engine import Assignment, Engine, Pages
from antiphon.worker.hand_overs import HandOvers
from antiphon.worker.job_record import JobRecord
from antiphon.worker.media_keeper import MediaKeeper
from antiphon.worker.orphan_scan import OrphanScan
from antiphon.worker.registration import Registration
from antiphon.worker.server import AgentServer
from antiphon.worker.store_choice import open_store
from antiphon.worker.watchdog import LOOK_EVERY, Watchdog

if TYPE_CHECKING:
    from antiphon.models.store import SessionStore

logger = logging.getLogger("antiphon")

CLOSE_WITHIN = 10.0
"""Seconds that calls have to end when they are ended."""
CRASH_LOOP = "crash loop"
"""Why a session ended that made one process after the other crash."""
LINE_LOST = "line lost"
"""Why one ended whose caller cannot be reached any more."""

Progress = Callable[[str, str, float], object]


class Supervisor:
    """``start``, then ``drain``, then ``aclose``. ``user``: the lane of ``on_request``. ``progress``: told of models that are loaded: kind, name,
    seconds (negative: now)."""

    def __init__(self, server: AgentServer, dispatch: Dispatch, user: Lane, progress: Progress) -> None:
        if not server.entrypoints:
            raise ConfigurationError("This server has no entrypoint.", hint="Decorate one with @server.rtc_session().")
        server.check()
        self.server, self.dispatch = server, dispatch
        self.id = f"worker-{uuid.uuid4().hex[:12]}"
        """Owner of its sessions in the store."""
        self.jobs: dict[str, JobRecord] = {}
        self.counts = WorkerCounts()
        self.pool = AgentPool(
            server,
            owner=self.id,
            take=self._said,
            lost=self._lost,
            durable=lambda: any(map(_durable, self.jobs.values())),
        )
        self.admission = Admission(server, self.pool, user, lambda: len(self.jobs), self.changed)
        self.registrations: list[Registration] = []
        self.folder = runtime_directory.make()
        self.media = MediaKeeper(self.folder, own=server.plane == "process")
        self.fault: ConfigurationError | None = None
        """Why it cannot go on."""
        self.store: SessionStore | None = None
        self.orphans: OrphanScan | None = None
        self._progress = progress
        self._watchdog = Watchdog(server.hang_timeout, server.memory_limit)
        self._tasks: set[asyncio.Future[Any]] = set()
        self._engines: list[asyncio.Future[Any]] = []
        self._changed = asyncio.Event()
        self.hand_overs = HandOvers(self)

    @property
    def ready(self) -> bool:
        """An agent process takes jobs."""
        return self.pool.ready and self.media.alive

    @property
    def registered(self) -> bool:
        return all(each.worker_id for each in self.registrations)

    # --- from start to end ---------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Open the store, register with the dispatcher, start the processes. Raises ``AntiphonError``."""
        if self.server.store is not None:
            self.store = open_store(self.server.store)
        self.pool.fill()
        for name in self.dispatch.names(self.server.entrypoints):
            registration = Registration(self, name, self.dispatch.engine)
            self.registrations.append(registration)
            self._engines.append(self._spawn(self._run(registration.engine)))
        await self.media.start()
        self.dispatch.start(self.media.plane)
        self._spawn(self.admission.meter.run())
        self._spawn(self._watch())
        if self.store is not None:
            self.orphans = OrphanScan(self, self.store)
            self._spawn(self.orphans.run())
        self.changed()

    async def drain(self) -> None:
        """Take no more jobs; hand those over that another worker can go on with, and wait for the others, at most ``drain_timeout``
        seconds."""
        self.admission.draining = True
        self.changed()
        await self.hand_overs.to_another_worker()
        await self._until_idle(self.server.drain_timeout)

    async def aclose(self) -> None:
        """End what runs, each after what is being said; leave the server; leave nothing behind."""
        self.admission.draining = True
        for id in list(self.jobs):
            self.end(id, "job_shutdown", drain=True)
        await self._until_idle(CLOSE_WITHIN)
        for registration in self.registrations:
            await registration.engine.aclose()
        await self.pool.aclose()
        if self._engines:
            await asyncio.wait(self._engines, timeout=0.5)
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.media.aclose(stays=self.hand_overs.left)
        if self.store is not None:
            await self.store.aclose()
        if not self.hand_overs.left:
            shutil.rmtree(self.folder, ignore_errors=True)

    async def _until_idle(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        while self.jobs and (left := until - loop.time()) > 0:
            with suppress(TimeoutError):
                await asyncio.wait_for(self.wait_changed(), left)

    def changed(self) -> None:
        """Tell the load, and wake those who wait for something."""
        for registration in self.registrations:
            registration.engine.load_changed()
        self._changed.set()
        self._changed = asyncio.Event()

    async def wait_changed(self) -> None:
        await self._changed.wait()

    def _spawn(self, work: Awaitable[object]) -> asyncio.Future[Any]:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Future[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("a part of the supervisor failed", exc_info=error)

    async def _run(self, engine: Engine) -> None:
        try:
            await engine.run()
        except ConfigurationError as error:
            self.fault = error
            self.changed()

    async def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            self._watchdog.look(self.pool.children, loop.time())
            self.fault = self.fault or self.pool.fault
            if self.fault is not None:
                self.changed()
            if not self.media.alive:
                try:
                    await self.media.start()
                    self.dispatch.start(self.media.plane)
                    self._give_waiting()
                except AntiphonError as error:
                    logger.error("%s", error)
            self._fill()
            await asyncio.sleep(LOOK_EVERY)

    # --- jobs ----------------------------------------------------------------------------------------------------------

    def assigned(self, assignment: Assignment, registration: Registration) -> None:
        """A new job is ours."""
        job = JobRecord.assigned(
            assignment,
            registration.name,
            registration.engine,
            media=self.media.path,
            durable=self.store is not None,
            now=asyncio.get_running_loop().time(),
        )
        self.jobs[job.offer.id] = job
        self.counts.taken += 1
        registration.engine.report(job.offer.id, "running")
        self.admission.settled(assignment.offer)
        logger.info("job %s%s", job.offer.id, f" in room {job.offer.room}" if job.offer.room else "")
        self.give(job)

    def adopt(self, job: JobRecord) -> None:
        """Go on with a session of a supervisor that is gone."""
        self.jobs[job.offer.id] = job
        if job.released is None:
            logger.warning("session %s has no owner any more: it is taken over", job.line)
        self.give(job)

    def engine_of(self, agent_name: str) -> Engine | None:
        """Who speaks with the dispatcher for jobs of this name."""
        return next((each.engine for each in self.registrations if each.name == agent_name), None)

    def end(self, id: str, reason: str, *, drain: bool = False) -> None:
        """End a job."""
        job = self.jobs.get(id)
        if job is None:
            return
        job.ending = reason
        if job.child is None:
            self._spawn(self._give_up(job, reason))
        else:
            job.child.send(m.End(job=id, reason=reason, drain=drain))

    def give(self, job: JobRecord) -> None:
        """To a process that has room for it; to the next that has, where there is none now."""
        if not self.media.alive:
            job.child = None
            return
        again = job.resume or job.attach
        child = self.pool.refuge(alone=job.crashes.suspect) if again else self.pool.place()
        if child is not None:
            job.child = child
            child.jobs.add(job.offer.id)
            child.alone = child.alone or job.crashes.suspect
            child.send(job.take())
            if job.ending:
                child.send(m.End(job=job.offer.id, reason=job.ending))
        self._fill()

    def _fill(self) -> None:
        waiting = [job for job in self.jobs.values() if job.child is None]
        self.pool.fill(len(waiting) if any(job.crashes.suspect for job in waiting) else min(1, len(waiting)))

    def _give_waiting(self) -> None:
        for job in [job for job in self.jobs.values() if job.child is None]:
            self.give(job)

    def _over(self, job: JobRecord, reason: str) -> None:
        self.jobs.pop(job.offer.id, None)
        self._leave(job)
        if job.ours:
            self.media.close_line(job.line, job.media)
            if job.engine is not None:
                job.engine.report(job.offer.id, "failed" if job.failed else "success", job.failed)
            self.counts.failed += bool(job.failed)
        logger.info("job %s is over: %s", job.offer.id, reason or "done")
        self.changed()

    def _leave(self, job: JobRecord) -> None:
        """Its process has one call less."""
        child, job.child = job.child, None
        if child is None:
            return
        child.jobs.discard(job.offer.id)
        if not child.jobs:
            child.alone = False
            if child.old or self.server.isolation == "process":
                child.retire()
        self._fill()

    # --- what agent processes say ----------------------------------------------------------------------------------------

    def _said(self, child: AgentChild, message: m.AnyFromAgent) -> None:
        match message:
            case m.Progress():
                self._progress(message.model_kind, message.model, message.seconds)
            case m.CannotStart():
                logger.error("an agent process cannot start: %s", message.message)
            case m.Ready():
                self._give_waiting()
                if not child.old:
                    self.hand_overs.retire_old()
                self.changed()
            case m.Running() | m.NoLine() | m.Shown() | m.Failed() | m.Released() | m.Gone():
                job = self.jobs.get(message.job)
                if job is not None and job.child is child:
                    self._about(job, message)
            case _:
                return

    def _about(self, job: JobRecord, message: m.Running | m.NoLine | m.Shown | m.Failed | m.Released | m.Gone) -> None:
        match message:
            case m.Running():
                job.running = job.ours = True
                if job.died is not None:
                    self._taken_over(job)
                elif job.released is not None:
                    self.hand_overs.arrived(job)
            case m.NoLine():
                self._leave(job)
                if self._by_a_new_line(job):
                    self.give(job)
            case m.Shown():
                if isinstance(job.engine, Pages):
                    job.engine.show(job.offer.id, message.text)
            case m.Failed():
                job.failed = job.failed or message.error
            case m.Released():
                self._leave(job)
                self._spawn(self.hand_overs.released(job))
            case m.Gone():
                if job.safe:
                    job.failed = job.failed or CRASH_LOOP
                self._over(job, message.reason)
                self._give_waiting()

    def _taken_over(self, job: JobRecord) -> None:
        assert job.died is not None and job.child is not None
        seconds = asyncio.get_running_loop().time() - job.died
        job.died = None
        job.takeovers += 1
        self.counts.took_over(seconds)
        logger.warning("session %s goes on in process %d after %.2f s", job.line, job.child.pid, seconds)

    def _by_a_new_line(self, job: JobRecord) -> bool:
        """Its old line is gone. False: the call is over with it."""
        beside = self.dispatch.rejoin(job, self.media.path)
        if beside is None:
            self._spawn(self._give_up(job, LINE_LOST))
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
            self._orphaned(job, now)
        self._fill()
        self.changed()

    def _orphaned(self, job: JobRecord, now: float) -> None:
        job.attach = bool(job.media)
        if not job.running:
            if job.attach or self._by_a_new_line(job):
                self._crashed(job, now)
            return
        if not job.durable:
            job.failed = "The agent's process died. With a store, another one would have gone on."
            self._over(job, "process died")
            return
        job.resume = True
        self._crashed(job, now)

    def _crashed(self, job: JobRecord, now: float) -> None:
        job.died = now if job.died is None else job.died
        if job.safe:
            job.failed = job.failed or CRASH_LOOP
            self._spawn(self._give_up(job, CRASH_LOOP))
            return
        job.crashes.note(now)
        if job.crashes.exceeded:
            logger.error("session %s made process after process crash: it is served by the safe entrypoint", job.line)
            self.counts.crash_looped += 1
            job.safe = True
        if job.attach or not job.resume or self._by_a_new_line(job):
            self.give(job)

    async def _give_up(self, job: JobRecord, reason: str) -> None:
        """Nothing more can be done for it: no process has it, and none shall, nor may anybody else go on with it."""
        job.failed = job.failed or reason
        if self.store is not None and job.durable:
            with suppress(StoreError):
                lease = await self.store.claim(job.line, owner=self.id, ttl=3.0)
                await self.store.end(lease, reason)
        self._over(job, reason)


def _durable(job: JobRecord) -> bool:
    return job.durable
