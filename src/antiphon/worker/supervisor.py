"""An ``AgentServer`` at work: the process that the user started. It has the engines and keeps the media process and the agent processes;
it runs no entrypoint, so that it lives when one of those dies, and another goes on with the dead one's calls.

Lives on the core's lane; on the user's there is ``on_request`` alone.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
import uuid
from collections.abc import Awaitable
from contextlib import suppress
from typing import Any

from antiphon.errors import AntiphonError, ConfigurationError
from antiphon.session.lanes import Lane
from antiphon.worker import runtime_directory
from antiphon.worker.admission import Admission
from antiphon.worker.dispatch import Dispatch
from antiphon.worker.engine import Engine
from antiphon.worker.hand_overs import HandOvers
from antiphon.worker.job_table import SHUTDOWN, JobTable, Progress
from antiphon.worker.media_keeper import MediaKeeper
from antiphon.worker.orphan_scan import OrphanScan
from antiphon.worker.registration import Registration
from antiphon.worker.retention import forget_ended
from antiphon.worker.server import AgentServer
from antiphon.worker.store_choice import open_store
from antiphon.worker.watchdog import LOOK_EVERY, Watchdog

logger = logging.getLogger("antiphon")

CLOSE_WITHIN = 10.0
"""Seconds that calls have to end when they are ended."""


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
        self.folder = runtime_directory.make()
        self.media = MediaKeeper(self.folder, room=server.sessions_per_media_process, own=server.plane == "process")
        self.table = JobTable(
            server,
            dispatch,
            self.media,
            owner=self.id,
            changed=self.changed,
            spawn=self._spawn,
            progress=progress,
        )
        self.hand_overs = HandOvers(self)
        self.table.hand_overs = self.hand_overs
        self.orphans: OrphanScan | None = None
        self.jobs, self.pool, self.counts = self.table.jobs, self.table.pool, self.table.counts
        self.admission = Admission(server, self.pool, user, lambda: len(self.jobs), self.changed)
        self.registrations: list[Registration] = []
        self.fault: ConfigurationError | None = None
        """Why it cannot go on."""
        self._watchdog = Watchdog(server.hang_timeout, server.memory_limit)
        self._tasks: set[asyncio.Future[Any]] = set()
        self._media_start: asyncio.Future[Any] | None = None
        self._engines: list[asyncio.Future[Any]] = []
        self._changed = asyncio.Event()

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
            self.table.store = open_store(self.server.store)
        self.pool.fill()
        for name in self.dispatch.names(self.server.entrypoints):
            registration = Registration(self, name, self.dispatch.engine)
            self.registrations.append(registration)
            self._engines.append(self._spawn(self._run(registration.engine)))
        await self.media.start()
        self.dispatch.start(*self.media.newest)
        self._spawn(self.admission.meter.run())
        self._spawn(self._watch())
        if self.table.store is not None:
            self.orphans = OrphanScan(self, self.table.store)
            self._spawn(self.orphans.run())
            if self.server.keep_ended is not None:
                self._spawn(forget_ended(self.table.store, self.server.keep_ended))
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
            self.table.end(id, SHUTDOWN, drain=True)
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
        if self.table.store is not None:
            await self.table.store.aclose()
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
        while True:
            try:
                self._look(asyncio.get_running_loop().time())
            except Exception:
                logger.exception("the supervisor goes on watching")
            await asyncio.sleep(LOOK_EVERY)

    def _look(self, now: float) -> None:
        self._watchdog.look(self.pool.children, now)
        self.fault = self.fault or self.pool.fault
        if self.fault is not None:
            self.changed()
        starts = self._media_start is not None and not self._media_start.done()
        if not starts and self.media.wanting(self.table.lines()):
            self._media_start = self._spawn(self._another_media_process())
        self.table.look(now)

    async def _another_media_process(self) -> None:
        try:
            await self.media.start()
        except AntiphonError as error:
            logger.error("%s", error)
            return
        self.dispatch.start(*self.media.newest)
        self.table.give_waiting()

    def engine_of(self, agent_name: str) -> Engine | None:
        """Who speaks with the dispatcher for jobs of this name."""
        return next((each.engine for each in self.registrations if each.name == agent_name), None)
