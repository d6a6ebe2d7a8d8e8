"""A job table whose agent processes, media processes and dispatcher only note what they are told: what happens in which order is the test's
to say."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from antiphon.worker import agent_messages as m
from antiphon.worker import agent_pool
from antiphon.worker.agent_child import AgentChild
from antiphon.worker.engine import Acceptance, Assignment, JobOffer
from antiphon.worker.hand_overs import HandOvers
from antiphon.worker.job_table import JobTable
from antiphon.worker.server import AgentServer


class Child(AgentChild):
    """Never a process."""

    def __init__(self, take: Any, gone: Any) -> None:
        super().__init__(take, gone)
        self.sent: list[m.AnyToAgent] = []

    async def start(self) -> None:
        """Nothing is."""

    def send(self, message: m.AnyToAgent) -> None:
        self.sent.append(message)

    def takes(self) -> list[m.Take]:
        return [message for message in self.sent if isinstance(message, m.Take)]

    def kill(self, how: str) -> None:
        self.how = self.how or how

    def die(self) -> None:
        self._tell()


class Media:
    """``dead``: sockets of media processes that have ended."""

    alive = True

    def __init__(self) -> None:
        self.closed: list[str] = []
        self.dead: set[str] = set()

    def place(self, calls: Mapping[str, int]) -> str:
        return "/run/media-1"

    def lives(self, path: str) -> bool:
        return path not in self.dead

    def close_line(self, line: str, media: str) -> None:
        self.closed.append(line)


class Dispatcher:
    """Engine and dispatch."""

    def __init__(self) -> None:
        self.reports: list[tuple[str, ...]] = []

    def report(self, *said: str) -> None:
        self.reports.append(said)

    def load_changed(self) -> None:
        """Nobody listens."""

    def rejoin(self, job: Any) -> Any:
        job.attach = False
        return asyncio.sleep(0)


async def entrypoint(ctx: Any) -> None:
    """Nobody runs it."""


class Table(JobTable):
    """With a store, unless told otherwise."""

    def __init__(self, patch: pytest.MonkeyPatch, *, store: Any = None, **settings: Any) -> None:
        patch.setattr(agent_pool, "AgentChild", Child)
        server = AgentServer(**{"processes": 2, **settings})
        server.rtc_session(entrypoint)
        self.media, self.dispatcher = Media(), Dispatcher()
        self.tasks: list[Any] = []
        media, dispatcher, spawn = self.media, self.dispatcher, self.spawn
        super().__init__(
            server,
            dispatcher,  # type: ignore[arg-type]
            media,  # type: ignore[arg-type]
            owner="here",
            changed=lambda: None,
            spawn=spawn,
            progress=lambda *said: None,
        )
        self.store = store or SimpleNamespace()
        supervisor: Any = SimpleNamespace(
            jobs=self.jobs, pool=self.pool, table=self, folder=Path("here"), server=server, changed=lambda: None
        )
        self.hand_overs = HandOvers(supervisor)

    def spawn(self, work: Any) -> None:
        self.tasks.append(asyncio.ensure_future(work))

    @property
    def children(self) -> list[Any]:
        return list(self.pool.children)

    def says(self, child: Any, message: m.AnyFromAgent) -> None:
        self.pool._said(child, message)

    def ready(self) -> None:
        """All processes that there are."""
        for child in self.children:
            if not child.ready:
                self.says(child, m.Ready())

    def begin(self, id: str = "J") -> Any:
        """A call runs; returns its process."""
        self.pool.fill()
        self.ready()
        offer = JobOffer(id=id, room="kitchen")
        self.assigned(Assignment(offer, Acceptance("agent"), "ws://here", ""), "", self.dispatcher)  # type: ignore[arg-type]
        child = self.jobs[id].child
        if child is not None:
            self.says(child, m.Running(job=id))
        return child

    def holders(self, id: str) -> list[Any]:
        return [child for child in self.children if id in child.jobs]

    def takes(self, id: str) -> list[m.Take]:
        return [take for child in self.children for take in child.takes() if take.job.id == id]


async def settled() -> None:
    """What was begun has run as far as it can without time."""
    for _ in range(10):
        await asyncio.sleep(0)
