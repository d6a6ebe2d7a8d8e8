"""The embedded engine: where there is no LiveKit server, calls from browsers are this worker's jobs.

It offers each call to the worker as a dispatcher does. The page's socket and the signals of its leg stay here; an agent
process attaches to the line, and another one where that one dies. Lives on the core's lane.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import msgspec

from antiphon.audio.seam import LegSpec, PlaneLink
from antiphon.session.lanes import Lane
from antiphon.web.call import Call
from antiphon.web.calls import Calls
from antiphon.web.messages import Ended, Problem, read_shown
from antiphon.web.settings import WebSettings
from antiphon.worker.engine import Assignment, JobOffer, JobStatus, Refusal, Worker

WORKER_ID = "browsers"
Listen = Callable[[Calls], Awaitable[Callable[[], Awaitable[object]]]]
"""Opens a web server for these calls; returns what closes it."""
BUSY = Problem("All lines are busy.", "Try again in a moment.", recoverable=False, retry_after=10.0)


class BrowserEngine:
    """An ``Engine``, and a ``Pages``. ``agent_name``: of its jobs. ``listen``: opens the web server for the calls, once there is a media
    process (``serve``)."""

    def __init__(self, worker: Worker, settings: WebSettings, listen: Listen, *, agent_name: str = "") -> None:
        self.calls = Calls(self._serve, settings)
        self._listen = listen
        self._settings = settings
        self._media, self._path = asyncio.Event(), ""
        self._worker, self._agent_name = worker, agent_name
        self._jobs: dict[str, _Job] = {}
        self._closing = asyncio.Event()

    async def run(self) -> None:
        """See ``Engine``. Raises ``ConfigurationError`` where the web server cannot be opened."""
        await self._media.wait()
        close = await self._listen(self.calls)
        try:
            self._worker.connected(WORKER_ID)
            await self._closing.wait()
        finally:
            await close()

    def serve(self, plane: PlaneLink, path: str) -> None:
        """New calls are in this media process from now on."""
        self._path = path
        self.calls.settings = msgspec.structs.replace(self._settings, plane=plane)
        self._media.set()

    def report(self, job: str, status: JobStatus, error: str = "") -> None:
        """See ``Engine``."""
        found = self._jobs.get(job)
        if found is None or status == "running":
            return
        if status == "failed" and error:
            found.call.failed(error)
        self._over(job, "error" if status == "failed" else "")

    def show(self, job: str, text: str) -> None:
        """See ``Pages``."""
        found = self._jobs.get(job)
        if found is None:
            return
        message = read_shown(text)
        if isinstance(message, Ended):
            found.call.ended(message.reason)
        elif message is not None:
            found.call.told(message)

    def load_changed(self) -> None:
        """See ``Engine``: callers come by themselves, whatever the load."""

    async def aclose(self) -> None:
        """See ``Engine``."""
        await self.calls.aclose()
        self._closing.set()

    def _serve(self, call: Call, core: Lane, here: Lane) -> _Job:
        return _Job(call, self._worker, self._agent_name, self._path, self._jobs, self._over)

    def _over(self, id: str, reason: str) -> None:
        job = self._jobs.pop(id, None)
        if job is not None:
            job.call.gone(reason)


class _Job:
    """A ``CallJob``: the call as it is offered to the worker. ``jobs``: where it is from its beginning on. ``over``: called where
    nobody takes it."""

    def __init__(
        self,
        call: Call,
        worker: Worker,
        agent_name: str,
        media: str,
        jobs: dict[str, _Job],
        over: Callable[[str, str], object],
    ) -> None:
        self.call = call
        self._worker, self._media, self._jobs, self._over = worker, media, jobs, over
        self._offer = JobOffer(id=call.id, room="", agent_name=agent_name, metadata=call.metadata)
        self._asking: asyncio.Task[None] | None = None

    def begin(self, leg: LegSpec) -> None:
        self._jobs[self.call.id] = self
        self._asking = asyncio.get_running_loop().create_task(self._ask(), name=f"offer {self.call.id}")

    async def _ask(self) -> None:
        try:
            answer = await self._worker.offered(self._offer)
        except asyncio.CancelledError:
            self._worker.withdrawn(self._offer)
            raise
        if isinstance(answer, Refusal):
            self.call.told(BUSY)
            self._over(self.call.id, "busy")
        else:
            self._worker.assigned(
                Assignment(self._offer, answer, url="", token="", line=self.call.id, media=self._media)
            )

    def end(self, reason: str, drain: bool = False) -> None:
        if self._asking is not None and not self._asking.done():
            self._asking.cancel()
            self._over(self.call.id, reason)
        else:
            self._worker.terminated(self.call.id, reason, drain=drain)
