"""A browser's call in an agent process: its line, and what its session shows on the page, which is another process's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from antiphon.audio.seam import LegSpec, PlaneLink
from antiphon.errors import AudioError
from antiphon.session.lanes import Lane
from antiphon.web.call_job import FeedJob
from antiphon.web.feed import Feed
from antiphon.web.messages import Ended, write
from antiphon.worker.agent_messages import Take
from antiphon.worker.early_line import EarlyLine
from antiphon.worker.job import JobContext

PARTY_GRACE = 60.0
"""Seconds that a page which vanished may take to come back."""


class ServedCall:
    """``show``: takes messages for the page; belongs to the core's lane. ``details``: see ``Feed``. ``on_lost``: see ``EarlyLine``."""

    def __init__(
        self,
        take: Take,
        *,
        plane: PlaneLink,
        core: Lane,
        show: Callable[[str], object],
        details: bool,
        on_lost: Callable[[], object] | None,
    ) -> None:
        self._core, self._show, self._details = core, show, details
        self._metadata = take.job.metadata
        self._line = EarlyLine(plane, take.line, on_signal=lambda text: None, on_lost=on_lost)

    def open(self) -> None:
        """A browser's leg is made by its page alone."""
        raise AudioError("The line to the browser is lost.")

    async def attach(self, *, fresh: bool) -> None:
        """Go on with the line; on the core's lane. Raises ``AudioError`` where there is none."""
        self._line.attach(signals=False, fresh=fresh)
        await self._line.wait_attached()

    def close(self) -> None:
        """Close the line, where no session has taken it over; on the core's lane."""
        self._line.close()

    def context(self, **options: Any) -> JobContext:
        """For the entrypoint."""
        core, show = self._core, self._show
        feed = Feed(
            lambda message: core.post(show, write(message)),
            lambda reason: core.post(show, write(Ended.of(reason))),
            details=self._details,
            series=options.get("epoch", 1),
        )
        line = {"id": self._line.line, "leg": LegSpec("webrtc"), "plane": self._line, "party_grace": PARTY_GRACE}
        return FeedJob(feed, **{**line, "metadata": self._metadata, **options})
