"""One room's connection: joins, follows who is there, hears one of them, publishes the agent's voice. In the room thread.

What it is asked to send is ``RoomSender``'s.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable
from typing import Any

import msgspec
from livekit import rtc

from antiphon.audio import driver
from antiphon.audio.frames import EAR_RATE, PLAY_RATE, AudioFrame
from antiphon.audio.leg import LegEvent
from antiphon.transport.livekit.messages import (
    CHAT,
    Connected,
    Connection,
    DataCame,
    FromRoom,
    Here,
    Left,
    Linked,
    Participant,
    Published,
    RoomChanged,
)
from antiphon.transport.livekit.room_thread import RoomThread

log = logging.getLogger("antiphon")

CONNECT_WITHIN = 20.0
"""Seconds until joining has failed."""
QUEUE_MS = 100
"""The SDK's queue of the agent's sound; the leg keeps 40 ms or less in it."""
FRAME_MS = 20
MOST_FRAMES = 100
"""Frames of sound that may wait in either direction: 2 s."""

KINDS: dict[int, Any] = {0: "standard", 1: "ingress", 2: "egress", 3: "sip", 4: "agent", 5: "connector", 6: "bridge"}
SPEAKERS = ("standard", "sip", "connector")
"""Kinds of participants that an agent talks with unless it is told otherwise."""


class LiveKitOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``url``, ``token``: of the room. ``identity``: whom the agent hears; empty: the first that comes. ``kinds``: of
    participants it takes then. ``track_name``: of the agent's voice. ``topics``: of the text and byte streams that it takes."""

    url: str
    token: str
    identity: str = ""
    kinds: tuple[str, ...] = SPEAKERS
    track_name: str = "agent_voice"
    topics: tuple[str, ...] = (CHAT,)


