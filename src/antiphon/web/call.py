"""A call from a browser: one leg, one session, and whichever page is there. Lives on the core's lane.

The call outlives its pages: a page that comes back within the resume window finds leg, session and captions as they are.
Who serves it is a ``CallJob``; nothing here waits for it.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from antiphon.audio.seam import LegSpec, PlaneLink
from antiphon.errors import AudioError
from antiphon.session.lanes import Lane
from antiphon.transport.webrtc.ice_servers import IceServer
from antiphon.web.call_job import CallJob
from antiphon.web.ice import for_browser
from antiphon.web.messages import NORMAL, REPLACED, Caption, Ended, Message, Problem, State, Welcome
from antiphon.worker.early_line import EarlyLine

if TYPE_CHECKING:
    from antiphon.web.page import Page
    from antiphon.web.settings import WebSettings

OVER_WITHIN = 1.5
"""Seconds after the leg's certain end until a session that does not end by itself is closed."""


class Call:
    """``serve``: who serves it. ``over``: called once, when nothing of the call is left. ``secret``: what a page shows to come
    back to it. ``metadata``: the job's."""

    def __init__(
        self,
        id: str,
        *,
        plane: PlaneLink,
        core: Lane,
        serve: Callable[[Call], CallJob],
        settings: WebSettings,
        metadata: str,
        over: Callable[[Call], object],
    ) -> None:
        self.id, self.secret, self.metadata = id, secrets.token_urlsafe(24), metadata
        self._core, self._settings, self._over = core, settings, over
        self._page: Page | None = None
        self._captions: OrderedDict[str, Caption] = OrderedDict()
        self._agent_state, self._user_state = "initializing", "listening"
        self._leaving: asyncio.TimerHandle | None = None
        self.reason = ""
        """Why it ended; empty while it goes on."""
        self.line = EarlyLine(plane, id, on_signal=self._signal, on_closed=self._line_closed)
        self._job: CallJob = serve(self)

    @property
    def resume(self) -> str:
        return f"{self.id}.{self.secret}"

    def open(self, servers: tuple[IceServer, ...], *, loopback: bool) -> None:
        """Open the line and have it served. ``loopback``: the page is on this machine. Raises ``AudioError`` when the
        plane is gone."""
        settings = self._settings
        ice = {
            "servers": [msgspec.to_builtins(server) for server in servers],
            "loopback": loopback,
            "ports": settings.udp_ports,
            "public_address": settings.public_address,
            "relay_only": settings.relay_only,
        }
        leg = LegSpec("webrtc", {"ice": ice})
        self.line.open(leg)
        self._job.begin(leg)

    # --- pages ---------------------------------------------------------------------------------------------------

    def attach(self, page: Page, servers: tuple[IceServer, ...], *, resumed: bool) -> None:
        """This page has the call now; one that had it is told so."""
        if self._page is not None and self._page is not page:
            self._page.close(REPLACED, "This call goes on in another tab.")
        self._page = page
        self._stay()
        page.tell(
            Welcome(
                session=self.id,
                resume=self.resume,
                resumed=resumed,
                resume_window=self._settings.resume_window,
                ice_servers=for_browser(servers),
                captions=list(self._captions.values()),
                agent_state=self._agent_state,
                user_state=self._user_state,
            )
        )
        if self.reason:
            self._say_ended(page)

    def detach(self, page: Page) -> None:
        """The page's socket is gone; perhaps the page comes back."""
        if page is self._page:
            self._page = None
            if self._leaving is None:  # who has said goodbye does not come back
                self._leave_in(self._settings.resume_window)

    def take(self, page: Page, kind: str, text: str) -> None:
        """A signal for the leg."""
        if page is not self._page:
            return
        if kind == "bye":
            self._leave_in(OVER_WITHIN)
        try:
            self.line.signal(text)
        except AudioError as error:
            self._plane_gone(error)

    def _stay(self) -> None:
        if self._leaving is not None:
            self._leaving.cancel()
            self._leaving = None

    def _leave_in(self, seconds: float) -> None:
        self._stay()
        self._leaving = self._core.loop.call_later(seconds, self.end, "participant_disconnected")

    # --- the end -------------------------------------------------------------------------------------------------

    def end(self, reason: str, *, drain: bool = False) -> None:
        """End the session; ``drain``: what is being said first."""
        self._stay()
        self._job.end(reason, drain)

    def ended(self, reason: str) -> None:
        """The session is over: the page hears of it, and nobody can come back."""
        self.reason = self.reason or reason
        if self._page is not None:
            self._say_ended(self._page)

    def _say_ended(self, page: Page) -> None:
        page.tell(Ended.of(self.reason))
        page.close(NORMAL, "The call is over.")
        self._page = None

    def gone(self, reason: str) -> None:
        """The job has returned: line, session and task are freed."""
        self._stay()
        self.ended(reason or "drain")
        self.line.close()
        self._over(self)

    def failed(self, error: str) -> None:
        """The entrypoint raised."""
        text = error if self._settings.details else "The agent could not be started."
        self.told(Problem(text, source="entrypoint", recoverable=False))

    def _line_closed(self) -> None:
        """By the session at its end, or because the leg could not open: then nobody else ends the job."""
        self._leave_in(OVER_WITHIN)

    def _plane_gone(self, error: AudioError) -> None:
        self.told(Problem(error.message, error.hint, source="transport", recoverable=False))
        self.end("error")

    # --- to the page ---------------------------------------------------------------------------------------------

    def _signal(self, text: str) -> None:
        if self._page is not None:
            self._page.tell(text)

    def told(self, message: Message) -> None:
        """A message of the feed: kept as far as a page that comes back needs it, and passed on."""
        match message:
            case Caption(id=id, text=""):
                self._captions.pop(id, None)
            case Caption(id=id):
                self._captions[id] = message
                while len(self._captions) > self._settings.limits.transcript:
                    self._captions.popitem(last=False)
            case State(type="agent_state", state=state):
                self._agent_state = state
            case State(state=state):
                self._user_state = state
        if self._page is not None:
            self._page.tell(message)
