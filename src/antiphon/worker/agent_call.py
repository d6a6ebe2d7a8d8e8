"""One job in an agent process: its line, its place in the store, and its entrypoint on the user's lane."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

from antiphon.audio.seam import PlaneLink
from antiphon.errors import FencedError, StoreError
from antiphon.session.lanes import Lane
from antiphon.worker.agent_messages import Take
from antiphon.worker.engine import Acceptance, Assignment
from antiphon.worker.job import JobContext
from antiphon.worker.room_job import RoomLine
from antiphon.worker.served_job import Entrypoint, ServedJob

if TYPE_CHECKING:
    from antiphon.worker.durability import Hold

logger = logging.getLogger("antiphon")


class Line(Protocol):
    """The way to the caller: ``RoomLine``, or ``ServedCall`` for a browser."""

    def open(self) -> None: ...

    async def attach(self, *, fresh: bool) -> None: ...

    def close(self) -> None: ...

    def context(self, **options: Any) -> JobContext: ...


class Owner(Protocol):
    """Who is told, on the core's lane. ``details``: see ``Feed``."""

    details: bool

    def call_shows(self, call: AgentCall, text: str) -> None: ...

    def call_failed(self, call: AgentCall, error: Exception) -> None: ...

    def call_gone(self, call: AgentCall, reason: str) -> None: ...


class AgentCall:
    """``server``: address, key and secret of the LiveKit server. ``on_lost``: called where a call that is in the store loses
    its media process. Lives on the core's lane."""

    def __init__(
        self,
        take: Take,
        owner: Owner,
        server: tuple[str, str, str],
        *,
        core: Lane,
        user: Lane,
        on_lost: Callable[[], object],
    ) -> None:
        self.take = take
        self.hold: Hold | None = None
        self.stored = False
        """Its log is in the store."""
        self._owner, self._server = owner, server
        self._core, self._user, self._on_lost = core, user, on_lost
        self._line: Line | None = None
        self._served: ServedJob | None = None
        self._ending: tuple[str, bool] | None = None
        self._leaving: float | None = None

    async def open(self, plane: PlaneLink) -> None:
        """Open the line, or attach to the one that is there. Raises ``AudioError``."""
        take = self.take
        line = self._made(plane)
        if take.attach:
            await line.attach(fresh=take.safe or not take.resume)
        else:
            line.open()
        self._line = line

    def _made(self, plane: PlaneLink) -> Line:
        take, core = self.take, self._core
        on_lost = self._on_lost if take.durable and not take.safe else None
        if take.browser:
            made: Line = import_module("antiphon.web.served_call").ServedCall(
                take,
                plane=plane,
                core=core,
                show=lambda text: self._owner.call_shows(self, text),
                details=self._owner.details,
                on_lost=on_lost,
            )
            return made
        assignment = Assignment(take.job, Acceptance(take.identity), take.url, take.token)
        return RoomLine(
            take.line, assignment, server=self._server, plane=plane, core=core, user=self._user, on_lost=on_lost
        )

    def begin(self, entrypoint: Entrypoint, options: dict[str, Any]) -> None:
        """Start the entrypoint. ``options``: of its ``JobContext``, beside those of its line."""
        self.stored = self.hold is not None
        assert self._line is not None
        context = self._line.context(**options)
        self._served = ServedJob(
            context,
            entrypoint,
            failed=lambda error: self._core.post(self._owner.call_failed, self, error),
            gone=lambda reason: self._core.post(self._owner.call_gone, self, reason),
        )
        self._user.post(self._served.begin)
        if self._ending is not None:
            self.end(*self._ending)
        elif self._leaving is not None:
            self.hand_over(self._leaving)

    def end(self, reason: str, drain: bool) -> None:
        """End it: soon, and once."""
        if self._served is None:
            self._ending = reason, drain
        else:
            self._user.post(self._served.end, reason, drain)

    def hand_over(self, within: float) -> None:
        """Leave it to another process, once its session runs."""
        if self._served is None:
            self._leaving = within
        else:
            self._user.post(self._served.leave, within)

    async def let_go(self) -> None:
        """Somebody else may go on with the session: at once, or when its lease is over, where the store does not take this."""
        hold, self.hold = self.hold, None
        if hold is not None:
            try:
                await hold.release()
            except FencedError:
                return
            except StoreError as error:
                logger.warning("call %s could not be released in the store: %s", self.take.line, error)

    async def close(self, reason: str) -> None:
        """After its end: say in the store that it is over, and leave the room, where no session did. Raises ``FencedError``, with the
        line left alone, where it is another's."""
        hold, self.hold = self.hold, None
        if hold is not None:
            try:
                await asyncio.shield(hold.end("crash loop" if self.take.safe else reason or "done"))
            except FencedError:
                raise
            except StoreError as error:
                logger.warning("call %s: its end could not be stored: %s", self.take.line, error)
        if self._line is not None:
            self._line.close()
