"""A plane that several clients share: whose each line is, and what becomes of a line whose client is gone.

A client owns the lines that it opened or attached to last. What anybody else sends for them is dropped and counted, so
that a process which was taken for dead and wakes up is not heard. A line without an owner plays on what it has; what it
says is kept for whoever attaches, and when nobody does within ``linger`` it is closed. A leg's own signals are the line's
signaller's: its opener, until an owner attaches who wants them too.

No socket and no clock here: a driver brings the clients' messages, takes what is theirs, and gives the time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence

import msgspec

from antiphon.audio.outbox import MIC_KEPT, Outbox
from antiphon.audio.plane import Plane, no_such_line
from antiphon.audio.seam import (
    AnyToPlane,
    AttachLine,
    CloseLine,
    ClosePlane,
    DetachLine,
    FromPlane,
    LegSignal,
    LineAttached,
    LineClosed,
    LineDetached,
    LineError,
    LineUp,
    MicAudio,
    OpenLine,
    SignalLeg,
)

Client = int
"""One connection, as its driver numbers it; a number is not used twice."""

KEEPER: Client = 0
"""The client that started the plane: without it, and without lines, the plane ends."""

LINGER = 30.0
"""Seconds that a line waits for another owner."""

PATIENCE = 15.0
"""Seconds that a client may leave unread what waits for it: as long as its caller's sound is kept."""


class MediaHost:
    """``linger``: seconds that a line waits for another owner."""

    def __init__(self, plane: Plane, *, linger: float = LINGER) -> None:
        self.dropped = 0
        """Messages for lines of others."""
        self._plane, self._linger = plane, linger
        self._lines: dict[str, _Line] = {}
        self._outboxes: dict[Client, Outbox] = {}
        self._closing = False

    @property
    def lines(self) -> int:
        """Lines that are open, or about to be."""
        return len(self._lines)

    @property
    def over(self) -> bool:
        """Whether the plane has nobody left to serve: its keeper said so, or is gone and there is no line."""
        return self._closing or (KEEPER not in self._outboxes and not self._lines)

    # --- clients -------------------------------------------------------------------------------------------------------

    def joined(self, now: float, client: Client) -> None:
        """Somebody connects, and is told that the plane is ready."""
        outbox = self._outboxes[client] = Outbox(2 * MIC_KEPT)
        outbox.add([LineUp(line="", at=now, quality="paced")])

    def left(self, now: float, client: Client, undelivered: Sequence[FromPlane] = ()) -> None:
        """A connection is gone: its lines are nobody's now. ``undelivered``: taken for it and not written."""
        outbox = self._outboxes.pop(client)
        for name, line in self._lines.items():
            if line.owner == client:
                self._orphan(now, name, line, [*(each for each in undelivered if each.line == name)], outbox)
            if line.signaller == client:
                line.signaller = None

    def receive(self, now: float, client: Client, messages: Iterable[AnyToPlane]) -> None:
        """What a client says; the plane gets what is the client's to say."""
        self._plane.receive([message for message in messages if self._let_through(now, client, message)])

    def take(self, client: Client) -> list[FromPlane]:
        """All that waits for a client, oldest first."""
        return self._outboxes[client].take()

    # --- time ----------------------------------------------------------------------------------------------------------

    def advance(self, now: float) -> float | None:
        """All that is due at ``now``. Returns when to call again (``None``: when a message has come)."""
        self._plane.receive([CloseLine(line=name) for name, line in self._lines.items() if line.until <= now])
        out, wake = self._plane.advance(now)
        self._route(out)
        lonely = min((line.until for line in self._lines.values()), default=float("inf"))
        soonest = min(lonely, float("inf") if wake is None else wake)
        return None if soonest == float("inf") else soonest

    def end(self) -> None:
        """Nobody is to be served any more."""
        self._closing = True

    def close(self, now: float) -> None:
        """Close every line."""
        self._route(self._plane.close(now))

    # --- what comes in -------------------------------------------------------------------------------------------------

    def _let_through(self, now: float, client: Client, message: AnyToPlane) -> bool:
        line = self._lines.get(message.line)
        if isinstance(message, ClosePlane):
            if client == KEEPER:
                self.end()
            return False
        if isinstance(message, OpenLine) and line is None:
            self._lines[message.line] = _Line(client)
            return True
        if line is None:
            if isinstance(message, AttachLine):
                self._outboxes[client].add([no_such_line(message.line, now)])
            elif isinstance(message, CloseLine):
                self._outboxes[client].add([LineClosed(line=message.line, at=now)])
            return False
        if isinstance(message, AttachLine):
            self._attach(now, client, line, message)
            return True
        if client == (line.signaller if isinstance(message, SignalLeg) else line.owner):
            if isinstance(message, DetachLine):
                self._orphan(now, message.line, line, [], self._outboxes[client])
                line.signaller = None if line.signaller == client else line.signaller
                self._outboxes[client].add([LineDetached(line=message.line, at=now)])
            return not isinstance(message, DetachLine)
        if isinstance(message, OpenLine):
            text, hint = f"The line {message.line!r} is somebody else's.", "Attach to it to take it over."
            self._outboxes[client].add([LineError(line=message.line, at=now, error=text, hint=hint, fatal=True)])
        line.foreign += 1
        self.dropped += 1
        return False

    def _attach(self, now: float, client: Client, line: _Line, message: AttachLine) -> None:
        """``client`` is the owner from here on; it hears nothing before ``LineAttached``."""
        before = line.owner
        line.owner, line.until = client, float("inf")
        line.attaching.append((client, message.audio_since))
        if message.signals:
            line.signaller = client
        if before is not None:
            outbox = self._outboxes[before]
            line.keep(outbox.withdraw(message.line))
            if before not in (line.owner, line.signaller):
                text = "Another process goes on with this call."
                outbox.add([LineError(line=message.line, at=now, error=text, fatal=True)])

    def _orphan(self, now: float, name: str, line: _Line, undelivered: list[FromPlane], outbox: Outbox) -> None:
        line.owner, line.until = None, now + self._linger
        line.keep([*undelivered, *outbox.withdraw(name)])
        line.kept.dropped[name] += outbox.dropped.pop(name, 0)

    # --- what goes out -------------------------------------------------------------------------------------------------

    def _route(self, messages: Iterable[FromPlane]) -> None:
        for message in messages:
            self._tell(self._lines[message.line], message)
        for name in [name for name in self._lines if name not in self._plane]:
            self._give(self._lines.pop(name))

    def _tell(self, line: _Line, message: FromPlane) -> None:
        if isinstance(message, LegSignal) and line.signaller != line.owner:
            self._tell_signaller(line, message)
            return
        if isinstance(message, LineAttached) and line.attaching:
            client, since = line.attaching.popleft()
            if client == line.owner:
                again = [each for each in line.recent if since >= 0 and each.frame.at >= since]
                self._outboxes[client].add([message, *again])
                if not line.attaching:
                    self._give(line)
            return
        if isinstance(message, LineClosed):
            message = line.account(message)
            if line.signaller != line.owner:
                self._tell_signaller(line, message)
        if line.owner is None or line.attaching:
            line.kept.add([message])
        else:
            self._deliver(line, self._outboxes[line.owner], message)

    def _tell_signaller(self, line: _Line, message: FromPlane) -> None:
        if line.signaller is not None:
            self._outboxes[line.signaller].add([message])

    def _give(self, line: _Line) -> None:
        """What is kept goes to the owner, where there is one."""
        if line.owner is None:
            return
        outbox = self._outboxes[line.owner]
        outbox.dropped.update(line.kept.dropped)
        line.kept.dropped.clear()
        for message in line.kept.take():
            self._deliver(line, outbox, message)

    def _deliver(self, line: _Line, outbox: Outbox, message: FromPlane) -> None:
        if isinstance(message, MicAudio):
            line.remember(message)
        if not isinstance(message, LegSignal) or line.signaller == line.owner:
            outbox.add([message])


