"""What the session asks of the room: texts, bytes, data, attributes, remote calls, captions. In the room thread, in order.

Captions follow LiveKit's convention: the agent's are one text stream a segment, closed when it is final; a participant's are a
stream for each version of the segment.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from typing import Any

from livekit import rtc

from antiphon.transport.livekit.connection import RoomConnection, log
from antiphon.transport.livekit.limits import RoomError, check_payload
from antiphon.transport.livekit.messages import (
    TRANSCRIPTION,
    AnyToRoom,
    Done,
    FromRoom,
    Link,
    Listen,
    RpcAnswer,
    RpcCall,
    RpcCame,
    RpcMethods,
    SendBytes,
    SendData,
    SendDtmf,
    SendText,
    SetAttributes,
    SetMetadata,
    Transcribe,
    Use,
)
from antiphon.transport.livekit.receiver import RoomReceiver
from antiphon.transport.livekit.room_thread import RoomThread

DIGITS = "0123456789*#ABCD"
"""In the order of their codes (RFC 4733, section 3.2)."""
MOST_WAITING = 1024


class RoomSender:
    """Works off one queue, so that what is asked first is sent first; remote calls wait beside it."""

    def __init__(
        self,
        thread: RoomThread,
        connection: RoomConnection,
        receiver: RoomReceiver,
        tell: Callable[[FromRoom], object],
    ) -> None:
        self._thread, self._connection, self._receiver, self._tell = thread, connection, receiver, tell
        self._asked: asyncio.Queue[AnyToRoom] = asyncio.Queue()
        self._writers: dict[str, rtc.TextStreamWriter] = {}
        self._methods: set[str] = set()
        self._calls: dict[int, asyncio.Future[str]] = {}
        self._numbers = itertools.count(1)
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """The room is joined (which every new owner is told again)."""
        if self._task is not None:
            return
        assert self._connection.room is not None
        self._task = self._thread.spawn(self._work(self._connection.room))

    def ask(self, message: AnyToRoom) -> None:
        """Do it, in turn; a link, an answer and what cannot wait at once."""
        if isinstance(message, Link):
            self._connection.ears.link(message.identity)
        elif isinstance(message, Use):
            self._thread.spawn(self._use(message))
        elif isinstance(message, Listen):
            self._receiver.listen_to(message.topic)
        elif isinstance(message, RpcAnswer):
            self._answer(message)
        elif self._asked.qsize() >= MOST_WAITING:
            self._done(message.call, error="Too much waits to be sent to the room.")
        else:
            self._asked.put_nowait(message)

    def close(self) -> None:
        """Everybody who waits is told."""
        if self._task is not None:
            self._task.cancel()
        for future in self._calls.values():
            if not future.done():
                future.set_exception(rtc.RpcError(rtc.RpcError.ErrorCode.APPLICATION_ERROR, "The agent has left."))

    async def _use(self, message: Use) -> None:
        """What the session wants of the room."""
        self._receiver.listen_to(message.use.topic)
        try:
            await self._connection.apply(message.use)
        except Exception as error:
            self._done(message.call, error=f"{type(error).__name__}: {error}")
            return
        self._done(message.call)

    # --- out -----------------------------------------------------------------------------------------------------------

    async def _work(self, room: rtc.Room) -> None:
        while True:
            message = await self._asked.get()
            if isinstance(message, RpcCall):
                self._thread.spawn(self._call(room.local_participant, message))
                continue
            try:
                await self._do(room.local_participant, message)
                self._done(message.call)
            except Exception as error:
                if not message.call:
                    log.warning("room %s: %s was not sent: %s", room.name, type(message).__name__, error)
                self._done(message.call, error=f"{type(error).__name__}: {error}")

    async def _do(self, me: rtc.LocalParticipant, message: AnyToRoom) -> None:
        match message:
            case SetAttributes():
                await me.set_attributes(message.attributes)
            case SetMetadata():
                await me.set_metadata(message.metadata)
            case SendText():
                await me.send_text(
                    message.text,
                    topic=message.topic,
                    destination_identities=message.to or None,
                    attributes=message.attributes or None,
                )
            case SendBytes():
                writer = await me.stream_bytes(
                    message.name or "bytes",
                    total_size=len(message.data),
                    mime_type=message.mime_type,
                    topic=message.topic,
                    destination_identities=message.to or None,
                    attributes=message.attributes or None,
                )
                await writer.write(message.data)
                await writer.aclose()
            case SendData():
                await me.publish_data(
                    message.data, reliable=message.reliable, topic=message.topic, destination_identities=message.to
                )
            case SendDtmf():
                for digit in message.digits:
                    await me.publish_dtmf(code=DIGITS.index(digit), digit=digit)
            case Transcribe():
                await self._transcribe(me, message)
            case RpcMethods():
                self._serve(me, set(message.methods))

    async def _transcribe(self, me: rtc.LocalParticipant, words: Transcribe) -> None:
        connection = self._connection
        own = not words.identity
        attributes = {
            "lk.segment_id": words.segment,
            "lk.transcribed_track_id": connection.own_track if own else connection.ears.track_of(words.identity),
            "lk.transcription_final": "true" if words.final and not own else "false",
        }
        if not own:
            writer = await me.stream_text(topic=TRANSCRIPTION, attributes=attributes, sender_identity=words.identity)
            await writer.write(words.text)
            await writer.aclose()
            return
        writer = self._writers.get(words.segment) or await me.stream_text(topic=TRANSCRIPTION, attributes=attributes)
        self._writers[words.segment] = writer
        if words.text:
            await writer.write(words.text)
        if words.final:
            del self._writers[words.segment]
            await writer.aclose(attributes={"lk.transcription_final": "true"})

    def _done(self, call: int, *, result: str = "", error: str = "") -> None:
        if call:
            self._tell(Done(call, result, error))

    # --- remote calls --------------------------------------------------------------------------------------------------

    async def _call(self, me: rtc.LocalParticipant, call: RpcCall) -> None:
        try:
            result = await me.perform_rpc(
                destination_identity=call.identity,
                method=call.method,
                payload=call.payload,
                response_timeout=call.timeout,
            )
            self._done(call.call, result=result)
        except Exception as error:
            self._done(call.call, error=getattr(error, "message", "") or f"{type(error).__name__}: {error}")

    def _serve(self, me: rtc.LocalParticipant, methods: set[str]) -> None:
        for gone in self._methods - methods:
            me.unregister_rpc_method(gone)
        for method in methods - self._methods:
            me.register_rpc_method(method, self._asked_for(method))
        self._methods = methods

    def _asked_for(self, method: str) -> Callable[[rtc.RpcInvocationData], Any]:
        async def handle(data: rtc.RpcInvocationData) -> str:
            try:
                check_payload("payload", data.payload)
            except RoomError as error:
                raise rtc.RpcError(rtc.RpcError.ErrorCode.REQUEST_PAYLOAD_TOO_LARGE, str(error)) from error
            number = next(self._numbers)
            answer = self._calls[number] = asyncio.get_running_loop().create_future()
            self._tell(RpcCame(number, method, data.payload, data.caller_identity, data.response_timeout))
            try:
                return await asyncio.wait_for(answer, data.response_timeout)
            finally:
                del self._calls[number]

        return handle

    def _answer(self, answer: RpcAnswer) -> None:
        future = self._calls.get(answer.id)
        if future is None or future.done():
            return
        if answer.error:
            future.set_exception(rtc.RpcError(rtc.RpcError.ErrorCode.APPLICATION_ERROR, answer.error))
        else:
            future.set_result(answer.payload)
