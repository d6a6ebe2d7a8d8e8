"""Where a worker's jobs come from: the engine of each of its agent names, and what becomes of a call whose line is lost."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Iterable
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

from antiphon.models.store import StoredSession
from antiphon.worker.engine import Engine, WorkerPermissions
from antiphon.worker.job_record import JobRecord
from antiphon.worker.server import LiveKitServer

if TYPE_CHECKING:
    from antiphon.worker.registration import Registration

logger = logging.getLogger("antiphon")


class Dispatch(Protocol):
    """Of one supervisor; belongs to its loop."""

    def names(self, entrypoints: Iterable[str]) -> list[str]:
        """Of these agent names, those that jobs can come for."""
        ...

    def engine(self, registration: Registration) -> Engine:
        """Who speaks with the dispatcher for this registration."""
        ...

    def start(self, plane: Any, path: str) -> None:
        """A media process was started. ``plane``: this process's connection to it; ``path``: its socket."""
        ...

    def rejoin(self, job: JobRecord) -> Awaitable[object] | None:
        """The job's line is lost: prepare it for another one, and return what is to be done beside. ``None``: there can be
        no other line, the call is over."""
        ...

    def serves(self, session: StoredSession) -> bool:
        """Whether a session that another supervisor left behind could go on here."""
        ...


class RoomDispatch:
    """Jobs in the rooms of a LiveKit server. ``permissions``: of the agent's participants."""

    def __init__(self, server: LiveKitServer, permissions: WorkerPermissions) -> None:
        self._server, self._permissions = server, permissions

    def names(self, entrypoints: Iterable[str]) -> list[str]:
        """See ``Dispatch``."""
        return list(entrypoints)

    def engine(self, registration: Registration) -> Engine:
        """See ``Dispatch``."""
        at = self._server
        made: Engine = import_module("antiphon.worker.livekit_engine").LiveKitEngine(
            registration,
            url=at.url,
            key=at.key,
            secret=at.secret,
            agent_name=registration.name,
            permissions=self._permissions,
        )
        return made

    def start(self, plane: Any, path: str) -> None:
        """See ``Dispatch``."""

    def rejoin(self, job: JobRecord) -> Awaitable[object] | None:
        """It joins its room anew, as somebody new; who it was there before leaves."""
        before = job.new_line(key=self._server.key, secret=self._server.secret)
        return self._remove(job.offer.room, before)

    async def _remove(self, room: str, identity: str) -> None:
        """Best effort: the server drops a participant that is gone by itself, after a while."""
        api, at = import_module("livekit.api"), self._server
        try:
            async with api.LiveKitAPI(at.url, at.key, at.secret) as livekit:
                await livekit.room.remove_participant(api.RoomParticipantIdentity(room=room, identity=identity))
        except Exception as error:
            logger.info("%s was not removed from room %s: %s", identity, room, error)

    def serves(self, session: StoredSession) -> bool:
        """See ``Dispatch``."""
        return _host(session.about.get("url", "")) == _host(self._server.url)


def _host(url: str) -> str:
    return url.partition("://")[2].rstrip("/").lower()
