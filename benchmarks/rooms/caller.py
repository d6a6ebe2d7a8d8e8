"""Somebody in a room, with LiveKit's own client library: speaks when told, in real time, and listens all the time."""

from __future__ import annotations

import asyncio
import time
from bisect import bisect_left
from collections.abc import Coroutine
from typing import Any

import numpy as np
from harness.core import CALLER_RATE, TICK, Caller, Marks
from livekit import api, rtc

from rooms.ear import RATE, Ear
from rooms.server import KEY, SECRET

BLOCKS = 3
"""Of 20 ms, given to the client library at once."""
QUEUE = 120
"""ms that it keeps."""


class RoomCaller:
    """``times``: monotonic seconds of ``begun``, ``connected``, ``joined`` (the agent), ``track`` (of its sound)."""

    def __init__(self, url: str, room: str, clips: list[bytes], index: int) -> None:
        self.name = room
        self.marks, self.ear = Marks(), Ear()
        self.times: dict[str, float] = {}
        self.heard = asyncio.Event()
        self._url, self._clips, self._index = url, clips, index
        self._room = rtc.Room()
        self._source = rtc.AudioSource(CALLER_RATE, 1, queue_size_ms=QUEUE)
        self._voice = Caller(self.marks, clips, index, [])
        self._tasks: set[asyncio.Task[Any]] = set()

    async def join(self) -> None:
        room = self._room
        room.on("track_subscribed", self._subscribed)
        room.on("participant_connected", self._came)
        self.times["begun"] = time.monotonic()
        grants = api.VideoGrants(room_join=True, room=self.name)
        token = api.AccessToken(KEY, SECRET).with_identity("caller").with_grants(grants).to_jwt()
        await room.connect(self._url, token)
        self.times["connected"] = time.monotonic()
        for who in room.remote_participants.values():
            self._came(who)
        track = rtc.LocalAudioTrack.create_audio_track("microphone", self._source)
        options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE)
        await room.local_participant.publish_track(track, options)
        self._spawn(self._speak())

    def say_at(self, at: float) -> None:
        """Speak at this time."""
        self._voice.say_at(at)

    async def leave(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await self._room.disconnect()

    def first_heard(self) -> float | None:
        """When the agent's first sound came."""
        return self.ear.loud[0] if self.ear.loud else None

    def turn(self, ended: float, until: float) -> dict[str, float | None]:
        """What followed an utterance that ended at ``ended``: seconds to the agent's first sound before ``until`` (None: there
        was none), and seconds of sound."""
        loud = self.ear.loud
        first, last = bisect_left(loud, ended), bisect_left(loud, until)
        return {"first": loud[first] - ended if first < last else None, "heard": (last - first) * TICK}

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _came(self, who: Any) -> None:
        self.times.setdefault("joined", time.monotonic())

    def _subscribed(self, track: Any, publication: Any, who: Any) -> None:
        if track.kind == rtc.TrackKind.KIND_AUDIO:
            self.times.setdefault("track", time.monotonic())
            self._spawn(self._listen(track))

    async def _speak(self) -> None:
        voice = self._voice
        voice.begin(time.monotonic())
        while True:
            await asyncio.sleep(max(0.0, voice.due - time.monotonic()))
            pcm = b"".join(voice.block() for _ in range(BLOCKS))
            await self._source.capture_frame(rtc.AudioFrame(pcm, CALLER_RATE, 1, len(pcm) // 2))

    async def _listen(self, track: Any) -> None:
        async for event in rtc.AudioStream(track, sample_rate=RATE, num_channels=1, frame_size_ms=20):
            self.ear.feed(time.monotonic(), np.frombuffer(bytes(event.frame.data), np.int16))
            if self.ear.loud and not self.heard.is_set():
                self.heard.set()
