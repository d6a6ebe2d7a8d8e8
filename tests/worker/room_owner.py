"""A process that has a room's line and can be killed. Run: room_owner.py SOCKET URL TOKEN. Says "speaking", and then speaks."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from antiphon.audio.frames import PLAY_RATE, AudioFrame
from antiphon.audio.plane_client import connect_plane
from antiphon.audio.seam import AnyToPlane, LegSpec, PlaneLink, PlaySpeech, PushAudio
from antiphon.transport.livekit.messages import read_from_room, write
from antiphon.worker.early_line import EarlyLine
from antiphon.worker.room import Room
from tests.audio.plane_driver import tone


class RoomOwner:
    """A room and its line, of one client. ``said``: what the plane said besides signals."""

    def __init__(self, plane: PlaneLink) -> None:
        self.room = Room("", lambda message: self.line.signal(write(message)))
        self.line = EarlyLine(plane, "job", on_signal=lambda text: self.room.take(read_from_room(text)))
        self.said: list[Any] = []

    def listen(self) -> None:
        self.line.subscribe("job", self.said.extend)

    def speak(self, name: str, seconds: float) -> None:
        frame = AudioFrame.pcm(tone(seconds, PLAY_RATE).tobytes(), PLAY_RATE)
        messages: tuple[AnyToPlane, ...] = (
            PushAudio(line="job", speech=name, frame=frame, last=True),
            PlaySpeech(line="job", speech=name),
        )
        for message in messages:
            self.line.send(message)


async def main(path: str, url: str, token: str) -> None:
    owner = RoomOwner(await connect_plane(path))
    owner.line.open(LegSpec("livekit", {"url": url, "token": token}))
    await owner.room.wait_connected()
    await owner.room.wait_for_participant()
    await owner.room.set_attributes({"owner": "first"})
    owner.speak("s", 4.0)
    await asyncio.sleep(0.2)
    print("speaking", flush=True)
    await asyncio.sleep(60)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
