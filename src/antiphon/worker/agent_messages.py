"""What a worker's supervisor and its agent processes say to each other, as plain data."""

from __future__ import annotations

import msgspec

from antiphon.worker.engine import JobOffer


class ToAgent(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind"):
    """From the supervisor."""


class Welcome(ToAgent, frozen=True, kw_only=True, tag="welcome"):
    """The first message. ``owner``: under which the agent's sessions are held in the store."""

    owner: str


class Take(ToAgent, frozen=True, kw_only=True, tag="take"):
    """Serve this job. ``line``: its name in the plane, and the session's id. ``media``: socket of the media process; empty: a plane of
    the agent's own. ``resume``: the session is in the store, go on with it; ``attach``: its line is open in the plane. ``durable``: keep it in the
    store, with ``about``. ``safe``: serve it by the safe entrypoint, then end it for good."""

    job: JobOffer
    agent_name: str
    identity: str
    url: str
    token: str
    line: str
    media: str = ""
    resume: bool = False
    attach: bool = False
    durable: bool = False
    safe: bool = False
    about: dict[str, str] = {}
    browser: bool = False
    """A browser's call: its line is open, its signals stay with the supervisor."""

    def __repr__(self) -> str:
        return f"Take({self.job.id!r}, line={self.line!r})"


class End(ToAgent, frozen=True, kw_only=True, tag="end"):
    """End a job. ``drain``: after what is being said."""

    job: str
    reason: str
    drain: bool = False


class HandOver(ToAgent, frozen=True, kw_only=True, tag="hand_over"):
    """Leave a job to another process, at the caller's next silence and within so many seconds. Answer: ``Released``, or ``Gone`` where
    it ends before."""

    job: str
    within: float


class Retire(ToAgent, frozen=True, kw_only=True, tag="retire"):
    """Nothing more comes: exit when the jobs are over."""


AnyToAgent = Welcome | Take | End | HandOver | Retire


class FromAgent(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind"):
    """To the supervisor."""


class Hello(FromAgent, frozen=True, kw_only=True, tag="hello"):
    """The program is imported."""

    pid: int


class Progress(FromAgent, frozen=True, kw_only=True, tag="progress"):
    """A model is being loaded (``seconds`` negative), or was, in so many seconds."""

    model_kind: str
    model: str
    seconds: float


class CannotStart(FromAgent, frozen=True, kw_only=True, tag="cannot_start"):
    """Something that the program needs is missing."""

    message: str
    hint: str = ""


class Ready(FromAgent, frozen=True, kw_only=True, tag="ready"):
    """Models are loaded: jobs may come."""


class Running(FromAgent, frozen=True, kw_only=True, tag="running"):
    """The job's entrypoint runs."""

    job: str


class NoLine(FromAgent, frozen=True, kw_only=True, tag="no_line"):
    """There is no line to attach to, or no media process to open one: the job is not served."""

    job: str


class Shown(FromAgent, frozen=True, kw_only=True, tag="shown"):
    """For the page of the job's caller, as JSON."""

    job: str
    text: str


class MediaLost(FromAgent, frozen=True, kw_only=True, tag="media_lost"):
    """The media process that listened there is gone: this process ends, since nothing of its sessions may be done here any more. Others
    go on."""

    media: str


class Failed(FromAgent, frozen=True, kw_only=True, tag="failed"):
    """The job's entrypoint raised, or could not be started. ``Gone`` follows."""

    job: str
    error: str


class Gone(FromAgent, frozen=True, kw_only=True, tag="gone"):
    """The job is over."""

    job: str
    reason: str


class Released(FromAgent, frozen=True, kw_only=True, tag="released"):
    """The job's session and its line are anybody's now."""

    job: str


class Elsewhere(FromAgent, frozen=True, kw_only=True, tag="elsewhere"):
    """Another owner goes on with the job's session: it is none of this worker's any more."""

    job: str


class Beat(FromAgent, frozen=True, kw_only=True, tag="beat"):
    """The core lives. ``lag``: seconds that its loop was late, of late at its worst. ``rss``: bytes of memory."""

    lag: float
    sessions: int
    rss: int


AnyFromAgent = (
    Hello
    | Progress
    | CannotStart
    | Ready
    | Running
    | NoLine
    | MediaLost
    | Shown
    | Failed
    | Gone
    | Released
    | Elsewhere
    | Beat
)
