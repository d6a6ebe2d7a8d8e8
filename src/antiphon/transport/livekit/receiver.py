"""What people in the room send: texts, bytes, recordings from before they were connected. In the room thread.

Everything is bounded; what is too large, malformed or never ends is dropped with a word why, and the call goes on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from livekit import rtc

from antiphon.audio.leg import LegEvent
from antiphon.errors import AntiphonError, AudioError
from antiphon.transport.livekit.connection import RoomConnection, log
from antiphon.transport.livekit.limits import MOST_BYTES, MOST_TEXT, RoomError
from antiphon.transport.livekit.messages import BytesCame, FromRoom, Refused, TextCame
from antiphon.transport.livekit.pre_connect import MOST_BYTES as MOST_RECORDING
from antiphon.transport.livekit.pre_connect import TOPIC as PRE_CONNECT
from antiphon.transport.livekit.pre_connect import read_recording
from antiphon.transport.livekit.room_thread import RoomThread

READ_WITHIN = 60.0
"""Seconds that a stream may take to come."""
MOST_STREAMS = 64
"""Streams that may be on their way to the agent at once."""


class RoomReceiver:
    """``tell``: gets what came, ``event`` what of it is the caller's turn."""

    def __init__(
        self,
        thread: RoomThread,
        connection: RoomConnection,
        tell: Callable[[FromRoom], object],
        event: Callable[[LegEvent], object],
    ) -> None:
        self._thread, self._connection, self._tell, self._event = thread, connection, tell, event
        self._room: rtc.Room | None = None
        self._topics: set[str] = set()
        self._streams = 0

    def begin(self, room: rtc.Room) -> None:
        """Take the text and byte streams of the topics, and what clients recorded before they were connected."""
        self._room = room
        wanted, self._topics = self._topics, set()
        for topic in {*self._connection.options.topics, self._connection.use.topic, *wanted}:
            self.listen_to(topic)
        room.register_byte_stream_handler(
            PRE_CONNECT, lambda reader, who: self._take(reader, who, self._read_recording)
        )

    def listen_to(self, topic: str) -> None:
        """Take the text and byte streams of this topic too."""
        if topic in self._topics:
            return
        self._topics.add(topic)
        if (room := self._room) is not None:
            room.register_text_stream_handler(topic, lambda reader, who: self._take(reader, who, self._read_text))
            room.register_byte_stream_handler(topic, lambda reader, who: self._take(reader, who, self._read_bytes))

    def _take(self, reader: Any, who: str, read: Callable[[Any, str], Any]) -> None:
        """Begin to read a stream; what is wrong with it is said, and the call goes on."""
        if self._streams >= MOST_STREAMS:
            self._refuse(reader.info.topic, who, f"more than {MOST_STREAMS} streams come at once")
            reader.close()
            return
        self._thread.spawn(self._guarded(reader, who, read))

    def _refuse(self, topic: str, who: str, why: str) -> None:
        log.warning("a stream of %s on %s is dropped: %s", who, topic, why)
        self._tell(Refused(topic, who, why))

    async def _guarded(self, reader: Any, who: str, read: Callable[[Any, str], Any]) -> None:
        self._streams += 1
        try:
            async with asyncio.timeout(READ_WITHIN):
                await read(reader, who)
        except (AntiphonError, rtc.StreamError, UnicodeDecodeError, TimeoutError) as error:
            why = str(error) or f"it did not end within {READ_WITHIN:g} s"
            self._refuse(reader.info.topic, who, why)
        finally:
            self._streams -= 1
            reader.close()

    async def _read_text(self, reader: rtc.TextStreamReader, who: str) -> None:
        text = ""
        async for piece in reader:
            text += piece
            if len(text) > MOST_TEXT:
                raise RoomError(f"A text is longer than {MOST_TEXT} characters.")
        info = reader.info
        connection = self._connection
        is_turn = connection.options.text_is_turn and info.topic == connection.use.topic
        if is_turn and connection.ears.talks_with(who):
            self._event(LegEvent("text", text))
        self._tell(TextCame(info.topic, text, who, dict(info.attributes or {})))

    async def _bytes(self, reader: rtc.ByteStreamReader, most: int) -> bytes:
        data = bytearray()
        async for piece in reader:
            data += piece
            if len(data) > most:
                raise RoomError(f"It is longer than {most} bytes.")
        return bytes(data)

    async def _read_bytes(self, reader: rtc.ByteStreamReader, who: str) -> None:
        data, info = await self._bytes(reader, MOST_BYTES), reader.info
        self._tell(BytesCame(info.topic, data, who, info.name, info.mime_type, dict(info.attributes or {})))

    async def _read_recording(self, reader: rtc.ByteStreamReader, who: str) -> None:
        """What a client recorded before it was connected."""
        attributes = dict(reader.info.attributes or {})
        data = await self._bytes(reader, MOST_RECORDING)
        if not attributes.get("trackId"):
            raise AudioError("The attribute trackId is missing.")
        samples = read_recording(data, attributes, reader.info.mime_type)
        self._connection.ears.recordings.came(who, attributes["trackId"], samples)
