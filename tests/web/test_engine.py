"""The embedded engine beside a worker that is slow or without a media process: no call is kept that nobody serves."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from antiphon.errors import AudioError
from antiphon.web.calls import Calls
from antiphon.web.engine import BrowserEngine
from antiphon.web.page import Page
from antiphon.web.settings import WebRTCLimits, WebSettings
from antiphon.worker.engine import Acceptance, Assignment, JobOffer, Load


class Plane:
    """A media process's client. ``gone``: nothing reaches it any more."""

    def __init__(self, *, gone: bool = False) -> None:
        self.gone = gone
        self.sent: list[str] = []

    def send(self, message: Any) -> None:
        if self.gone:
            raise AudioError("The media plane is gone.")
        self.sent.append(type(message).__name__)

    def subscribe(self, line: str, deliver: Any) -> None: ...

    def unsubscribe(self, line: str) -> None: ...

    async def aclose(self) -> None: ...


class Deciding:
    """A worker that decides about each offer when it is told to."""

    def __init__(self) -> None:
        self.decided = asyncio.Event()
        self.offers: list[str] = []
        self.withdrawals: list[str] = []
        self.jobs: list[str] = []

    async def offered(self, offer: JobOffer) -> Acceptance:
        self.offers.append(offer.id)
        await self.decided.wait()
        return Acceptance("agent")

    def assigned(self, assignment: Assignment) -> None:
        self.jobs.append(assignment.offer.id)

    def withdrawn(self, offer: JobOffer) -> None:
        self.withdrawals.append(offer.id)

    def terminated(self, job: str, reason: str = "", *, drain: bool = False) -> None:
        if job in self.jobs:
            self.jobs.remove(job)

    def load(self) -> Load:
        return Load()

    def running(self) -> list[str]:
        return self.jobs

    def connected(self, worker_id: str) -> None: ...

    def disconnected(self, reason: str) -> None: ...


def story(plane: Plane, make: Callable[[Calls, Deciding, BrowserEngine], Awaitable[None]]) -> None:
    """An engine on this loop."""

    async def run() -> None:
        async def listen(calls: Calls) -> Any: ...

        worker = Deciding()
        engine = BrowserEngine(worker, WebSettings(user_loop="shared"), listen)
        engine.serve(plane, "")
        engine.calls._on_core()
        await make(engine.calls, worker, engine)

    asyncio.run(run())


def page() -> Page:
    return Page("127.0.0.1", WebRTCLimits(), {})


def test_a_call_that_finds_no_media_process_leaves_nothing_behind() -> None:
    async def make(calls: Calls, worker: Deciding, engine: BrowserEngine) -> None:
        assert await calls._new(page(), "", (), True) is None
        assert not engine._jobs and not calls.sessions and not worker.offers

    story(Plane(gone=True), make)


def test_who_leaves_while_the_worker_decides_has_no_session_afterwards() -> None:
    async def make(calls: Calls, worker: Deciding, engine: BrowserEngine) -> None:
        call = await calls._new(page(), "", (), True)
        assert call is not None
        await asyncio.sleep(0)
        call.end("participant_disconnected")
        await asyncio.sleep(0)
        worker.decided.set()
        await asyncio.sleep(0)
        assert worker.offers == worker.withdrawals == [call.id] and not worker.jobs
        assert call.reason == "participant_disconnected" and not calls.sessions and not engine._jobs

    plane = Plane()
    story(plane, make)
    assert plane.sent == ["OpenLine", "CloseLine"]
