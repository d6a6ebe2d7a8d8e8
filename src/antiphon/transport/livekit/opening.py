"""When a call in a room begins: once the caller's client takes the agent's sound. What is said before that nobody hears; a client
needs a tenth of a second for it, or seconds where many join at once. In the room thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, Protocol

from antiphon.audio.leg import LegEvent

TAKEN_WITHIN = 5.0
"""Seconds after which the call begins all the same: some clients only read."""


class Publication(Protocol):
    """As the SDK's ``LocalTrackPublication``."""

    async def wait_for_subscription(self) -> None: ...


class Opening:
    """Passes on what happens to the call; that the caller is there (``up``) when they can hear, or do anything."""

    def __init__(self, event: Callable[[LegEvent], object]) -> None:
        self._event = event
        self._waits = False
        self._up: LegEvent | None = None

    def __call__(self, event: LegEvent) -> None:
        if event.kind == "up" and self._waits:
            self._up = event
            return
        if event.kind != "error":
            self._open()
        self._event(event)

    def wait(self, publication: Publication) -> Coroutine[Any, Any, None]:
        """The agent's voice is published: from now on the call waits for somebody who takes it. To be awaited."""
        self._waits = True
        return self._wait(publication)

    async def _wait(self, publication: Publication) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(TAKEN_WITHIN):
                await publication.wait_for_subscription()
        self.wait_no_more()

    def wait_no_more(self) -> None:
        """There is nothing to hear, or somebody hears it."""
        self._waits = False
        self._open()

    def _open(self) -> None:
        up, self._up = self._up, None
        if up is not None:
            self._event(up)
