"""``ctx.room``: a LiveKit room as the program sees it. Lives on the user's lane.

The connection itself is in the media process (``transport/livekit``): this is its typed proxy, fed by messages, so that nothing
here blocks sound and the agent's participant stays in the room when this process goes.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from antiphon.transport.livekit.limits import RoomError
from antiphon.transport.livekit.messages import (
    AnyFromRoom,
    AnyToRoom,
    BytesCame,
    Connected,
    Connection,
    DataCame,
    Done,
    FromRoom,
    Heard,
    Here,
    Left,
    Linked,
    Me,
    Participant,
    Refused,
    RoomChanged,
    RpcCame,
    TextCame,
)
from antiphon.transport.livekit.room_use import SPEAKERS
from antiphon.worker.room_requests import RoomRequests

logger = logging.getLogger("antiphon")

MOST_UNREAD = 64
"""Texts that wait for the session."""

EVENTS = (
    "connected",
    "reconnecting",
    "reconnected",
    "disconnected",
    "participant_connected",
    "participant_disconnected",
    "participant_changed",
    "participant_attributes_changed",
    "participant_metadata_changed",
    "participant_linked",
    "room_metadata_changed",
    "text_received",
    "bytes_received",
    "data_received",
    "permissions_changed",
    "refused",
)


class AttributesChanged(FromRoom, frozen=True, tag="attributes_changed"):
    """What changed of somebody's attributes; an empty value: it is gone."""

    identity: str
    attributes: dict[str, str]


class Room(RoomRequests):
    """The room of a job.

    ``name``, ``sid``, ``metadata``: the room's. ``me``: the agent's participant. ``participants``: the others, by identity.
    ``linked``: identity of the one the agent talks with; ``heard``: of all whom it hears, with their tracks, where it hears
    several. ``context``: the job's. Events (``on``): see ``EVENTS``; a handler gets the message that it
    is about (``antiphon.transport.livekit.messages``).
    """

    def __init__(self, name: str, send: Callable[[AnyToRoom], object]) -> None:
        super().__init__(send)
        self.name, self.sid, self.metadata = name, "", ""
        self.linked = ""
        self.heard: dict[str, str] = {}
        self.context: Any = None
        self.unread: list[TextCame] = []
        """What was written to the agent before its session began."""
        self._handlers: dict[str, list[Callable[..., Any]]] = {name: [] for name in EVENTS}
        self._changes: list[asyncio.Future[None]] = []
        self._tasks: set[asyncio.Task[None]] = set()

    # --- events --------------------------------------------------------------------------------------------------------

    def on(self, event: str, handler: Callable[..., Any] | None = None) -> Callable[..., Any]:
        """Call ``handler`` (function or coroutine) at each ``event``; without one, a decorator."""
        if event not in self._handlers:
            raise RoomError(f"A room has no event {event!r}.", hint=f"It has: {', '.join(EVENTS)}.")
        if handler is None:
            return lambda given: self.on(event, given)
        self._handlers[event].append(handler)
        return handler

    def off(self, event: str, handler: Callable[..., Any]) -> None:
        """Undo ``on``."""
        self._handlers[event].remove(handler)

    def take(self, message: AnyFromRoom) -> None:
        """What the connection says."""
        match message:
            case Connected():
                self.name, self.sid, self.metadata = message.name, message.sid, message.metadata
                first, self.me, self.state = self.state == "connecting", message.me, "connected"
                self.participants = {each.identity: each for each in message.participants}
                if first:
                    self._emit("connected", message)
            case Connection(state="lost"):
                self.state = "reconnecting"
                self._emit("reconnecting", message)
            case Connection(state="back"):
                self.state = "connected"
                self._emit("reconnected", message)
            case Connection():
                self.over(message.reason)
            case Here(participant=participant):
                known = self.participants.get(participant.identity)
                self.participants[participant.identity] = participant
                self._emit("participant_connected" if known is None else "participant_changed", message)
                if known is not None:
                    self._compare(known, participant)
            case Left():
                self.participants.pop(message.identity, None)
                self._emit("participant_disconnected", message)
            case Linked():
                if message.identity != self.linked:
                    self.linked = message.identity
                    self._emit("participant_linked", message)
            case Heard():
                self.heard = message.tracks
            case Me(participant=participant):
                before, self.me = self.me, participant
                if before.permissions != participant.permissions:
                    self._emit("permissions_changed", message)
            case RoomChanged():
                self.metadata = message.metadata
                self._emit("room_metadata_changed", message)
            case TextCame():
                if not self._handlers["text_received"] and len(self.unread) < MOST_UNREAD:
                    self.unread.append(message)
                self._emit("text_received", message)
            case BytesCame():
                self._emit("bytes_received", message)
            case DataCame():
                self._emit("data_received", message)
            case Refused():
                self._emit("refused", message)
            case RpcCame():
                self._spawn(self._serve(message))
            case Done():
                self._done(message)
            case _:
                return
        changes, self._changes = self._changes, []
        for future in changes:
            if not future.done():
                future.set_result(None)

    def _compare(self, before: Participant, now: Participant) -> None:
        names = before.attributes.keys() | now.attributes.keys()
        changed = {
            name: now.attributes.get(name, "")
            for name in sorted(names)
            if before.attributes.get(name) != now.attributes.get(name)
        }
        if changed:
            self._emit("participant_attributes_changed", AttributesChanged(now.identity, changed))
        if before.metadata != now.metadata:
            self._emit("participant_metadata_changed", Here(now))

    def over(self, reason: str) -> None:
        """The room is left: nobody waits any longer."""
        if self.state == "disconnected":
            return
        self.state, self.reason = "disconnected", reason
        for future in self._asked.values():
            if not future.done():
                future.set_exception(RoomError(f"The room was left ({reason or 'closed'})."))
        self._emit("disconnected", Connection("over", reason))
        changes, self._changes = self._changes, []
        for change in changes:
            if not change.done():
                change.set_result(None)

    def _emit(self, event: str, message: FromRoom) -> None:
        for handler in list(self._handlers[event]):
            try:
                result = handler(message)
            except Exception:
                logger.exception("a handler of the room's %s raised", event)
                continue
            if inspect.isawaitable(result):
                self._spawn(_finish(event, result))

    def _spawn(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _change(self) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._changes.append(future)
        await future

    # --- waiting -------------------------------------------------------------------------------------------------------

    async def wait_connected(self) -> None:
        """Until the room is joined. Raises ``RoomError`` where that fails."""
        while self.state == "connecting":
            await self._change()
        if self.state == "disconnected":
            raise RoomError(f"The room was not joined or was left ({self.reason}).")

    async def wait_for_participant(self, identity: str = "", kinds: Iterable[str] = ()) -> Participant:
        """The participant of this identity, or the first of these kinds (``standard``, ``sip`` or ``connector`` where none is named),
        once it is there; nobody who looks on. Raises ``RoomError`` when the room is left before."""
        wanted = set(kinds) or (set() if identity else set(SPEAKERS))
        while True:
            for each in self.participants.values():
                right = each.identity == identity if identity else not self.uses.observes(each.identity)
                if right and (not wanted or each.kind in wanted):
                    return each
            if self.state == "disconnected":
                raise RoomError(f"The room was left ({self.reason}) before anybody came.")
            await self._change()


async def _finish(event: str, work: Awaitable[object]) -> None:
    try:
        await work
    except Exception:
        logger.exception("a handler of the room's %s raised", event)
