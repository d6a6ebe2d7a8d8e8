"""An ``AgentServer`` at work: takes jobs from its engines, many sessions in this process, and ends them in order.

Engines, lines and this class run on the core's lane; entrypoints on the user's.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Awaitable
from importlib import import_module
from typing import Any

from antiphon.errors import AudioError, ConfigurationError
from antiphon.session.lanes import Lane
from antiphon.worker.engine import Acceptance, Assignment, Engine, JobOffer, Load, Refusal
from antiphon.worker.load import LoadMeter
from antiphon.worker.room_job import RoomJobContext, RoomLine
from antiphon.worker.runtime import default_runtime
from antiphon.worker.served_job import Entrypoint, ServedJob
from antiphon.worker.server import AgentServer, LiveKitServer

logger = logging.getLogger("antiphon")

CLOSE_WITHIN = 10.0
"""Seconds that calls have to end when they are ended."""


class _Job:
    """One job on this worker: its line, and its end on the user's lane."""

    def __init__(self, line: RoomLine, served: ServedJob, engine: Engine) -> None:
        self.line, self.served, self.engine = line, served, engine
        self.failed = ""


class RunningServer:
    """An ``AgentServer`` at work: ``start``, then ``drain``, then ``aclose``. ``user``: the lane of the entrypoints."""

    def __init__(self, server: AgentServer, livekit: LiveKitServer, user: Lane) -> None:
        if not server.entrypoints:
            raise ConfigurationError("This server has no entrypoint.", hint="Decorate one with @server.rtc_session().")
        self.server, self.livekit, self.user = server, livekit, user
        self.meter = LoadMeter()
        self.jobs: dict[str, _Job] = {}
        self.taken = self.refused = self.failed = 0
        """Jobs since the start."""
        self.workers: dict[str, str] = {}
        """Worker id by agent name, of those that are registered."""
        self.draining = False
        self.ready = False
        """Models are loaded: jobs are taken."""
        self._core = default_runtime().core
        self._plane: Any = None
        self._promised: set[str] = set()
        self._engines: dict[str, Engine] = {}
        self._running: list[asyncio.Task[None]] = []
        self._changed = asyncio.Event()
        self.fault: ConfigurationError | None = None
        """Why an engine gave up."""

    # --- on the core's lane --------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Start the plane, then register with the server."""
        self._plane = await default_runtime().plane(self.server.plane)
        self._running.append(asyncio.create_task(self.meter.run(), name="load"))
        make = import_module("antiphon.worker.livekit_engine").LiveKitEngine
        for name, entrypoint in self.server.entrypoints.items():
            worker = _Registration(self, name, entrypoint)
            at = self.livekit
            engine = worker.engine = make(worker, url=at.url, key=at.key, secret=at.secret, agent_name=name)
            self._engines[name] = engine
            self._running.append(asyncio.create_task(self._run(engine), name=f"engine {name}"))

    async def _run(self, engine: Engine) -> None:
        try:
            await engine.run()
        except ConfigurationError as error:
            self.fault = error
            self.changed()

    def opened(self) -> None:
        """The models are loaded: take jobs."""
        self.ready = True
        self.load_changed()

    def load(self) -> Load:
        """What the server is told."""
        jobs = len(self.jobs) + len(self._promised)
        value = min(1.0, max(self.meter.value / self.server.load_threshold, jobs / self.server.max_sessions))
        open = self.ready and not self.draining and value < 1.0
        return Load(value=value, jobs=len(self.jobs), open=open, draining=self.draining)

    def load_changed(self) -> None:
        for engine in self._engines.values():
            engine.load_changed()
        self.changed()

    def changed(self) -> None:
        """Wake those who wait for something."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def wait_changed(self) -> None:
        await self._changed.wait()

    async def offered(self, offer: JobOffer) -> Acceptance | Refusal:
        """Take a job or not."""
        if not self.load().open:
            self.refused += 1
            return Refusal()
        self._promised.add(offer.id)
        self.load_changed()
        answer = await self._ask(offer) if self.server.on_request is not None else None
        if isinstance(answer, Refusal):
            self.refused += 1
            self.withdrawn(offer)
            return answer
        return answer or Acceptance(identity=f"agent-{offer.id}")

    async def _ask(self, offer: JobOffer) -> Acceptance | Refusal | None:
        """The user's own decision, on the user's lane."""

        async def decide() -> Acceptance | Refusal | None:
            assert self.server.on_request is not None
            answer = self.server.on_request(offer)
            return await answer if isinstance(answer, Awaitable) else answer

        try:
            future = asyncio.run_coroutine_threadsafe(decide(), self.user.loop)
            return await asyncio.wrap_future(future)
        except Exception:
            logger.exception("on_request raised: job %s is refused", offer.id)
            return Refusal()

    def withdrawn(self, offer: JobOffer) -> None:
        self._promised.discard(offer.id)
        self.load_changed()

    def assigned(self, assignment: Assignment, engine: Engine, entrypoint: Entrypoint) -> None:
        """Join the room and start the entrypoint."""
        offer = assignment.offer
        self._promised.discard(offer.id)
        line = RoomLine(
            f"{offer.id}-{uuid.uuid4().hex[:6]}", assignment, plane=self._plane, core=self._core, user=self.user
        )
        context = RoomJobContext(
            offer,
            line.room,
            line,
            (self.livekit.url, self.livekit.key, self.livekit.secret),
            id=line.line.line,
            leg=line.leg,
            plane=line.line,
            metadata=offer.metadata,
        )
        served = ServedJob(
            context,
            entrypoint,
            failed=lambda error: self._core.post(self._job_failed, offer.id, error),
            gone=lambda reason: self._core.post(self._job_gone, offer.id, reason),
        )
        job = self.jobs[offer.id] = _Job(line, served, engine)
        try:
            line.open()
        except AudioError as error:
            self._job_failed(offer.id, error)
            self._job_gone(offer.id, "error")
            return
        self.taken += 1
        engine.report(offer.id, "running")
        self.load_changed()
        logger.info("job %s in room %s", offer.id, offer.room)
        self.user.post(job.served.begin)

    def _job_failed(self, id: str, error: Exception) -> None:
        self.failed += 1
        self.jobs[id].failed = f"{type(error).__name__}: {error}"

    def _job_gone(self, id: str, reason: str) -> None:
        job = self.jobs.pop(id)
        job.line.close()
        job.engine.report(id, "failed" if job.failed else "success", job.failed)
        logger.info("job %s is over: %s", id, reason or "done")
        self.load_changed()

    def terminated(self, id: str) -> None:
        """The server ends the job."""
        if id in self.jobs:
            self.user.post(self.jobs[id].served.end, "job_terminated")

    async def drain(self) -> None:
        """Take no more jobs, and wait for those that run, at most ``drain_timeout`` seconds: then they are ended, each after
        what is being said."""
        self.draining = True
        self.load_changed()
        loop = asyncio.get_running_loop()
        until = loop.time() + self.server.drain_timeout
        while self.jobs and loop.time() < until:
            await _within(self.wait_changed(), until - loop.time())

    async def aclose(self) -> None:
        """End what runs, leave the server."""
        self.draining = True
        for job in self.jobs.values():
            self.user.post(job.served.end, "job_shutdown", True)
        loop = asyncio.get_running_loop()
        until = loop.time() + CLOSE_WITHIN
        while self.jobs and loop.time() < until:
            await _within(self.wait_changed(), until - loop.time())
        for engine in self._engines.values():
            await engine.aclose()
        await asyncio.wait(self._running, timeout=1.0)
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)


class _Registration:
    """The worker as one engine sees it: one agent name, one entrypoint."""

    engine: Engine

    def __init__(self, server: RunningServer, name: str, entrypoint: Entrypoint) -> None:
        self._server, self._name, self._entrypoint = server, name, entrypoint
        self._complained = False

    def load(self) -> Load:
        return self._server.load()

    async def offered(self, offer: JobOffer) -> Acceptance | Refusal:
        return await self._server.offered(offer)

    def assigned(self, assignment: Assignment) -> None:
        self._server.assigned(assignment, self.engine, self._entrypoint)

    def withdrawn(self, offer: JobOffer) -> None:
        self._server.withdrawn(offer)

    def terminated(self, job: str) -> None:
        self._server.terminated(job)

    def running(self) -> list[str]:
        return [id for id, job in self._server.jobs.items() if job.engine is self.engine]

    def connected(self, worker_id: str) -> None:
        self._complained = False
        self._server.workers[self._name] = worker_id
        logger.info("registered as %s%s", worker_id, f" for {self._name!r}" if self._name else "")
        self._server.changed()

    def disconnected(self, reason: str) -> None:
        self._server.workers.pop(self._name, None)
        if not self._complained:
            self._complained = True
            logger.warning("%s Trying again.", reason)
        self._server.changed()


async def _within(wait: Awaitable[object], seconds: float) -> None:
    try:
        await asyncio.wait_for(wait, seconds)
    except TimeoutError:
        return
