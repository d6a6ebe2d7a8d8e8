"""A job as its supervisor keeps it: all that is needed to give it to an agent process, again and again."""

from __future__ import annotations

import math
import uuid
from typing import Any

import msgspec

from antiphon.models.store import StoredSession
from antiphon.worker.agent_child import AgentChild
from antiphon.worker.agent_messages import Take
from antiphon.worker.crash_limit import CrashLimit
from antiphon.worker.engine import Assignment, Engine, JobOffer
from antiphon.worker.room_token import agent_grants, grants_of, sign


class JobRecord:
    """``engine``: whom its state is told (``None``: it came from the store). ``line``: of its session in plane and store."""

    def __init__(
        self,
        offer: JobOffer,
        agent_name: str,
        engine: Engine | None,
        *,
        identity: str,
        url: str,
        token: str,
        grants: dict[str, Any],
        line: str,
        media: str,
        durable: bool,
        now: float,
    ) -> None:
        self.offer, self.agent_name, self.engine = offer, agent_name, engine
        self.identity, self.url, self.token, self.grants = identity, url, token, grants
        self.line, self.media, self.durable = line, media, durable
        self.began = now
        self.child: AgentChild | None = None
        self.running = self.resume = self.attach = self.safe = self.browser = False
        self.ours = engine is not None
        """It is this worker's, not a session of the store that somebody else may get."""
        self.ending = ""
        """Why it was told to end."""
        self.moving = False
        """Another worker is asked to go on with it: it is for no process here."""
        self.closing = False
        """It is being given up."""
        self.waits: float | None = None
        """Since when no process had room for it."""
        self.lines_tried = 0
        """In a row, without one to be had."""
        self.failed = ""
        self.crashes = CrashLimit()
        self.takeovers = 0
        self.died: float | None = None
        """When its process did, while no other goes on with it."""
        self.rejoined = -math.inf
        """When it got its last new line."""
        self.released: float | None = None
        """When its process left it to another."""
        self._first_identity, self._epoch = identity, 1
        self._begun = False
        """It runs in the process that has it now."""

    @classmethod
    def assigned(
        cls, assignment: Assignment, agent_name: str, engine: Engine, *, media: str, durable: bool, now: float
    ) -> JobRecord:
        """A new job."""
        offer = assignment.offer
        made = cls(
            offer,
            agent_name,
            engine,
            identity=assignment.acceptance.identity,
            url=assignment.url,
            token=assignment.token,
            grants=grants_of(assignment.token) or agent_grants(offer.room),
            line=assignment.line or f"{offer.id}-{uuid.uuid4().hex}",
            media=media,
            durable=durable,
            now=now,
        )
        made.browser = made.attach = bool(assignment.line)
        return made

    @classmethod
    def stored(cls, session: StoredSession, engine: Engine | None, *, now: float) -> JobRecord:
        """A job that the process of a supervisor that is gone began, as its session's ``about`` has it. Raises ``msgspec.MsgspecError`` and
        ``KeyError`` for what is none."""
        about = session.about
        made = cls(
            msgspec.json.decode(about["job"], type=JobOffer),
            about["agent_name"],
            engine,
            identity=about["identity"],
            url=about["url"],
            token="",
            grants=msgspec.json.decode(about["grants"], type=dict[str, Any]),
            line=session.id,
            media=about["media"],
            durable=True,
            now=now,
        )
        made.running = made.resume = made.attach = True
        made.ours = False
        made._epoch = session.epoch
        made.died = now
        return made

    @property
    def about(self) -> dict[str, str]:
        """What somebody else needs to go on with it: no secret among it."""
        return {
            "job": msgspec.json.encode(self.offer).decode(),
            "agent_name": self.agent_name,
            "identity": self.identity,
            "url": self.url,
            "grants": msgspec.json.encode(self.grants).decode(),
            "media": self.media,
        }

    @property
    def waiting(self) -> bool:
        """It is for the next process that has room."""
        return self.child is None and not self.moving and not self.closing

    def runs(self) -> None:
        """Its entrypoint runs."""
        self.running = self.ours = self._begun = True
        self.lines_tried = 0

    def let_go(self, now: float) -> None:
        """Its process has left its session, and its line as it is."""
        self.resume = self.attach = True
        self.released = now

    def crashed(self, now: float) -> None:
        """The process that it was given to has died."""
        self.crashes.note(now, begun=self._begun)

    def take(self) -> Take:
        """For the process that serves it next."""
        self._begun = False
        return Take(
            job=self.offer,
            agent_name=self.agent_name,
            identity=self.identity,
            url=self.url,
            token=self.token,
            line=self.line,
            media=self.media,
            resume=self.resume,
            attach=self.attach,
            durable=self.durable,
            safe=self.safe,
            about=self.about,
            browser=self.browser,
        )

    def new_line(self, *, key: str, secret: str) -> str:
        """It joins its room again, as somebody new; returns who it was there before."""
        before = self.identity
        self._epoch += 1
        self.attach = False
        self.identity = f"{self._first_identity}-e{self._epoch}"
        self.token = sign(self.grants, key=key, secret=secret, identity=self.identity)
        return before
