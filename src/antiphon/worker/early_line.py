"""A line that is open before its session is: a caller connects and talks while the entrypoint still loads.

Opens the line, keeps what comes of it (the caller's last 15 s of sound), and hands all of it to the session that takes the
line over. To that session it is the plane: its ``OpenLine`` becomes a ``Configure``. A leg's own signals go to whoever
serves the transport, before and after. Belongs to the core's loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import cast

from antiphon.audio.outbox import Outbox
from antiphon.audio.seam import (
    AnyFromPlane,
    AnyToPlane,
    CloseLine,
    Configure,
    LegSignal,
    LegSpec,
    LineClosed,
    OpenLine,
    PlaneLink,
    SignalLeg,
)

Deliver = Callable[[Sequence[AnyFromPlane]], None]


class EarlyLine:
    """``line``: its name, which must be the id of the job that takes it over. ``on_signal``: gets the text of each
    ``LegSignal``. ``on_closed``: called once, when the plane has closed the line or could not keep it open."""

    def __init__(
        self,
        plane: PlaneLink,
        line: str,
        *,
        on_signal: Callable[[str], None],
        on_closed: Callable[[], None] = lambda: None,
    ) -> None:
        self.line = line
        self._plane, self._on_signal, self._on_closed = plane, on_signal, on_closed
        self._kept = Outbox()
        self._deliver: Deliver | None = None
        self._closed = False

    def open(self, leg: LegSpec) -> None:
        """Open the line. Raises ``AudioError`` when the plane is gone."""
        self._plane.subscribe(self.line, self._take)
        self._plane.send(OpenLine(line=self.line, leg=leg))

    def signal(self, data: str) -> None:
        """Give the leg a message of its transport's kind."""
        self._plane.send(SignalLeg(line=self.line, data=data))

    def close(self) -> None:
        """Close a line that no session has taken over (a session closes its own)."""
        if not self._closed and self._deliver is None:
            self._plane.send(CloseLine(line=self.line))

    # --- PlaneLink, for the session ------------------------------------------------------------------------------

    def send(self, message: AnyToPlane) -> None:
        """As ``PlaneLink.send``; the line is open already."""
        if isinstance(message, OpenLine):
            message = Configure(line=message.line, config=message.config)
        self._plane.send(message)

    def subscribe(self, line: str, deliver: Deliver) -> None:
        """The session takes over: soon, and before anything newer, it gets everything kept."""
        self._deliver = deliver
        asyncio.get_running_loop().call_soon(self._hand_over)

    def unsubscribe(self, line: str) -> None:
        self._deliver = None
        self._plane.unsubscribe(line)

    async def aclose(self) -> None:
        """The plane serves other lines too: only this one ends."""
        self.close()

    # --- from the plane ------------------------------------------------------------------------------------------

    def _take(self, messages: Sequence[AnyFromPlane]) -> None:
        rest = [message for message in messages if not isinstance(message, LegSignal)]
        for message in messages:
            if isinstance(message, LegSignal):
                self._on_signal(message.data)
        if self._deliver is not None and not len(self._kept):
            self._deliver(rest)
        else:
            self._kept.add(rest)
        if not self._closed and any(isinstance(message, LineClosed) or _fatal(message) for message in rest):
            self._closed = True
            self._on_closed()

    def _hand_over(self) -> None:
        if self._deliver is not None and len(self._kept):
            self._deliver(cast("list[AnyFromPlane]", self._kept.take()))


def _fatal(message: AnyFromPlane) -> bool:
    return bool(getattr(message, "fatal", False))
