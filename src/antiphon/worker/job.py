"""JobContext: what an entrypoint is given, one call's place in a program."""

from __future__ import annotations

import asyncio
import inspect
import logging
import uuid
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from antiphon import __version__
from antiphon.audio.seam import LegSpec, PlaneLink
from antiphon.errors import ConfigurationError
from antiphon.models.log import EventLog
from antiphon.models.redaction import Redaction
from antiphon.models.store import SessionLog
from antiphon.session.closing import ELSEWHERE
from antiphon.session.lanes import Lane
from antiphon.session.resumption import Resumption
from antiphon.session.services import Ownership, Services
from antiphon.store.event_log import FileEventLog

if TYPE_CHECKING:
    from antiphon.session.session import AgentSession
    from antiphon.telemetry.report import SessionReport
    from antiphon.worker.account import Account

logger = logging.getLogger("antiphon")


class JobContext:
    """One job.

    ``leg``: the party's media path (none: text). ``plane``: the media plane as a ``thread`` or a ``process``, or one
    that runs already. ``user_loop="shared"``: the core runs on the user's loop too (notebooks, the virtual clock).
    ``log``, ``report``, ``record``: paths to write; ``redaction`` applies to the first two. ``party_grace``: what the
    leg's transport wants for a session that sets none. ``userdata``: for the program's own use. ``metadata``: what came
    with the job. ``epoch``, ``resumption``, ``ownership``: of a session in a store, which ``worker.durability`` hands out.
    """

    def __init__(
        self,
        *,
        leg: LegSpec | None = None,
        plane: Literal["thread", "process"] | PlaneLink = "thread",
        user_loop: Literal["own", "shared"] = "own",
        log: str | EventLog | None = None,
        report: str | None = None,
        record: str | None = None,
        redaction: Redaction | None = None,
        party_grace: float = 0.0,
        id: str = "",
        metadata: str = "",
        userdata: dict[str, Any] | None = None,
        epoch: int = 1,
        resumption: Resumption | None = None,
        ownership: Ownership | None = None,
    ) -> None:
        self.leg = leg
        self.plane = plane
        self.user_loop = user_loop
        self.log, self.report_path, self.record = log, report, record
        self.redaction = redaction
        self.party_grace = party_grace
        self.epoch, self.resumption, self.ownership = epoch, resumption, ownership
        self.id = id or f"job_{uuid.uuid4().hex}"
        self.metadata = metadata
        self.userdata = userdata if userdata is not None else {}
        self.session: AgentSession[Any] | None = None
        self.started = asyncio.Event()
        """Set when the entrypoint starts its session."""
        self.shutdown_reason = ""
        self._callbacks: list[Callable[..., Any]] = []
        self._released = False
        self._account: Account | None = None
        self._recording = ""

    # --- for the entrypoint --------------------------------------------------------------------------------------

    async def connect(self) -> None:
        """The leg is opened by ``session.start``; here for programs written against rooms."""

    def add_shutdown_callback(self, callback: Callable[..., Any]) -> None:
        """Call it (function or coroutine, with the reason if it takes one) when the job ends."""
        self._callbacks.append(callback)

    def shutdown(self, reason: str = "job_shutdown") -> None:
        """Ask the job to end: what is being said is finished first."""
        self.shutdown_reason = reason
        if self.session is not None:
            self.session.shutdown(drain=True, reason=reason)

    # --- for whoever runs the job --------------------------------------------------------------------------------

    async def wait_closed(self) -> str:
        """Wait for the session's end; at once where the entrypoint started none."""
        if self.session is None:
            return self.shutdown_reason
        return await self.session.wait_closed()

    async def wait_started(self) -> None:
        """Until the session runs."""
        await self.started.wait()
        assert self.session is not None
        await self.session.wait_started()

    async def wait_written(self) -> None:
        """After the end: until its writes are over and in its log (see ``AgentSession.wait_written``)."""
        if self.session is not None:
            await self.session.wait_written()

    @property
    def goes_on(self) -> bool:
        """Another owner goes on with the session: for the program it has not ended."""
        return self.session is not None and self.session.close_reason in ELSEWHERE

    async def aclose(self) -> None:
        """Close the session if it runs, then call the shutdown callbacks."""
        if self.session is not None:
            await self.session.aclose(reason=self.shutdown_reason or "job_shutdown")
        await self._release()

    def report(self) -> SessionReport:
        """The session report so far (see ``docs/formats.md``)."""
        if self._account is None:
            raise ConfigurationError("There is no report yet.", hint="The session of this job has not been started.")
        log = self.log if isinstance(self.log, str) else ""
        return self._account.report(recording=self._recording, log=log)

    def use_room(self, options: Any) -> None:
        """``room_options=`` of a session: this job has no room, so they say nothing here."""
        logger.debug("room_options= has no meaning in a call without a LiveKit room")

    # --- for the session -----------------------------------------------------------------------------------------

    def _attach(self, session: AgentSession[Any]) -> None:
        if self.session is not None:
            raise ConfigurationError("This job has a session already.", hint="One JobContext serves one session.")
        self.session = session
        self.started.set()

    async def _services(self, session: AgentSession[Any], record: bool | str) -> Services:
        runtime = import_module("antiphon.worker.runtime").default_runtime()
        here = Lane(asyncio.get_running_loop())
        core = here if self.user_loop == "shared" else runtime.core
        plane = self.plane
        if isinstance(plane, str):
            plane = await runtime.plane(plane) if self.leg is not None else _NO_PLANE
        self._recording = record if isinstance(record, str) else "call.wav" if record else self.record or ""
        if self._recording and self.resumption is not None and not self.resumption.attach:
            name = Path(self._recording)  # the dead process's part stays
            self._recording = str(name.with_stem(f"{name.stem}.{self.epoch}"))
        account_type = import_module("antiphon.worker.account").Account
        watch = self.user_loop == "own"
        self._account = account_type(session, core, watch=watch, id=self.id, redaction=self.redaction)
        log = self.log
        if isinstance(log, str):
            log = FileEventLog(
                log,
                build=__version__,
                redaction=self.redaction,
                on_error=lambda error: here.post(session.report_error, "log", str(error)),
            )
        return Services(
            id=self.id,
            core=core,
            plane=plane,
            leg=self.leg,
            log=log,
            telemetry=self._account,
            record=self._recording,
            epoch=self.epoch,
            durable=log if isinstance(log, SessionLog) else None,
            resumption=self.resumption,
            ownership=self.ownership,
        )

    async def _release(self) -> None:
        """Once, after the session ended: report, callbacks."""
        if self._released:
            return
        self._released = True
        if self._account is not None:
            self._account.stop()
        if self.goes_on:
            return
        if self._account is not None and self.report_path:
            self.report().write(self.report_path, self.redaction)
        reason = self.session.close_reason if self.session is not None else self.shutdown_reason
        for callback in self._callbacks:
            try:
                result = callback(reason) if inspect.signature(callback).parameters else callback()
                if inspect.isawaitable(result):
                    await result
            except Exception:
                logger.exception("a shutdown callback raised")


class _NoPlane:
    """A text session has no sound."""

    def send(self, message: Any) -> None: ...

    def subscribe(self, line: str, deliver: Any) -> None: ...

    def unsubscribe(self, line: str) -> None: ...

    async def aclose(self) -> None: ...


_NO_PLANE = _NoPlane()
