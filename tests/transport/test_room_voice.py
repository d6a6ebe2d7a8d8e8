"""The agent's voice in a room, however the room is used while it is published. The room is a stand-in: the SDK publishes when it likes."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("livekit.rtc")

from antiphon.transport.livekit import connection as connections
from antiphon.transport.livekit.connection import LiveKitOptions, RoomConnection
from antiphon.transport.livekit.messages import Participant, Published
from antiphon.transport.livekit.room_use import RoomUse


class Me:
    """Publishing takes 0.1 s. ``tracks``: what others hear. ``taken``: a client takes it."""

    identity = "agent"
    permissions = SimpleNamespace(can_publish=True, can_publish_data=True, can_subscribe=True, hidden=False)

    def __init__(self) -> None:
        self.tracks: list[str] = []
        self.made = 0
        self.taken = asyncio.Event()

    async def publish_track(self, track: Any, options: Any) -> Any:
        await asyncio.sleep(0.1)
        self.made += 1
        self.tracks.append(f"TR_{self.made}")
        return SimpleNamespace(sid=self.tracks[-1], wait_for_subscription=self.taken.wait)

    async def unpublish_track(self, sid: str) -> None:
        self.tracks.remove(sid)


class StandIn:
    """A room that is joined at once."""

    name, metadata = "kitchen", ""

    def __init__(self, loop: Any) -> None:
        self.local_participant = Me()
        self.remote_participants: dict[str, Any] = {}
        self.handlers: dict[str, Any] = {}

    def on(self, event: str, handler: Any) -> None:
        self.handlers[event] = handler

    async def connect(self, *_: Any) -> None:
        """At once."""

    def isconnected(self) -> bool:
        return True

    @property
    async def sid(self) -> str:
        return "RM_1"


class Track:
    """Somebody's microphone, which nobody has subscribed to. ``asked``: whether it was asked for, each time."""

    sid, kind, source, track = "TR_caller", 1, 2, None

    def __init__(self) -> None:
        self.asked: list[bool] = []

    def set_subscribed(self, subscribed: bool) -> None:
        self.asked.append(subscribed)


@pytest.fixture
def sdk(monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK's place is taken."""
    made = SimpleNamespace(
        Room=StandIn,
        RoomOptions=lambda **options: None,
        AudioSource=lambda *parts, **options: None,
        LocalAudioTrack=SimpleNamespace(create_audio_track=lambda *parts: None),
        TrackPublishOptions=lambda **options: None,
        TrackSource=SimpleNamespace(SOURCE_MICROPHONE=2),
    )
    monkeypatch.setattr(connections, "rtc", made)
    monkeypatch.setattr(connections, "participant_of", lambda who: Participant(identity=who.identity))


def connected_by(told: list[Any], use: RoomUse | None, events: list[Any]) -> RoomConnection:
    loop = asyncio.get_running_loop()
    thread: Any = SimpleNamespace(loop=loop, spawn=loop.create_task)
    options = LiveKitOptions("ws://room", "token", use=use)
    return RoomConnection(thread, options, tell=told.append, hear=lambda frame: None, event=events.append)


@pytest.mark.parametrize(("uses", "heard"), [((True,), 1), ((False,), 0), ((False, True), 1), ((True, False), 0)])
def test_a_voice_is_published_as_the_room_is_used_last_and_once(uses: tuple[bool, ...], heard: int, sdk: None) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        told: list[Any] = []
        connection = connected_by(told, None, [])
        joining = loop.create_task(connection.run(lambda room: None))
        await asyncio.sleep(0.05)
        applied = [loop.create_task(connection.apply(RoomUse(speaks=speaks))) for speaks in uses]
        await asyncio.gather(joining, *applied)
        room: Any = connection.room
        assert len(room.local_participant.tracks) == heard
        published = [message.track for message in told if isinstance(message, Published)]
        assert published[-1] == connection.own_track == "".join(room.local_participant.tracks)

    asyncio.run(main())


def test_a_caller_who_comes_while_the_connection_is_lost_is_asked_for_when_it_is_back(sdk: None) -> None:
    """The SDK tells who is there before it can send: what it is asked for until ``reconnected`` it drops."""

    async def main() -> None:
        connection = connected_by([], RoomUse(speaks=False), [])
        await connection.run(lambda room: None)
        room: Any = connection.room
        track = Track()
        caller = SimpleNamespace(identity="caller", kind=0, track_publications={track.sid: track})
        room.handlers["reconnecting"]()
        room.remote_participants["caller"] = caller
        room.handlers["participant_connected"](caller)
        room.handlers["track_published"](track, caller)
        assert track.asked == []
        room.handlers["reconnected"]()
        assert track.asked == [True] and connection.ears.linked == "caller"

    asyncio.run(main())


def test_the_call_begins_when_the_caller_hears_the_agent(sdk: None) -> None:
    async def main() -> None:
        events: list[Any] = []
        connection = connected_by([], RoomUse(), events)
        joining = asyncio.get_running_loop().create_task(connection.run(lambda room: None))
        await asyncio.sleep(0.05)
        room: Any = connection.room
        room.remote_participants["caller"] = SimpleNamespace(identity="caller", kind=0, track_publications={})
        await joining
        assert connection.ears.linked == "caller" and events == []
        room.local_participant.taken.set()
        await asyncio.sleep(0.01)
        assert [event.kind for event in events] == ["up"]

    asyncio.run(main())
