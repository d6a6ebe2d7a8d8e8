"""A LiveKit room whose process is killed: the agent stays in it, is heard, and the next process is told who is there."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from livekit import api

from antiphon.audio.plane_client import connect_plane
from antiphon.audio.process_plane import ProcessPlane
from antiphon.audio.seam import CloseLine, LineClosed, Settled
from tests.worker.livekit_server import KEY, SECRET, LiveKitProcess
from tests.worker.room_agent import a_room
from tests.worker.room_caller import RoomCaller
from tests.worker.room_owner import RoomOwner

PROGRAM = Path(__file__).with_name("room_owner.py")


def agents_token(room: str) -> str:
    grants = api.VideoGrants(room_join=True, room=room, agent=True, can_update_own_metadata=True)
    return api.AccessToken(KEY, SECRET).with_identity("agent").with_kind("agent").with_grants(grants).to_jwt()


def test_the_agent_stays_in_its_room_and_the_next_process_knows_who_is_there(
    livekit: LiveKitProcess, tmp_path: Path
) -> None:
    async def call() -> None:
        path = str(tmp_path / "m" / "plane.sock")
        plane = ProcessPlane(listen=path)
        await plane.start()
        caller = RoomCaller(livekit.url, a_room())
        left: list[str] = []
        caller.room.on("participant_disconnected", lambda who: left.append(who.identity))
        await caller.join()
        first = await asyncio.create_subprocess_exec(
            sys.executable, str(PROGRAM), path, livekit.url, agents_token(caller.name), stdout=asyncio.subprocess.PIPE
        )
        assert first.stdout is not None
        assert await asyncio.wait_for(first.stdout.readline(), 30) == b"speaking\n"
        first.kill()
        await first.wait()

        client = await connect_plane(path)
        second = RoomOwner(client)
        linked: list[str] = []
        second.room.on("participant_linked", lambda message: linked.append(message.identity))
        second.line.attach()
        async with asyncio.timeout(5):
            await second.room.wait_connected()
            while not second.room.linked:
                await asyncio.sleep(0.01)
        assert second.room.name == caller.name and second.room.sid.startswith("RM_")
        assert second.room.me.identity == "agent" and second.room.me.attributes["owner"] == "first"
        assert list(second.room.participants) == ["caller"] and linked == ["caller"]

        second.listen()
        async with asyncio.timeout(10):
            while not [each for each in second.said if isinstance(each, Settled)]:
                await asyncio.sleep(0.02)
        await second.room.set_attributes({"owner": "second"})
        second.speak("t", 1.0)
        await caller.until(lambda: caller.voiced() > 4.5)
        await caller.until(lambda: caller.room.remote_participants["agent"].attributes.get("owner") == "second")
        assert left == []

        other = RoomCaller(livekit.url, caller.name, "other")
        await other.join(microphone=False)
        async with asyncio.timeout(5):
            await second.room.wait_for_participant("other")
        await other.leave()
        second.line.send(CloseLine(line="job"))
        async with asyncio.timeout(5):
            while not [each for each in second.said if isinstance(each, LineClosed)]:
                await asyncio.sleep(0.02)
        await caller.until(lambda: left == ["agent"])
        await caller.leave()
        await client.aclose()
        await plane.aclose()

    asyncio.run(call())
