"""The campaign's dispatcher: jobs come as lines of JSON on the supervisor's standard input; what it is told goes to a file."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Iterable
from pathlib import Path
from typing import Any

from antiphon.models.store import StoredSession
from antiphon.worker.engine import Assignment, JobOffer, JobStatus, Refusal, Worker
from antiphon.worker.job_record import JobRecord
from antiphon.worker.registration import Registration
from tests.takeover.diary import JOBS, Diary


class LineDispatch:
    """A ``Dispatch``. A line that is lost is opened anew, as by a caller who rings again."""

    def __init__(self, folder: Path) -> None:
        self._diary = Diary(folder / JOBS)

    def names(self, entrypoints: Iterable[str]) -> list[str]:
        return list(entrypoints)

    def engine(self, registration: Registration) -> LineEngine:
        return LineEngine(registration, self._diary)

    def start(self, plane: Any, path: str) -> None: ...

    def rejoin(self, job: JobRecord) -> Awaitable[object] | None:
        job.new_line(key="key", secret="secret" * 8)
        return asyncio.sleep(0)

    def serves(self, session: StoredSession) -> bool:
        return True


class LineEngine:
    """An ``Engine``: ``{"offer": ID, "metadata": TEXT}``, ``{"end": ID}``."""

    def __init__(self, worker: Worker, diary: Diary) -> None:
        self._worker, self._diary = worker, diary
        self._closing = asyncio.Event()

    async def run(self) -> None:
        reader = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        self._worker.connected("lines")
        while line := await reader.readline():
            order = json.loads(line)
            if "end" in order:
                self._worker.terminated(order["end"])
            else:
                await self._offer(JobOffer(id=order["offer"], room="", agent_name="", metadata=order["metadata"]))
        await self._closing.wait()

    async def _offer(self, offer: JobOffer) -> None:
        answer = await self._worker.offered(offer)
        if isinstance(answer, Refusal):
            self._diary.note("refused", job=offer.id)
        else:
            self._worker.assigned(Assignment(offer, answer, url="", token=""))

    def report(self, job: str, status: JobStatus, error: str = "") -> None:
        self._diary.note(status, job=job, error=error)

    def load_changed(self) -> None: ...

    async def aclose(self) -> None:
        self._closing.set()
