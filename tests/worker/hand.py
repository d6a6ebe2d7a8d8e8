"""A worker that notes what its engine tells it, and stories of one engine at a dispatcher, on the virtual clock."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from antiphon.testing import loop as virtual
from antiphon.worker.engine import Acceptance, Assignment, JobOffer, Load, Refusal
from antiphon.worker.livekit_engine import LiveKitEngine
from tests.worker.dispatcher import KEY, SECRET, Dispatcher, dispatcher


class Hand:
    """A worker that notes what its engine tells it. ``answer``: to each offer."""

    def __init__(self) -> None:
        self.answer: Callable[[JobOffer], Acceptance | Refusal] = lambda offer: Acceptance(f"agent-{offer.id}")
        self.jobs: list[str] = []
        self.open = True
        self.log: list[Any] = []
        self._news = asyncio.Event()

    def load(self) -> Load:
        return Load(0.5, len(self.jobs), open=self.open)

    async def offered(self, offer: JobOffer) -> Acceptance | Refusal:
        self.tell("offered", offer)
        return self.answer(offer)

    def assigned(self, assignment: Assignment) -> None:
        self.tell("assigned", assignment)

    def withdrawn(self, offer: JobOffer) -> None:
        self.tell("withdrawn", offer.id)

    def terminated(self, job: str) -> None:
        self.tell("terminated", job)

    def running(self) -> list[str]:
        return self.jobs

    def connected(self, worker_id: str) -> None:
        self.tell("connected", worker_id)

    def disconnected(self, reason: str) -> None:
        self.tell("disconnected", reason)

    def tell(self, what: str, about: Any) -> None:
        self.log.append((what, about))
        self._news.set()
        self._news = asyncio.Event()

    async def hears(self, what: str, count: int = 1) -> Any:
        async with asyncio.timeout(60):
            while len(found := [about for each, about in self.log if each == what]) < count:
                await self._news.wait()
        return found[count - 1]


def story(make: Callable[[Dispatcher, Hand, LiveKitEngine], Awaitable[None]], **options: Any) -> None:
    """Run ``make`` with an engine that is registered, on the virtual clock."""

    async def run() -> None:
        async with dispatcher() as server:
            hand = Hand()
            given = {"url": server.url, "key": KEY, "secret": SECRET, "agent_name": "coffee", **options}
            engine = LiveKitEngine(hand, **given)
            task = asyncio.create_task(engine.run())
            try:
                await hand.hears("connected")
                await make(server, hand, engine)
            finally:
                await engine.aclose()
                await asyncio.wait_for(task, 10)

    virtual.run(run())