class _Line:
    """``recent``: caller audio that an owner was given. ``kept``: what no owner was given yet. ``attaching``: who asked
    for the line and is not answered yet, with the time from which on each wants sound. ``until``: when it is closed."""

    def __init__(self, client: Client) -> None:
        self.owner: Client | None = client
        self.signaller: Client | None = client
        self.attaching: deque[tuple[Client, float]] = deque()
        self.until = float("inf")
        self.recent: deque[MicAudio] = deque()
        self.kept = Outbox()
        self.foreign = 0
        self._samples = 0

    def keep(self, messages: Iterable[FromPlane]) -> None:
        """Take back what the last owner did not get."""
        back = [message for message in messages if not isinstance(message, LineAttached)]
        first = next((message.frame.at for message in back if isinstance(message, MicAudio)), float("inf"))
        while self.recent and self.recent[-1].frame.at >= first:
            self._samples -= self.recent.pop().frame.samples
        self.kept.add(back)

    def remember(self, message: MicAudio) -> None:
        """An owner gets this."""
        self.recent.append(message)
        self._samples += message.frame.samples
        while self._samples > MIC_KEPT:
            self._samples -= self.recent.popleft().frame.samples

    def account(self, closed: LineClosed) -> LineClosed:
        """With the count of what others sent."""
        if not self.foreign:
            return closed
        return msgspec.structs.replace(closed, counts={**closed.counts, "messages_of_others": self.foreign})
