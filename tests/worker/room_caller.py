"""Somebody who joins a room with LiveKit's own client library, speaks a WAV, and notes all that comes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from livekit import api, rtc

from antiphon.audio.wav import read_wav
from tests.worker.livekit_server import KEY, SECRET

RATE = 16_000
FRAME = 320
LOUD = 100.0
"""Mean level above which a frame is somebody's voice."""


class RoomCaller:
    """``heard``: the agent's sound as it came, one level a frame. ``captions``: by segment: (who, text, final)."""

    def __init__(self, url: str, room: str, identity: str = "caller", *, kind: str = "standard") -> None:
        self.url, self.name, self.identity, self.kind = url, room, identity, kind
        self.room = rtc.Room()
        self.heard: list[float] = []
        self.captions: dict[str, tuple[str, str, bool]] = {}
        self.states: list[str] = []
        self.agents: list[str] = []
        self.texts: list[str] = []
        self.files: list[tuple[str, bytes]] = []
        self.notes: list[str] = []
        self.tracks_named: set[str] = set()
        """``lk.transcribed_track_id`` of the captions."""
        self._source = rtc.AudioSource(RATE, 1)
        self._tasks: set[asyncio.Task[None]] = set()
        self._news = asyncio.Event()

    def token(self) -> str:
        grants = api.VideoGrants(room_join=True, room=self.name, can_update_own_metadata=True)
        made = api.AccessToken(KEY, SECRET).with_identity(self.identity).with_kind(self.kind)  # type: ignore[arg-type]
        return made.with_grants(grants).to_jwt()

    async def join(self, *, microphone: bool = True) -> None:
        room = self.room
        room.on("track_subscribed", lambda track, publication, who: self._spawn(self._listen(track)))
        room.on("participant_attributes_changed", self._attributes)
        room.on("participant_connected", self._came)
        room.on("participant_disconnected", lambda who: self._note())
        room.register_text_stream_handler("lk.transcription", lambda r, who: self._spawn(self._caption(r, who)))
        room.register_byte_stream_handler("bills", lambda r, who: self._spawn(self._file(r)))
        for topic in ("antiphon.note", "antiphon.events"):
            room.register_text_stream_handler(topic, lambda r, who: self._spawn(self._note_from(r)))
        room.on("disconnected", lambda reason: self._note())
        room.register_text_stream_handler("note", lambda r, who: self._spawn(self._text(r)))
        await room.connect(self.url, self.token())
        for each in room.remote_participants.values():
            self._came(each)
        if microphone:
            track = rtc.LocalAudioTrack.create_audio_track("microphone", self._source)
            options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE)
            await room.local_participant.publish_track(track, options)

    async def say(self, wav: Path, then: float = 1.0) -> None:
        """Speak, in real time; then ``then`` seconds of silence."""
        sound = np.concatenate([read_wav(str(wav), RATE)[0], np.zeros(int(then * RATE), np.int16)])
        for at in range(0, len(sound) - FRAME, FRAME):
            await self._source.capture_frame(rtc.AudioFrame(sound[at : at + FRAME].tobytes(), RATE, 1, FRAME))

    async def hush(self, seconds: float) -> None:
        """Say nothing, in real time."""
        for _ in range(int(seconds * RATE / FRAME)):
            await self._source.capture_frame(rtc.AudioFrame(bytes(2 * FRAME), RATE, 1, FRAME))

    async def until(self, condition: Callable[[], Any], seconds: float = 30.0) -> None:
        """Wait for something that was noted."""
        try:
            async with asyncio.timeout(seconds):
                while not condition():
                    await self._news.wait()
        except TimeoutError as error:
            raise AssertionError(f"captions {self.captions}, states {self.states}, agents {self.agents}") from error

    async def leave(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.room.disconnect()
        await self._source.aclose()

    def voiced(self) -> float:
        """Seconds of the agent's voice."""
        return sum(level > LOUD for level in self.heard) * FRAME / RATE

    def caption_of(self, identity: str) -> str:
        """What this one has finally said, all of it."""
        return " ".join(text for who, text, final in self.captions.values() if who == identity and final)

    def _spawn(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _note(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    def _came(self, who: rtc.RemoteParticipant) -> None:
        if who.kind == rtc.ParticipantKind.PARTICIPANT_KIND_AGENT:
            self.agents.append(who.identity)
            self._attributes(who.attributes, who)
            self._note()

    def _attributes(self, changed: dict[str, str], who: rtc.Participant) -> None:
        if "lk.agent.state" in changed:
            self.states.append(changed["lk.agent.state"])
            self._note()

    async def _listen(self, track: rtc.Track) -> None:
        stream = rtc.AudioStream(track, sample_rate=RATE, num_channels=1, frame_size_ms=20)
        try:
            await self._measure(stream)
        finally:
            await stream.aclose()

    async def _measure(self, stream: rtc.AudioStream) -> None:
        async for event in stream:
            level = float(np.abs(np.frombuffer(bytes(event.frame.data), np.int16).astype(np.int32)).mean())
            self.heard.append(level)
            self._note()

    async def _caption(self, reader: rtc.TextStreamReader, who: str) -> None:
        attributes = reader.info.attributes or {}
        text = ""
        async for piece in reader:
            text += piece
            self._put(attributes, who, text)
        self._put(reader.info.attributes or {}, who, text)

    def _put(self, attributes: dict[str, str], who: str, text: str) -> None:
        self.tracks_named.add(attributes["lk.transcribed_track_id"])
        self.captions[attributes["lk.segment_id"]] = (who, text, attributes["lk.transcription_final"] == "true")
        self._note()

    async def _text(self, reader: rtc.TextStreamReader) -> None:
        self.texts.append(await reader.read_all())
        self._note()

    async def _file(self, reader: rtc.ByteStreamReader) -> None:
        self.files.append((reader.info.name, b"".join([piece async for piece in reader])))
        self._note()

    async def _note_from(self, reader: rtc.TextStreamReader) -> None:
        self.notes.append(await reader.read_all())
        self._note()
