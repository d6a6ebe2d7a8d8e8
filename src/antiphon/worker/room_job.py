"""A job in a LiveKit room: the line, which joins the room at once, and what the entrypoint is given."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from importlib import import_module
from typing import TYPE_CHECKING, Any

import msgspec

from antiphon.audio.seam import LegSpec, PlaneLink
from antiphon.errors import AudioError
from antiphon.session.lanes import Lane
from antiphon.transport.livekit.messages import AnyToRoom, Participant, read_from_room, write
from antiphon.worker.early_line import EarlyLine
from antiphon.worker.engine import Assignment, JobOffer
from antiphon.worker.job import JobContext
from antiphon.worker.room import Room
from antiphon.worker.room_io import RoomIO

if TYPE_CHECKING:
    from livekit.api import LiveKitAPI

    from antiphon.session.session import AgentSession

logger = logging.getLogger("antiphon")


class RoomJobContext(JobContext):
    """A ``JobContext`` with a room. ``job``: as it was dispatched; ``room``: see ``Room``; ``api``: LiveKit's server API."""

    def __init__(self, job: JobOffer, room: Room, line: RoomLine, server: tuple[str, str, str], **options: Any) -> None:
        super().__init__(**options)
        self.job, self.room = job, room
        self._line, self._server = line, server
        self._api: LiveKitAPI | None = None
        self._io: RoomIO | None = None

    @property
    def api(self) -> LiveKitAPI:
        """LiveKit's server API with this worker's key, made when first asked for."""
        if self._api is None:
            self._api = import_module("livekit.api").LiveKitAPI(*self._server)
        return self._api

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
        self._io = RoomIO(session, self._line.send, lambda: self.room.linked)

    async def _release(self) -> None:
        await super()._release()
        if self._api is not None:
            api, self._api = self._api, None
            await api.aclose()


def room_leg(assignment: Assignment) -> LegSpec:
    """The leg that joins the job's room."""
    return LegSpec("livekit", {"url": assignment.url, "token": assignment.token})


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
        self.line = EarlyLine(plane, id, on_signal=self._signal, on_closed=self._closed, on_lost=on_lost)
        self.leg = room_leg(assignment)

    def open(self) -> None:
        """Join the room; on the core's lane. Raises ``AudioError`` when the plane is gone."""
        self.line.open(self.leg)

    async def attach(self, *, fresh: bool) -> None:
        """Go on with a room that is joined; on the core's lane. Raises ``AudioError`` where it is not."""
        self.line.attach(fresh=fresh)
        await self.line.wait_attached()

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
        self._user.post(self.room.take, message)

    def _closed(self) -> None:
        self._user.post(self.room.over, "closed")
