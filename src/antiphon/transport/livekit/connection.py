"""One room's connection: joins, publishes the agent's voice, follows who is there. In the room thread.

Whom it hears is ``RoomEars``'; what it is asked to send ``RoomSender``'s.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable

import msgspec
from livekit import rtc

from antiphon.audio.frames import PLAY_RATE, AudioFrame
from antiphon.audio.leg import LegEvent
from antiphon.errors import AudioError
from antiphon.transport.livekit.ears import RoomEars
from antiphon.transport.livekit.limits import MOST_METADATA, MOST_PACKET
from antiphon.transport.livekit.messages import (
    Connected,
    Connection,
    DataCame,
    FromRoom,
    Here,
    Left,
    Me,
    Published,
    Refused,
    RoomChanged,
)
from antiphon.transport.livekit.opening import Opening
from antiphon.transport.livekit.people import CERTAIN, participant_of, reason_of
from antiphon.transport.livekit.rights import NO_DATA, refusal
from antiphon.transport.livekit.room_thread import RoomThread
from antiphon.transport.livekit.room_use import CHAT, RoomUse

log = logging.getLogger("antiphon")

CONNECT_WITHIN = 20.0
"""Seconds until joining has failed."""
QUEUE_MS = 100
"""The SDK's queue of the agent's sound; the leg keeps 40 ms or less in it."""
MOST_FRAMES = 100
"""Frames of the agent's sound that may wait here: 2 s."""


class LiveKitOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``url``, ``token``: of the room. ``use``: how it is used; ``None``: a session will say. ``track_name``: of the agent's voice.
    ``topics``: of the text and byte streams that it takes. ``text_is_turn``: what is written on the chat is the caller's turn; else
    it is only told."""

    url: str
    token: str
    use: RoomUse | None = RoomUse()
    track_name: str = "agent_voice"
    topics: tuple[str, ...] = (CHAT,)
    text_is_turn: bool = True

    def __repr__(self) -> str:
        """Without the token."""
        return f"LiveKitOptions({self.url!r}, use={self.use!r})"


class RoomConnection:
    """``tell``: gets what happens in the room, ``hear`` the sound of those it hears, ``event`` what it means for the call."""

    def __init__(
        self,
        thread: RoomThread,
        options: LiveKitOptions,
        *,
        tell: Callable[[FromRoom], object],
        hear: Callable[[AudioFrame], object],
        event: Callable[[LegEvent], object],
    ) -> None:
        self.room: rtc.Room | None = None
        self.own_track = ""
        self.round_trip = 0.0
        self.failure: AudioError | None = None
        """Why the room cannot be used."""
        self.closing = False
        self._sid = ""
        """The room's, once it is joined."""
        self._over = ""
        """Why the room was left or never joined."""
        self._reconnecting = False
        self.options = options
        self._thread = thread
        self._tell = tell
        self.event = Opening(event)
        """Takes all that happens to the call."""
        self._decided = options.use is not None
        self.ears = RoomEars(
            thread, options.use or RoomUse(), people=self._people, tell=tell, hear=hear, event=self.event
        )
        self._sound: deque[bytes] = deque(maxlen=MOST_FRAMES)
        self._more = asyncio.Event()
        self._pumping: asyncio.Task[None] | None = None
        self._taken: asyncio.Task[None] | None = None
        self._may_send = True
        self._voicing = asyncio.Lock()

    @property
    def use(self) -> RoomUse:
        """How the room is used now."""
        return self.ears.use

    def _people(self) -> list[rtc.RemoteParticipant]:
        return [] if self.room is None else list(self.room.remote_participants.values())

    # --- joining and leaving -----------------------------------------------------------------------------------------

    async def run(self, prepare: Callable[[rtc.Room], object]) -> None:
        """Join. Never cancelled while it does: a join that is cut off can end the process (livekit/python-sdks#784).
        ``prepare``: is given the room before."""
        room = self.room = rtc.Room(loop=self._thread.loop)
        self._subscribe(room)
        prepare(room)
        try:
            await asyncio.shield(
                room.connect(
                    self.options.url,
                    self.options.token,
                    rtc.RoomOptions(auto_subscribe=False, connect_timeout=CONNECT_WITHIN),
                )
            )
            if self.closing:
                return
            await self._voice_as_wanted(room)
        except Exception as error:
            self._end("join_failed")
            self.failure = AudioError(
                f"The room cannot be joined: {self._without_token(str(error))}",
                hint="Check the server's address, and the token's room and keys.",
            )
            return
        finally:
            if self.closing:
                await self._disconnect()
        self._sid = await room.sid
        self._say_who_is_here(room)
        self._check_permissions()
        if not self._reconnecting:
            self.ears.begin()

    def say_again(self) -> None:
        """Somebody new listens: how things stand. Before the room is joined there is nothing to say; joining says it."""
        if self._over:
            self._tell(Connection("over", self._over))
        elif self.room is not None and self._sid:
            self._say_who_is_here(self.room)
            self.ears.say_linked()
            if self._reconnecting:
                self._tell(Connection("lost"))

    def _say_who_is_here(self, room: rtc.Room) -> None:
        people = [participant_of(each) for each in self._people()]
        me, metadata = participant_of(room.local_participant), _metadata(room.metadata)
        self._tell(Connected(name=room.name, sid=self._sid, metadata=metadata, me=me, participants=people))
        self._tell(Published(self.own_track))

    def _without_token(self, text: str) -> str:
        """A server may repeat the token, which lets whoever reads it join."""
        return text.replace(self.options.token, "...").strip()

    async def apply(self, use: RoomUse) -> None:
        """What the session wants of the room."""
        self._decided = True
        self.ears.apply(use)
        room = self.room
        if room is None or not room.isconnected():
            return
        await self._voice_as_wanted(room)
        self._check_permissions()

    async def _voice_as_wanted(self, room: rtc.Room) -> None:
        """Publish the agent's voice or take it back, as ``use`` says when the one before has been done. Joining tells of it itself."""
        async with self._voicing:
            before, speaks = self.own_track, self.use.speaks
            if before and not speaks:
                self.own_track = ""
                self._stop_voice()
                self.event.wait_no_more()
                await room.local_participant.unpublish_track(before)
            elif not before and speaks and room.local_participant.permissions.can_publish:
                await self._publish(room)
            if self._sid and self.own_track != before:
                self._tell(Published(self.own_track))

    def _check_permissions(self) -> None:
        """A token that does not let the agent do its part is said so, not found out by silence."""
        room = self.room
        if not self._decided or room is None or not room.isconnected() or self.failure is not None:
            return
        may = room.local_participant.permissions
        self.failure = refusal(may, self.use)
        if self.failure is None and self._may_send and not may.can_publish_data:
            self.event(LegEvent("error", NO_DATA))
        self._may_send = may.can_publish_data

    async def _publish(self, room: rtc.Room) -> None:
        source = rtc.AudioSource(PLAY_RATE, 1, queue_size_ms=QUEUE_MS, loop=self._thread.loop)
        track = rtc.LocalAudioTrack.create_audio_track(self.options.track_name, source)
        options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE)
        publication = await room.local_participant.publish_track(track, options)
        self.own_track = publication.sid
        self._pumping = self._thread.spawn(self._pump(source))
        self._taken = self._thread.spawn(self.event.wait(publication))

    def _stop_voice(self) -> None:
        for task in (self._pumping, self._taken):
            if task is not None:
                task.cancel()

    def close(self) -> None:
        """Leave the room. Callable once, in the room thread."""
        self.closing = True
        if self.room is not None and self.room.isconnected():
            self._thread.spawn(self._disconnect())

    async def _disconnect(self) -> None:
        self.ears.close()
        self._stop_voice()
        if self.room is not None:
            await self.room.disconnect()

    # --- the agent's sound ---------------------------------------------------------------------------------------------

    def play(self, sound: bytes) -> None:
        """Send this now (16-bit mono at ``PLAY_RATE``)."""
        self._sound.append(sound)
        self._more.set()

    async def _pump(self, source: rtc.AudioSource) -> None:
        while True:
            await self._more.wait()
            self._more.clear()
            while self._sound:
                data = b"".join(self._sound)
                self._sound.clear()
                frame = rtc.AudioFrame(data, PLAY_RATE, 1, len(data) // 2)
                with contextlib.suppress(Exception):  # the room is being left
                    await source.capture_frame(frame)

    async def measure(self) -> None:
        """Ask for the round trip to the server."""
        room = self.room
        if room is None or not room.isconnected():
            return
        stats = await room.get_rtc_stats()
        for entry in (*stats.publisher_stats, *stats.subscriber_stats):
            if entry.WhichOneof("stats") == "candidate_pair":
                pair = entry.candidate_pair.candidate_pair
                if pair.nominated and pair.current_round_trip_time > 0:
                    self.round_trip = pair.current_round_trip_time

    # --- what happens --------------------------------------------------------------------------------------------------

    def _subscribe(self, room: rtc.Room) -> None:
        room.on("participant_connected", self._came)
        room.on("participant_disconnected", self._left)
        room.on("participant_metadata_changed", lambda who, old, new: self._changed(who))
        room.on("participant_name_changed", lambda who, old, new: self._changed(who))
        room.on("participant_attributes_changed", lambda changed, who: self._changed(who))
        room.on("participant_permissions_changed", lambda who, permissions: self._changed(who))
        room.on("track_published", lambda publication, who: self.ears.consider(who))
        room.on("track_subscribed", lambda track, publication, who: self.ears.consider(who))
        room.on("track_unsubscribed", lambda track, publication, who: self.ears.track_gone(publication.sid))
        room.on("room_metadata_changed", lambda old, new: self._tell(RoomChanged(_metadata(new))))
        room.on("data_received", self._data)
        room.on("sip_dtmf_received", self._key)
        room.on("local_track_republished", lambda publication, before: self._published(publication.sid))
        room.on("reconnecting", lambda: self._reconnects(True))
        room.on("reconnected", lambda: self._reconnects(False))
        room.on("disconnected", self._disconnected)

    def _came(self, who: rtc.RemoteParticipant) -> None:
        self._tell(Here(participant_of(who)))
        self.ears.consider(who)

    def _changed(self, who: rtc.Participant) -> None:
        if self.room is None:
            return
        if who.identity == self.room.local_participant.identity:
            self._tell(Me(participant_of(who)))
            self._check_permissions()
        else:
            self._tell(Here(participant_of(who)))

    def _left(self, who: rtc.RemoteParticipant) -> None:
        reason = reason_of(who.disconnect_reason)
        self._tell(Left(who.identity, reason))
        self.ears.gone(who, reason)

    def _data(self, packet: rtc.DataPacket) -> None:
        who = packet.participant.identity if packet.participant is not None else ""
        if len(packet.data) > MOST_PACKET:
            why = f"a data packet has {len(packet.data)} bytes, more than {MOST_PACKET}"
            self._tell(Refused(packet.topic or "", who, why))
            return
        self._tell(DataCame(packet.topic or "", bytes(packet.data), who))

    def _key(self, key: rtc.SipDTMF) -> None:
        if key.participant is None or self.ears.talks_with(key.participant.identity):
            self.event(LegEvent("dtmf", key.digit))

    def _published(self, sid: str) -> None:
        """After a connection that was made anew, the voice has another name."""
        self.own_track = sid
        self._tell(Published(sid))

    def _end(self, reason: str) -> None:
        self._over = reason
        self._tell(Connection("over", reason))

    def _reconnects(self, lost: bool) -> None:
        self._reconnecting = lost
        self._tell(Connection("lost" if lost else "back"))
        if lost:
            self.ears.pause()
        elif self._sid:
            self.ears.begin()

    def _disconnected(self, reason: int) -> None:
        if self.closing:
            return
        word = reason_of(reason)
        self._end(word)
        self.event(LegEvent("down", word, certain=word in CERTAIN))


def _metadata(text: str) -> str:
    return text if len(text) <= MOST_METADATA else ""
