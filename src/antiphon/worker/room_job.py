"""A job in a LiveKit room: the line, which joins the room at once, and what the entrypoint is given."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING, Any

import msgspec

from antiphon.audio.seam import LegSpec, PlaneLink
from antiphon.errors import AudioError, ConfigurationError
from antiphon.session.lanes import Lane
from antiphon.session.services import Services
from antiphon.transport.livekit.limits import RoomError
from antiphon.transport.livekit.messages import (
    AnyToRoom,
    Heard,
    Linked,
    Participant,
    Spoke,
    read_from_room,
    write,
)
from antiphon.transport.livekit.mixer import SpeakerLog
from antiphon.worker.early_line import EarlyLine
from antiphon.worker.engine import Assignment, JobOffer
from antiphon.worker.job import JobContext
from antiphon.worker.observers import ObserverFeed
from antiphon.worker.room import Room
from antiphon.worker.room_io import RoomIO
from antiphon.worker.room_options import RoomOptions

if TYPE_CHECKING:
    from livekit.api import LiveKitAPI

    from antiphon.session.session import AgentSession

logger = logging.getLogger("antiphon")

USED_WITHIN = 25.0
"""Seconds until a room that does not say that it is used as the session wants counts as not joined: its line says why."""

LATER: dict[str, Any] = {"use": None, "text_is_turn": False}
"""How the room is used is said by the session when it begins; what is written there it reads itself."""


class RoomJobContext(JobContext):
    """A ``JobContext`` with a room. ``job``: as it was dispatched; ``room``: see ``Room``; ``api``: LiveKit's server API."""

    def __init__(self, job: JobOffer, room: Room, line: RoomLine, server: tuple[str, str, str], **options: Any) -> None:
        super().__init__(**options)
        self.job, self.room = job, room
        self._line, self._server = line, server
        self._api: LiveKitAPI | None = None
        self._io: RoomIO | None = None
        self._feed: ObserverFeed | None = None
        self.room_options = RoomOptions()
        self.party_grace = self.room_options.party_grace
        room.context = self

    @property
    def api(self) -> LiveKitAPI:
        """LiveKit's server API with this worker's key, made when first asked for."""
        if self._api is None:
            self._api = import_module("livekit.api").LiveKitAPI(*self._server)
        return self._api

    def use_room(self, options: Any) -> None:
        """How the session uses the room: see ``RoomOptions``."""
        if not isinstance(options, RoomOptions):
            raise ConfigurationError(
                f"room_options= takes RoomOptions, not {type(options).__name__}.",
                hint="from antiphon import RoomOptions",
            )
        self.room_options, self.party_grace = options, options.party_grace

    async def connect(self) -> None:
        """Until the room is joined (it has been on the way since the job came). Raises ``RoomError``."""
        await self.room.wait_connected()

    async def wait_for_participant(self, identity: str = "", kinds: Iterable[str] = ()) -> Participant:
        """See ``Room.wait_for_participant``."""
        return await self.room.wait_for_participant(identity, kinds)

    async def delete_room(self) -> None:
        """End the room for everybody."""
        messages = import_module("livekit.api")
        await self.api.room.delete_room(messages.DeleteRoomRequest(room=self.room.name))

    def _attach(self, session: AgentSession[Any]) -> None:
        super()._attach(session)
        self._io = RoomIO(session, self.room, self._line.send, self.room_options)
        if self.room_options.observer_events:
            self._feed = ObserverFeed(session, self.room, self.redaction)

    async def _services(self, session: AgentSession[Any], record: bool | str) -> Services:
        if self.leg is not None and self.leg.transport == "livekit":
            with suppress(RoomError, TimeoutError):  # a room that is over ends the session by its line
                async with asyncio.timeout(USED_WITHIN):
                    await self.room.use(self.room_options.use())
        if not self.room_options.audio_input:
            self._line.forget_sound()
        services = await super()._services(session, record)
        services.who_spoke, services.speaks = self._line.who_spoke, self.room_options.audio_output
        return services

    async def _release(self) -> None:
        if self._released:
            return
        if self._feed is not None:
            await self._feed.aclose()
        if self._io is not None:
            self._io.close()
        await super()._release()
        if self.session is not None and self.room_options.delete_room_on_close and not self.goes_on:
            try:
                await self.delete_room()
            except Exception as error:
                logger.warning("room %s was not deleted: %s", self.room.name, error)
        if self._api is not None:
            api, self._api = self._api, None
            await api.aclose()


