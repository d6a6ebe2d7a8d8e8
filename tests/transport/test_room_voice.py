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
    """Publishing takes 0.1 s. ``tracks``: what others hear."""

    identity = "agent"
    permissions = SimpleNamespace(can_publish=True, can_publish_data=True, can_subscribe=True, hidden=False)

    def __init__(self) -> None:
        self.tracks: list[str] = []
        self.made = 0

    async def publish_track(self, track: Any, options: Any) -> Any:
        await asyncio.sleep(0.1)
        self.made += 1
        self.tracks.append(f"TR_{self.made}")
        return SimpleNamespace(sid=self.tracks[-1])

    async def unpublish_track(self, sid: str) -> None:
        self.tracks.remove(sid)


class StandIn:
    """A room that is joined at once."""

    name, metadata = "kitchen", ""

    def __init__(self, loop: Any) -> None:
        self.local_participant = Me()
        self.remote_participants: dict[str, Any] = {}

    def on(self, event: str, handler: Any) -> None:
        """Nothing happens here."""

    async def connect(self, *_: Any) -> None:
        """At once."""

    def isconnected(self) -> bool:
        return True

    @property
    async def sid(self) -> str:
        return "RM_1"


@pytest.mark.parametrize(("uses", "heard"), [((True,), 1), ((False,), 0), ((False, True), 1), ((True, False), 0)])
def test_a_voice_is_published_as_the_room_is_used_last_and_once(
    uses: tuple[bool, ...], heard: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    sdk = SimpleNamespace(
        Room=StandIn,
        RoomOptions=lambda **options: None,
        AudioSource=lambda *parts, **options: None,
        LocalAudioTrack=SimpleNamespace(create_audio_track=lambda *parts: None),
        TrackPublishOptions=lambda **options: None,
        TrackSource=SimpleNamespace(SOURCE_MICROPHONE=2),
    )
    monkeypatch.setattr(connections, "rtc", sdk)
    monkeypatch.setattr(connections, "participant_of", lambda who: Participant(identity=who.identity))

    async def main() -> None:
        loop = asyncio.get_running_loop()
        thread: Any = SimpleNamespace(loop=loop, spawn=loop.create_task)
        told: list[Any] = []
        options = LiveKitOptions("ws://room", "token", use=None)
        connection = RoomConnection(
            thread, options, tell=told.append, hear=lambda frame: None, event=lambda event: None
        )
        joining = loop.create_task(connection.run(lambda room: None))
        await asyncio.sleep(0.05)
        applied = [loop.create_task(connection.apply(RoomUse(speaks=speaks))) for speaks in uses]
        await asyncio.gather(joining, *applied)
        room: Any = connection.room
        assert len(room.local_participant.tracks) == heard
        published = [message.track for message in told if isinstance(message, Published)]
        assert published[-1] == connection.own_track == "".join(room.local_participant.tracks)

    asyncio.run(main())
