"""Who serves a call from a browser: the entrypoint in this process, or (by the same two methods) a worker's process elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from antiphon.audio.seam import LegSpec
from antiphon.errors import AntiphonError
from antiphon.session.lanes import Lane
from antiphon.web.feed import Feed
from antiphon.worker.job import JobContext
from antiphon.worker.served_job import Entrypoint, ServedJob

if TYPE_CHECKING:
    from antiphon.session.session import AgentSession
    from antiphon.web.call import Call
    from antiphon.web.settings import WebSettings


class CallJob(Protocol):
    """Belongs to the core's lane. Tells its call: ``told``, ``failed``, ``ended`` and, once and at last, ``gone``."""

    def begin(self, leg: LegSpec) -> None:
        """Serve the call; its line is open."""
        ...

    def end(self, reason: str, drain: bool = False) -> None:
        """End the session; ``drain``: what is being said first."""
        ...


Serve = Callable[["Call", Lane, Lane], CallJob]
"""For a call: who serves it. Is given the core's lane and that of the web server's loop too."""


def locally(entrypoint: Entrypoint, settings: WebSettings, *, user: Lane | None = None) -> Serve:
    """By this entrypoint, in this process. ``user``: the lane it runs on; unset: that of the web server's loop."""
    return lambda call, core, here: LocalJob(call, entrypoint, settings, core=core, user=user or here)


class LocalJob:
    """The entrypoint runs in this process, on ``user``'s lane."""

    def __init__(self, call: Call, entrypoint: Entrypoint, settings: WebSettings, *, core: Lane, user: Lane) -> None:
        self._user = user
        stem = Path(settings.folder) / call.id if settings.folder else None
        self._context = FeedJob(
            Feed(
                lambda message: core.post(call.told, message),
                lambda reason: core.post(call.ended, reason),
                details=settings.details,
            ),
            id=call.id,
            plane=call.line,
            user_loop=settings.user_loop,
            log=f"{stem}.jsonl" if stem else None,
            report=f"{stem}.json" if stem else None,
            record=f"{stem}.wav" if stem and settings.record else None,
            party_grace=settings.resume_window,
            metadata=call.metadata,
        )
        self._job = ServedJob(
            self._context,
            entrypoint,
            failed=lambda error: core.post(call.failed, explained(error)),
            gone=lambda reason: core.post(call.gone, reason),
        )

    def begin(self, leg: LegSpec) -> None:
        self._context.leg = leg
        self._user.post(self._job.begin)

    def end(self, reason: str, drain: bool = False) -> None:
        self._user.post(self._job.end, reason, drain)


class FeedJob(JobContext):
    """The job that the entrypoint gets: its session tells the feed from the first event on."""

    def __init__(self, feed: Feed, **options: Any) -> None:
        super().__init__(**options)
        self._feed = feed

    def _attach(self, session: AgentSession[Any]) -> None:
        super()._attach(session)
        self._feed.attach(session)


def explained(error: Exception) -> str:
    """What a page is told of an entrypoint that raised, where it may know."""
    return str(error) if isinstance(error, AntiphonError) else f"{type(error).__name__}: {error}"