class RoomConnection:
    """``tell``: gets what happens in the room, ``hear`` the linked participant's sound, ``event`` what it means for the call."""

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
        self.linked = ""
        self.voice_of_linked = ""
        """The sid of the track that is heard."""
        self.own_track = ""
        self.round_trip = 0.0
        self.failure = ""
        """Why the room was never joined."""
        self.closing = False
        self._sid = ""
        """The room's, once it is joined."""
        self._over = ""
        """Why the room was left or never joined."""
        self._reconnecting = False
        self._thread, self._options = thread, options
        self._tell, self._hear, self._event = tell, hear, event
        self._wanted = options.identity
        self._sound: deque[bytes] = deque(maxlen=MOST_FRAMES)
        self._more = asyncio.Event()
        self._listening: asyncio.Task[None] | None = None
        self._pumping: asyncio.Task[None] | None = None

    # --- joining and leaving -----------------------------------------------------------------------------------------

    async def run(self, prepare: Callable[[rtc.Room], object]) -> None:
        """Join. Never cancelled while it does: a join that is cut off can end the process (livekit/python-sdks#784).
        ``prepare``: is given the room before."""
        room = self.room = rtc.Room(loop=self._thread.loop)
        self._subscribe(room)
        prepare(room)
        try:
            await asyncio.shield(
                room.connect(self._options.url, self._options.token, rtc.RoomOptions(connect_timeout=CONNECT_WITHIN))
            )
            if self.closing:
                return
            await self._publish(room)
        except Exception as error:
            self._end("join_failed")
            self.failure = f"The room cannot be joined: {self._without_token(str(error))}"
            return
        finally:
            if self.closing:
                await self._disconnect()
        self._sid = await room.sid
        self._say_who_is_here(room)
        for each in list(room.remote_participants.values()):
            self._consider(each)

    def say_again(self) -> None:
        """Somebody new listens: how things stand. Before the room is joined there is nothing to say; joining says it."""
        if self._over:
            self._tell(Connection("over", self._over))
        elif self.room is not None and self._sid:
            self._say_who_is_here(self.room)
            self._tell(Linked(self.linked, self.voice_of_linked))
            if self._reconnecting:
                self._tell(Connection("lost"))

    def _say_who_is_here(self, room: rtc.Room) -> None:
        people = [_participant(each) for each in room.remote_participants.values()]
        me = _participant(room.local_participant)
        self._tell(Connected(name=room.name, sid=self._sid, metadata=room.metadata, me=me, participants=people))
        self._tell(Published(self.own_track))

    def _without_token(self, text: str) -> str:
        """A server may repeat the token, which lets whoever reads it join."""
        return text.replace(self._options.token, "...").strip()

    async def _publish(self, room: rtc.Room) -> None:
        source = rtc.AudioSource(PLAY_RATE, 1, queue_size_ms=QUEUE_MS, loop=self._thread.loop)
        track = rtc.LocalAudioTrack.create_audio_track(self._options.track_name, source)
        options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE)
        publication = await room.local_participant.publish_track(track, options)
        self.own_track = publication.sid
        self._pumping = self._thread.spawn(self._pump(source))

    def close(self) -> None:
        """Leave the room. Callable once, in the room thread."""
        self.closing = True
        if self.room is not None and self.room.isconnected():
            self._thread.spawn(self._disconnect())

    async def _disconnect(self) -> None:
        for task in (self._listening, self._pumping):
            if task is not None:
                task.cancel()
        if self.room is not None:
            await self.room.disconnect()

    # --- sound ---------------------------------------------------------------------------------------------------------

    def play(self, sound: bytes) -> None:
        """Send this now (16-bit mono at ``PLAY_RATE``)."""
        self._sound.append(sound)
        self._more.set()

    def clear(self) -> None:
        """Forget what waits here; what the SDK has goes on."""
        self._sound.clear()

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

    async def _listen(self, track: rtc.Track) -> None:
        stream = rtc.AudioStream(
            track,
            loop=self._thread.loop,
            capacity=MOST_FRAMES,
            sample_rate=EAR_RATE,
            num_channels=1,
            frame_size_ms=FRAME_MS,
        )
        try:
            async for event in stream:
                frame = event.frame
                data = bytes(frame.data)
                self._hear(AudioFrame.pcm(data, EAR_RATE, at=driver.now() - len(data) / 2 / EAR_RATE))
        finally:
            await stream.aclose()

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

    # --- who is there --------------------------------------------------------------------------------------------------

    def link(self, identity: str) -> None:
        """Hear this participant, or the first that comes."""
        self._wanted = identity
        room = self.room
        if room is None or (self.linked and (not identity or identity == self.linked)):
            return
        if self.linked:
            self._unlink()
        for each in list(room.remote_participants.values()):
            self._consider(each)

    def _consider(self, participant: rtc.RemoteParticipant) -> None:
        """Hear them if nobody is heard and they are whom we wait for."""
        if self.linked and participant.identity != self.linked:
            return
        kind = KINDS.get(participant.kind, "standard")
        if self._wanted and participant.identity != self._wanted:
            return
        if not self._wanted and kind not in self._options.kinds:
            return
        if self.room is None or self.own_track == "":
            return
        if not self.linked:
            self.linked = participant.identity
            self._event(LegEvent("up"))
        for publication in participant.track_publications.values():
            track = publication.track
            if track is not None and track.kind == rtc.TrackKind.KIND_AUDIO:
                self._heard_by(track, publication.sid)
                return
        self._tell(Linked(self.linked))

    def _heard_by(self, track: rtc.Track, sid: str) -> None:
        if self.voice_of_linked == sid:
            return
        if self._listening is not None:
            self._listening.cancel()
        self.voice_of_linked = sid
        self._listening = self._thread.spawn(self._listen(track))
        self._tell(Linked(self.linked, sid))

    def _unlink(self) -> None:
        if self._listening is not None:
            self._listening.cancel()
            self._listening = None
        self.linked = self.voice_of_linked = ""
        self._tell(Linked(""))

    # --- what happens --------------------------------------------------------------------------------------------------

    def _subscribe(self, room: rtc.Room) -> None:
        room.on("participant_connected", self._came)
        room.on("participant_disconnected", self._left)
        room.on("participant_metadata_changed", lambda who, old, new: self._changed(who))
        room.on("participant_name_changed", lambda who, old, new: self._changed(who))
        room.on("participant_attributes_changed", lambda changed, who: self._changed(who))
        room.on("track_subscribed", lambda track, publication, who: self._consider(who))
        room.on("track_unsubscribed", self._track_gone)
        room.on("room_metadata_changed", lambda old, new: self._tell(RoomChanged(new)))
        room.on("data_received", self._data)
        room.on("sip_dtmf_received", lambda key: self._event(LegEvent("dtmf", key.digit)))
        room.on("reconnecting", lambda: self._reconnects(True))
        room.on("reconnected", lambda: self._reconnects(False))
        room.on("disconnected", self._disconnected)

    def _came(self, who: rtc.RemoteParticipant) -> None:
        self._tell(Here(_participant(who)))
        self._consider(who)

    def _changed(self, who: rtc.Participant) -> None:
        if self.room is not None and who.identity != self.room.local_participant.identity:
            self._tell(Here(_participant(who)))

    def _left(self, who: rtc.RemoteParticipant) -> None:
        reason = _reason(who.disconnect_reason)
        self._tell(Left(who.identity, reason))
        if who.identity == self.linked:
            self._unlink()
            self._event(LegEvent("down", reason, certain=reason in CERTAIN))
            if self.room is not None:
                for each in list(self.room.remote_participants.values()):
                    self._consider(each)

    def _track_gone(
        self, track: rtc.Track, publication: rtc.RemoteTrackPublication, who: rtc.RemoteParticipant
    ) -> None:
        if publication.sid == self.voice_of_linked:
            self.voice_of_linked = ""
            if self._listening is not None:
                self._listening.cancel()
                self._listening = None
            self._tell(Linked(self.linked))

    def _data(self, packet: rtc.DataPacket) -> None:
        who = packet.participant.identity if packet.participant is not None else ""
        self._tell(DataCame(packet.topic or "", bytes(packet.data), who))

    def _end(self, reason: str) -> None:
        self._over = reason
        self._tell(Connection("over", reason))

    def _reconnects(self, lost: bool) -> None:
        self._reconnecting = lost
        self._tell(Connection("lost" if lost else "back"))

    def _disconnected(self, reason: int) -> None:
        if self.closing:
            return
        word = _reason(reason)
        self._end(word)
        self._event(LegEvent("down", word, certain=word in CERTAIN))


CERTAIN = frozenset({"client_initiated", "room_deleted", "room_closed", "user_rejected", "participant_removed"})
"""Reasons after which nobody comes back by himself."""


def _reason(value: Any) -> str:
    if value is None:
        return "unknown"
    try:
        return str(rtc.DisconnectReason.Name(value)).lower()
    except ValueError:
        return "unknown"


def _participant(who: Any) -> Participant:
    return Participant(
        identity=who.identity,
        sid=who.sid,
        name=who.name,
        kind=KINDS.get(who.kind, "standard"),
        metadata=who.metadata,
        attributes=dict(who.attributes),
    )
