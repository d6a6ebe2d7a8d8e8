"""A line that is there before its session is: a caller connects and talks while the entrypoint still loads.

Opens the line, or takes it over from a process that is gone; keeps what comes of it (the caller's last 15 s of sound), and
hands all of it to the session. To that session it is the plane: its ``OpenLine`` becomes a ``Configure``, its ``AttachLine``
is answered anew. A leg's own signals go to whoever serves the transport, before and after. Belongs to the core's loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from itertools import takewhile
from typing import cast

import msgspec

from antiphon.audio.outbox import Outbox
from antiphon.audio.seam import (
    AnyFromPlane,
    AnyToPlane,
    AttachLine,
    CloseLine,
    Configure,
    LegSignal,
    LegSpec,
    LineAttached,
    LineClosed,
    LineDown,
    LineUp,
    MicAudio,
    OpenLine,
    PlaneLink,
    SignalLeg,
    StopSpeech,
    VadEdge,
)
from antiphon.errors import AudioError

ATTACH_WITHIN = 3.0
"""Seconds that a plane has to answer."""
PLANE_LOST = "plane lost"
"""Why a line is down whose plane has ended, as its client says it."""

Deliver = Callable[[Sequence[AnyFromPlane]], None]


class EarlyLine:
    """``line``: its name, which must be the id of the job that takes it over. ``on_signal``: gets the text of each
    ``LegSignal``. ``on_closed``: called once, when the plane has closed the line or could not keep it open. ``on_lost``: called when the plane is
    gone, in the place of telling the session."""

    def __init__(
        self,
        plane: PlaneLink,
        line: str,
        *,
        on_signal: Callable[[str], None],
        on_closed: Callable[[], None] = lambda: None,
        on_lost: Callable[[], object] | None = None,
    ) -> None:
        self.line = line
        self._plane, self._on_signal, self._on_closed, self._on_lost = plane, on_signal, on_closed, on_lost
        self._kept = Outbox()
        self._deliver: Deliver | None = None
        self._answers = 0
        """``LineAttached`` to come that are not the session's."""
        self._asked: AttachLine | None = None
        """The session's own, until it is answered."""
        self._closed = False
        self._attached: asyncio.Future[None] | None = None
        self._fresh = False

    def open(self, leg: LegSpec) -> None:
        """Open the line. Raises ``AudioError`` when the plane is gone."""
        self._plane.subscribe(self.line, self._take)
        self._plane.send(OpenLine(line=self.line, leg=leg))

    def attach(self, *, signals: bool = True, fresh: bool = False) -> None:
        """Take over a line that is open: what it says comes here from now on, and its leg's signals where they are wanted.
        ``fresh``: for a session that begins, which finds it silent and as if just opened. Where there is no such line it is told
        as closed. Raises ``AudioError`` when the plane is gone."""
        self._fresh = fresh
        self._attached = asyncio.get_running_loop().create_future()
        self._plane.subscribe(self.line, self._take)
        self._answers += 1
        self._plane.send(AttachLine(line=self.line, signals=signals))

    async def wait_attached(self) -> None:
        """Until the plane has answered ``attach``. Raises ``AudioError`` where there is no such line."""
        assert self._attached is not None
        try:
            async with asyncio.timeout(ATTACH_WITHIN):
                await self._attached
        except TimeoutError:
            self._plane.unsubscribe(self.line)
            raise AudioError(f"The media plane does not answer for the line {self.line!r}.") from None

    def signal(self, data: str) -> None:
        """Give the leg a message of its transport's kind."""
        self._plane.send(SignalLeg(line=self.line, data=data))

    def forget(self, *, sound_only: bool = False) -> None:
        """Nobody is there any more of whom this is, or nobody is to listen: a session that begins later hears nothing of it."""
        if self._deliver is None:
            self._kept.drop((MicAudio, VadEdge) if sound_only else (LineUp, LineDown, MicAudio, VadEdge))

    def close(self) -> None:
        """Close a line that no session has taken over (a session closes its own)."""
        if not self._closed and self._deliver is None:
            self._plane.send(CloseLine(line=self.line))

    # --- PlaneLink, for the session ------------------------------------------------------------------------------

    def send(self, message: AnyToPlane) -> None:
        """As ``PlaneLink.send``; the line is open already, and its signals are somebody's."""
        if isinstance(message, OpenLine):
            message = Configure(line=message.line, config=message.config)
        elif isinstance(message, AttachLine):
            self._asked = message = msgspec.structs.replace(message, signals=False)
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
        lost = not self._closed and any(isinstance(m, LineDown) and m.reason == PLANE_LOST for m in messages)
        if lost and self._on_lost is not None:
            self._on_lost()
            return
        rest: list[AnyFromPlane] = []
        for message in messages:
            if isinstance(message, LegSignal):
                self._on_signal(message.data)
            elif isinstance(message, LineAttached) and self._answers:
                self._answers -= 1
                rest += self._found(message)
            else:
                rest.append(message)
        over = any(isinstance(message, LineClosed) or _fatal(message) for message in rest)
        if over:
            self._asked = None
        elif self._asked is not None:
            rest = self._answered(rest, self._asked)
        self._kept.add(rest)
        self._hand_over()
        if over and not self._closed:
            self._closed = True
            if self._deliver is None:
                self._plane.unsubscribe(self.line)
            if self._attached is not None and not self._attached.done():
                self._attached.set_exception(AudioError(f"There is no line {self.line!r} to go on with."))
                self._attached.exception()
            self._on_closed()

    def _found(self, line: LineAttached) -> list[AnyFromPlane]:
        """There is a line. A session that begins knows nothing of another's speeches: they are stopped."""
        if self._attached is not None and not self._attached.done():
            self._attached.set_result(None)
        if not self._fresh:
            return []
        for speech in line.speeches:
            self._plane.send(StopSpeech(line=self.line, speech=speech))
        return [LineUp(line=self.line, at=line.at, quality=line.quality)] if line.up else []

    def _answered(self, messages: list[AnyFromPlane], asked: AttachLine) -> list[AnyFromPlane]:
        """Once the session's own answer is there: that first, then the sound it wants again, then what was kept."""
        at = next((index for index, message in enumerate(messages) if isinstance(message, LineAttached)), None)
        if at is None:
            return messages
        self._asked = None
        newer = messages[at + 1 :]
        older = [*cast("list[AnyFromPlane]", self._kept.take()), *messages[:at]]
        again: list[AnyFromPlane] = []
        if asked.audio_since >= 0:  # it holds what was kept here, too
            again = list(takewhile(lambda message: isinstance(message, MicAudio), newer))
            older = [message for message in older if not isinstance(message, MicAudio)]
        return [messages[at], *again, *older, *newer[len(again) :]]

    def _hand_over(self) -> None:
        if self._deliver is not None and self._asked is None and len(self._kept):
            self._deliver(cast("list[AnyFromPlane]", self._kept.take()))


def _fatal(message: AnyFromPlane) -> bool:
    return bool(getattr(message, "fatal", False))
