"""The agent processes of a worker: how many there are, and which one serves a job.

Sessions are packed: a process takes calls until it is full, so that the others stay free to take over. Owns: starting and ending
processes. Never: jobs.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress

from antiphon.errors import ConfigurationError
from antiphon.worker import agent_messages as m
from antiphon.worker.agent_child import EXIT_WITHIN, AgentChild
from antiphon.worker.load import LAG_FULL
from antiphon.worker.server import AgentServer

logger = logging.getLogger("antiphon")

MOST_FAILURES = 3
"""Starts in a row that may fail before any succeeded."""
LONGEST_WAIT = 30.0


class AgentPool:
    """``take``: gets every message of every process. ``lost``: a process is gone, with the jobs that are in its ``jobs``. ``durable``: whether
    sessions run that can be taken over. ``owner``: see ``Welcome``."""

    def __init__(
        self,
        server: AgentServer,
        *,
        owner: str,
        take: Callable[[AgentChild, m.AnyFromAgent], object],
        lost: Callable[[AgentChild], object],
        durable: Callable[[], bool],
    ) -> None:
        self.children: list[AgentChild] = []
        self.fault: ConfigurationError | None = None
        """Why no process can be had."""
        self._server, self._owner = server, owner
        self._take, self._lost, self._durable = take, lost, durable
        self._failures = 0
        self._broken = False
        """The program as it is now does not start."""
        self._ever_ready = False
        self._closing = False
        self._empty = asyncio.Event()
        self._starting: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None

    # --- who serves ----------------------------------------------------------------------------------------------------

    def place(self) -> AgentChild | None:
        """For a new job: the fullest process that has room, or an empty one where another may work."""
        busy = [child for child in self._open() if child.jobs and self._room(child)]
        quick = [child for child in busy if child.beat.lag < LAG_FULL]
        if not quick and len([child for child in self._living() if child.jobs]) < self._server.processes:
            quick = [child for child in self._open() if not child.jobs]
        return max(quick or busy, key=lambda child: len(child.jobs), default=None)

    def refuge(self, *, alone: bool) -> AgentChild | None:
        """For a job that is taken over: an empty process, else (unless it has to be ``alone``) the one with most room."""
        free = sorted((child for child in self._open() if self._room(child)), key=lambda child: len(child.jobs))
        if not free or (alone and free[0].jobs):
            return None
        return free[0]

    def room(self) -> int:
        """New jobs that could begin now."""
        ready = self._open()
        busy = [child for child in ready if child.jobs]
        empty = len(ready) - len(busy)
        more = max(0, self._server.processes - len([child for child in self._living() if child.jobs]))
        slots = self._server.sessions_a_process
        return sum(self._room(child) for child in busy) + min(empty, more) * slots

    @property
    def ready(self) -> bool:
        return bool(self._open())

    def _living(self) -> list[AgentChild]:
        return [child for child in self.children if not child.retiring]

    def _open(self) -> list[AgentChild]:
        """Those that may be given a job: of the program as it is now, where one is ready."""
        found = [child for child in self._living() if child.ready and not child.alone]
        return [child for child in found if not child.old] or found

    def _room(self, child: AgentChild) -> int:
        return max(0, self._server.sessions_a_process - len(child.jobs))

    # --- how many ------------------------------------------------------------------------------------------------------

    def renew(self) -> None:
        """The program has changed: start a process of it as it is now. When that is ready the others are ``old``."""
        for child in self.children:
            child.old = True
            if not child.ready:
                child.kill("the program has changed")
        self._failures, self._broken = 0, False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._start()

    def fill(self, wanted: int = 0) -> None:
        """Start what is missing: an idle process for the next call or takeover; let go of what is too much. ``wanted``: takeovers that
        wait for a process."""
        if self._closing or self.fault is not None or self._timer is not None:
            return
        if self._broken and self.ready:
            return
        server, living = self._server, self._living()
        busy = [child for child in living if child.jobs]
        empty = len(living) - len(busy)
        if server.isolation == "process":
            idle = min(server.idle_processes, server.processes - len(busy))
        else:
            free = sum(self._room(child) for child in busy if not child.alone)
            crowded = free < max(1, server.max_sessions // 4) and len(busy) < server.processes
            idle = max(int(crowded or not busy), int(self._durable()))
        for _ in range(max(idle, wanted) - empty):
            self._start()
        spare = [child for child in self._open() if not child.jobs]
        for child in spare[max(idle, wanted) + 1 :]:
            child.retire()

    def _start(self) -> None:
        child = AgentChild(self._said, self._gone)
        self.children.append(child)
        task = asyncio.get_running_loop().create_task(self._launch(child), name="start an agent process")
        self._starting.add(task)
        task.add_done_callback(self._starting.discard)

    async def _launch(self, child: AgentChild) -> None:
        if child.how:  # ended before it began
            self._gone(child)
            return
        try:
            await child.start()
        except OSError as error:
            logger.error("no agent process can be started: %s", error)
            self._gone(child)
            return
        child.send(m.Welcome(owner=self._owner))

    def _said(self, child: AgentChild, message: m.AnyFromAgent) -> None:
        if isinstance(message, m.Ready):
            child.ready = self._ever_ready = True
            if not child.old:
                self._failures, self._broken = 0, False
        elif isinstance(message, m.Beat):
            child.beat = message
        elif isinstance(message, m.CannotStart) and not self._ever_ready:
            self.fault = ConfigurationError(message.message, hint=message.hint)
        self._take(child, message)

    def _gone(self, child: AgentChild) -> None:
        self.children.remove(child)
        if not self.children:
            self._empty.set()
        if not child.ready and not self._closing and not child.old:
            if self.ready and all(each.old for each in self._open()):
                if not self._broken:
                    logger.error("the changed program does not start: the one before goes on until it changes again")
                self._broken = True
            else:
                self._failed()
        self._lost(child)

    def _failed(self) -> None:
        """A process ended before it was ready: the next one waits."""
        self._failures += 1
        if self._failures >= MOST_FAILURES and not self._ever_ready and self.fault is None:
            self.fault = ConfigurationError(
                "The agent processes end as they start.", hint="What they printed above says why."
            )
        if self._timer is None:
            wait = min(LONGEST_WAIT, 0.5 * 2 ** (self._failures - 1))
            self._timer = asyncio.get_running_loop().call_later(wait, self._again)

    def _again(self) -> None:
        self._timer = None
        self.fill()

    # --- the end -------------------------------------------------------------------------------------------------------

    async def aclose(self) -> None:
        """Let all end, at most ``EXIT_WITHIN`` seconds; then they are killed. One that still gets ready is killed at once."""
        self._closing = True
        if self._timer is not None:
            self._timer.cancel()
        for child in self.children:
            child.retire()
            if not child.ready:
                child.kill("the worker ends")
        await self._until_empty(EXIT_WITHIN)
        for child in self.children:
            child.kill("it did not exit")
        await self._until_empty(2.0)

    async def _until_empty(self, seconds: float) -> None:
        if self.children:
            self._empty.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._empty.wait(), seconds)