def room_leg(assignment: Assignment) -> LegSpec:
    """The leg that joins the job's room."""
    return LegSpec("livekit", {"url": assignment.url, "token": assignment.token, **LATER})


class RoomLine:
    """The line of one room, between the user's lane and the core's. ``server``: address, key and secret of the LiveKit server.
    ``on_lost``: see ``EarlyLine``."""

    def __init__(
        self,
        id: str,
        assignment: Assignment,
        *,
        server: tuple[str, str, str],
        plane: PlaneLink,
        core: Lane,
        user: Lane,
        on_lost: Callable[[], object] | None = None,
    ) -> None:
        self.room = Room(assignment.offer.room, self.send)
        self._core, self._user = core, user
        self._job, self._server = assignment.offer, server
        self._speakers, self._everybody = SpeakerLog(), False
        self._heard: tuple[str, ...] = ()
        self._linked: deque[tuple[float, str]] = deque(maxlen=64)
        self.line = EarlyLine(plane, id, on_signal=self._signal, on_closed=self._closed, on_lost=on_lost)
        self.leg = room_leg(assignment)

    def open(self) -> None:
        """Join the room; on the core's lane. Raises ``AudioError`` when the plane is gone."""
        self.line.open(self.leg)

    async def attach(self, *, fresh: bool) -> None:
        """Go on with a room that is joined; on the core's lane. Raises ``AudioError`` where it is not."""
        self.line.attach(fresh=fresh)
        await self.line.wait_attached()

    def forget_sound(self) -> None:
        """What was heard before the session began is not for it; from the user's lane."""
        self._core.post(lambda: self.line.forget(sound_only=True))

    def close(self) -> None:
        """Leave it, where no session has taken the line over; on the core's lane."""
        self.line.close()

    def context(self, **options: Any) -> RoomJobContext:
        """For the entrypoint."""
        options = {"id": self.line.line, "leg": self.leg, "plane": self.line, **options}
        return RoomJobContext(self._job, self.room, self, self._server, metadata=self._job.metadata, **options)

    def send(self, message: AnyToRoom) -> None:
        """From the user's lane to the connection."""
        self._core.post(self._pass_on, write(message))

    def _pass_on(self, text: str) -> None:
        try:
            self.line.signal(text)
        except AudioError:
            self._closed()

    def _signal(self, text: str) -> None:
        try:
            message = read_from_room(text)
        except msgspec.MsgspecError:
            logger.warning("a message of the room's connection cannot be read")
            return
        if isinstance(message, Linked):
            self._link(message.identity)
        elif isinstance(message, Heard):
            self._heard = tuple(message.tracks)
        elif isinstance(message, Spoke):
            self._everybody = True
            self._speakers.add(message.identity, message.since, message.until)
            return
        self._user.post(self.room.take, message)

    def _link(self, identity: str) -> None:
        before = self._linked[-1][1] if self._linked else ""
        if identity != before:
            self._linked.append((self._core.loop.time(), identity))
            if before and not identity:
                self.line.forget()

    def who_spoke(self, since: float, until: float) -> str:
        """The participant who spoke most between these times of the capture clock; on the core's lane."""
        if self._everybody:
            loudest = self._speakers.who(since, until)
            return loudest or (self._heard[0] if len(self._heard) == 1 else "")
        return next((who for at, who in reversed(self._linked) if at <= max(since, self._linked[0][0])), "")

    def _closed(self) -> None:
        self._user.post(self.room.over, "closed")
