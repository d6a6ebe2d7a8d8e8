"""Calls from browsers as a worker's jobs, on a page of its own."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Iterable

from antiphon.audio.seam import PlaneLink
from antiphon.errors import ConfigurationError
from antiphon.models.store import StoredSession
from antiphon.web.engine import BrowserEngine, Listen
from antiphon.web.settings import WebSettings
from antiphon.worker.engine import Engine
from antiphon.worker.job_record import JobRecord
from antiphon.worker.registration import Registration

logger = logging.getLogger("antiphon")


class BrowserDispatch:
    """A ``Dispatch``. ``listen``: see ``BrowserEngine``."""

    def __init__(self, settings: WebSettings, listen: Listen) -> None:
        self._settings, self._listen = settings, listen
        self._engine: BrowserEngine | None = None

    def names(self, entrypoints: Iterable[str]) -> list[str]:
        """See ``Dispatch``: a page has one agent, the one without a name where there is one."""
        first, *others = sorted(entrypoints, key=bool)
        if others:
            logger.warning("browsers call %r; not reached: %s", first, ", ".join(others))
        return [first]

    def engine(self, registration: Registration) -> Engine:
        """See ``Dispatch``."""
        self._engine = BrowserEngine(registration, self._settings, self._listen, agent_name=registration.name)
        return self._engine

    def start(self, plane: PlaneLink | None, path: str) -> None:
        """See ``Dispatch``. Raises ``ConfigurationError``."""
        if plane is None:
            raise ConfigurationError(
                "Calls from browsers need a media process.", hint="Leave plane='thread' out of the AgentServer."
            )
        assert self._engine is not None
        self._engine.serve(plane, path)

    def rejoin(self, job: JobRecord) -> Awaitable[object] | None:
        """See ``Dispatch``: the browser's connection is gone with its line."""
        return None

    def serves(self, session: StoredSession) -> bool:
        """See ``Dispatch``: its page was another supervisor's."""
        return False
