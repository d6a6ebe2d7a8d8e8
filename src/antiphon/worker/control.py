"""A running worker's control socket: what runs here, end one, drain; go on with a session that another worker lets go of. For ``antiphon
sessions`` and for other workers, of the same user only."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from antiphon.errors import AntiphonError
from antiphon.worker.runtime_directory import CONTROL

if TYPE_CHECKING:
    from antiphon.worker.supervisor import Supervisor

ANSWER_WITHIN = 5.0
MOST_BYTES = 16 * 1024 * 1024


class Ask(msgspec.Struct, frozen=True):
    """One line of JSON. ``end``: a session's id; ``drain``: take no more jobs; ``adopt``: go on with this session of the store, which its
    worker has let go of; none of them: what runs."""

    end: str = ""
    drain: bool = False
    adopt: str = ""


class Running(msgspec.Struct, frozen=True):
    """A session that a worker has. ``age``: seconds. ``pid``: of its agent process (0: it waits for one)."""

    id: str
    job: str
    agent_name: str
    room: str
    age: float
    takeovers: int
    pid: int
    durable: bool


class Answer(msgspec.Struct, frozen=True):
    """``done``: what was asked was done. ``store``: names the store it keeps sessions in (empty: none). ``open``: it takes jobs."""

    worker: str
    sessions: list[Running]
    done: bool = False
    store: str = ""
    open: bool = False


class Control:
    """``drain``: presses the worker's stop, as a first SIGTERM does. Belongs to the core's loop."""

    def __init__(self, supervisor: Supervisor, drain: Callable[[], object]) -> None:
        self._supervisor, self._drain = supervisor, drain
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        path = str(self._supervisor.folder / CONTROL)
        self._server = await asyncio.start_unix_server(self._serve, path, limit=MOST_BYTES)

    async def aclose(self) -> None:
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, TimeoutError, AntiphonError, msgspec.MsgspecError, ValueError):
            async with asyncio.timeout(ANSWER_WITHIN):
                line = await reader.readline()
            ask = msgspec.json.decode(line, type=Ask)
            writer.write(msgspec.json.encode(await self._answer(ask)) + b"\n")
            await writer.drain()
        writer.close()

    async def _answer(self, ask: Ask) -> Answer:
        supervisor = self._supervisor
        now = asyncio.get_running_loop().time()
        sessions = [
            Running(
                id=job.line,
                job=job.offer.id,
                agent_name=job.agent_name,
                room=job.offer.room,
                age=now - job.began,
                takeovers=job.takeovers,
                pid=job.child.pid if job.child is not None else 0,
                durable=job.durable,
            )
            for job in supervisor.jobs.values()
        ]
        done = False
        if ask.drain:
            self._drain()
            done = True
        for session in sessions:
            if ask.end and ask.end in (session.id, session.job):
                supervisor.table.end(session.job, "ended by the operator", drain=True)
                done = True
        if ask.adopt and supervisor.orphans is not None:
            done = await supervisor.orphans.adopt(ask.adopt)
        return Answer(
            worker=supervisor.id,
            sessions=sessions,
            done=done,
            store=supervisor.server.store_key,
            open=supervisor.admission.load().open,
        )


async def ask_worker(path: Path, ask: Ask) -> Answer | None:
    """Ask the worker whose control socket this is; ``None``: it is gone. Raises ``AntiphonError``."""
    try:
        async with asyncio.timeout(ANSWER_WITHIN):
            reader, writer = await asyncio.open_unix_connection(str(path), limit=MOST_BYTES)
            writer.write(msgspec.json.encode(ask) + b"\n")
            line = await reader.readline()
            writer.close()
        return msgspec.json.decode(line, type=Answer)
    except ConnectionRefusedError:
        return None
    except (OSError, TimeoutError, ValueError, msgspec.MsgspecError) as error:
        raise AntiphonError(f"The worker at {path} does not answer: {error or type(error).__name__}.") from error
