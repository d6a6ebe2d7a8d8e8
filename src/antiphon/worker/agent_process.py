"""An agent process: takes jobs from its supervisor, runs their entrypoints, many sessions side by side.

The link and the lines belong to the core's lane, entrypoints to the user's. When the supervisor is gone the calls that run are
finished, and the process ends with the last of them.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any

from antiphon import __version__
from antiphon.audio.seam import PlaneLink
from antiphon.errors import AntiphonError, AudioError, ConfigurationError, FencedError, LeaseHeldError, StoreError
from antiphon.models.store import SessionStore
from antiphon.session.closing import FENCED, HANDED_OVER
from antiphon.session.lanes import Lane
from antiphon.worker import agent_messages as m
from antiphon.worker.agent_call import AgentCall
from antiphon.worker.call_files import CallFiles
from antiphon.worker.load import LoadMeter
from antiphon.worker.process_link import ProcessLink, open_link
from antiphon.worker.runtime import default_runtime
from antiphon.worker.safe_entrypoint import apologise
from antiphon.worker.served_job import Entrypoint
from antiphon.worker.server import AgentServer, LiveKitServer
from antiphon.worker.store_choice import open_store

if TYPE_CHECKING:
    from antiphon.worker.durability import Durability, Hold

logger = logging.getLogger("antiphon")

BEAT_EVERY = 0.5
MEDIA_LOST = 70
"""Exit status of a process whose media process is gone, with calls that another can go on with."""


class AgentProcess:
    """``user``: the lane of the entrypoints. ``sock``: this end of the link to the supervisor. ``details``: callers' pages are told of errors as
    they are."""

    def __init__(
        self,
        server: AgentServer,
        livekit: LiveKitServer | None,
        user: Lane,
        sock: socket.socket,
        files: CallFiles,
        *,
        details: bool = False,
    ) -> None:
        self.server, self.livekit, self.user, self.details = server, livekit, user, details
        self.calls: dict[str, AgentCall] = {}
        self.meter = LoadMeter()
        self._core = default_runtime().core
        self._sock, self._files = sock, files
        self._link: ProcessLink[m.AnyToAgent] | None = None
        self._planes: dict[str, Any] = {}
        self._opening = asyncio.Lock()
        self._durability: Durability | None = None
        self._store: SessionStore | None = None
        self._owner = ""
        self._retired = False
        self._over = asyncio.Event()
        self._tasks: set[asyncio.Task[Any]] = set()

    # --- on the core's lane --------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Greet the supervisor, and let it hear that this process lives."""
        self._link = await open_link(self._sock, m.AnyToAgent, self._take, self._lost)
        self.say(m.Hello(pid=os.getpid()))
        self._spawn(self.meter.run())
        self._spawn(self._beat())

    def say(self, message: m.AnyFromAgent) -> None:
        """Tell the supervisor."""
        if self._link is not None:
            self._link.send(message)

    async def wait_over(self) -> None:
        """Until nothing more comes and nothing runs."""
        await self._over.wait()

    async def aclose(self) -> None:
        """Write what waits for the store, close the link."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._durability is not None:
            await self._durability.aclose()
        if self._store is not None:
            await self._store.aclose()
        for plane in self._planes.values():
            await plane.aclose()
        if self._link is not None:
            self._link.close()

    def _spawn(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("a task of this agent process failed", exc_info=error)

    async def _beat(self) -> None:
        while True:
            self.say(m.Beat(lag=self.meter.lag, sessions=len(self.calls), rss=rss()))
            await asyncio.sleep(BEAT_EVERY)

    def _lost(self) -> None:
        if self.calls:
            logger.warning("the supervisor is gone: %d calls go on to their end", len(self.calls))
        self._retire()

    def _retire(self) -> None:
        self._retired = True
        if not self.calls:
            self._over.set()

    def _take(self, message: m.AnyToAgent) -> None:
        """What one call makes of it must not end the link, which is all calls'."""
        try:
            self._follow(message)
        except Exception:
            logger.exception("a message of the supervisor's could not be followed: %s", type(message).__name__)

    def _follow(self, message: m.AnyToAgent) -> None:
        match message:
            case m.Welcome(owner=owner):
                self._owner = owner
            case m.Take():
                at = self.livekit
                call = self.calls[message.job.id] = AgentCall(
                    message,
                    self,
                    ("", "", "") if at is None else (at.url, at.key, at.secret),
                    core=self._core,
                    user=self.user,
                    on_lost=lambda: self._media_lost(message.media),
                )
                self._spawn(self._serve(call))
            case m.End():
                if message.job in self.calls:
                    self.calls[message.job].end(message.reason, message.drain)
            case m.HandOver():
                if message.job in self.calls:
                    self.calls[message.job].hand_over(message.within)
            case m.Retire():
                self._retire()

    async def _serve(self, call: AgentCall) -> None:
        """Claim before the line is attached to: who may not go on with a session must not take its line. A new session's line is
        opened first: it joins the room meanwhile."""
        take = call.take
        try:
            options = await self._hold(call) if take.resume else {}
            try:
                await call.open(await self._plane(take.media))
            except AudioError as error:
                logger.warning("call %s has no line: %s", take.line, error.message)
                await self._without_line(call)
                return
            options = options if take.resume else await self._hold(call)
            options |= self._files.options(take.line, stored=call.hold is not None)
            call.begin(self._entrypoint(take), options)
        except Exception as error:
            self._never_began(call, error)
            return
        self.say(m.Running(job=take.job.id))

    async def _without_line(self, call: AgentCall) -> None:
        """The supervisor has another line for it, and gives it to somebody again."""
        await call.let_go()
        del self.calls[call.take.job.id]
        self.say(m.NoLine(job=call.take.job.id))
        self._check_over()

    def _entrypoint(self, take: m.Take) -> Entrypoint:
        if take.safe:
            return self.server.safe_entrypoint or apologise
        try:
            return self.server.entrypoints[take.agent_name]
        except KeyError:
            raise ConfigurationError(
                f"This program has no entrypoint for the agent {take.agent_name!r}.",
                hint="It had one when the call came: name it again, or end the calls before the program is changed.",
            ) from None

    async def _plane(self, media: str) -> PlaneLink:
        """The media process that listens there; without one a plane of this process's own."""
        if not media:
            return await default_runtime().plane("thread")
        async with self._opening:
            plane = self._planes.get(media)
            if plane is None or not plane.alive:
                connect: Callable[[str], Any] = import_module("antiphon.audio.plane_client").connect_plane
                plane = self._planes[media] = await connect(media)
        link: PlaneLink = plane
        return link

    async def _hold(self, call: AgentCall) -> dict[str, Any]:
        """The session's place in the store: what its context is made with."""
        take = call.take
        if not take.durable or self.server.store is None:
            return {}
        if self._durability is None:
            self._store = open_store(self.server.store)
            make = import_module("antiphon.worker.durability").Durability
            ttl = self.server.lease_ttl
            made: Durability = make(self._store, owner=self._owner, build=__version__, ttl=ttl, core=self._core)
            self._durability = made
        if take.resume:
            call.hold = await self._durability.take_over(take.line, attach=take.attach)
        else:
            call.hold = await self._new(self._durability, take)
        return {} if take.safe else call.hold.job_options()

    async def _new(self, durability: Durability, take: m.Take) -> Hold:
        """A session that a process made that died before its entrypoint ran begins here."""
        try:
            return await durability.create(take.line, take.about)
        except StoreError as error:
            if error.reason != "exists":
                raise
        return await durability.take_over(take.line, attach=False)

    def _never_began(self, call: AgentCall, error: Exception) -> None:
        if isinstance(error, LeaseHeldError | FencedError):
            logger.warning("call %s goes on elsewhere: %s", call.take.line, error.message)
            self.call_gone(call, FENCED)
            return
        if isinstance(error, StoreError) and error.reason == "ended":
            self.call_gone(call, "ended before")
            return
        unknown = None if isinstance(error, AntiphonError) else error
        logger.error("call %s: %s", call.take.line, error, exc_info=unknown)
        self.call_failed(call, error)
        self.call_gone(call, "error")

    def _media_lost(self, media: str) -> None:
        """The lines are gone; another process goes on with the sessions, from what is stored, by new lines. Nothing of theirs may
        be done here any more."""
        logger.error("the media process is gone: this agent process ends, its calls go on in another")
        self.say(m.MediaLost(media=media))
        logging.shutdown()
        os._exit(MEDIA_LOST)

    # --- what calls say ------------------------------------------------------------------------------------------------

    def call_shows(self, call: AgentCall, text: str) -> None:
        """See ``agent_call.Owner``."""
        self.say(m.Shown(job=call.take.job.id, text=text))

    def call_failed(self, call: AgentCall, error: Exception) -> None:
        """See ``agent_call.Owner``."""
        self.say(m.Failed(job=call.take.job.id, error=f"{type(error).__name__}: {error}"))

    def call_gone(self, call: AgentCall, reason: str) -> None:
        """See ``agent_call.Owner``."""
        self._spawn(self._close(call, reason))

    async def _close(self, call: AgentCall, reason: str) -> None:
        id = call.take.job.id
        over: m.AnyFromAgent = m.Gone(job=id, reason=reason)
        try:
            if reason in (FENCED, HANDED_OVER):
                over = m.Elsewhere(job=id) if reason == FENCED else m.Released(job=id)
                await call.let_go()
            else:
                await call.close(reason)
                if call.stored and self._store is not None:
                    await self._files.write_log(call.take.line, self._store)
        except FencedError:
            over = m.Elsewhere(job=id)
        except Exception as error:
            unknown = None if isinstance(error, AntiphonError | OSError) else error
            logger.warning("call %s: its end could not be stored: %s", call.take.line, error, exc_info=unknown)
        self.calls.pop(id, None)
        self.say(over)
        self._check_over()

    def _check_over(self) -> None:
        if self._retired and not self.calls:
            self._over.set()


def rss() -> int:
    """Bytes of memory that this process has now (0: the system does not say)."""
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0
