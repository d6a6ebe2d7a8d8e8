"""``ctx.room``: a LiveKit room as the program sees it. Lives on the user's lane.

The connection itself is in the media process (``transport/livekit``): this is its typed proxy, fed by messages, so that nothing
here blocks sound and the agent's participant stays in the room when this process goes.
"""

from __future__ import annotations

import asyncio
import inspect
import itertools
import logging
import secrets
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from antiphon.errors import AntiphonError
from antiphon.transport.livekit.messages import (
    AnyFromRoom,
    AnyToRoom,
    BytesCame,
    Connected,
    Connection,
    DataCame,
    Done,
    Here,
    Left,
    Link,
    Linked,
    Participant,
    Published,
    RoomChanged,
    RpcAnswer,
    RpcCall,
    RpcCame,
    RpcMethods,
    SendBytes,
    SendData,
    SendText,
    SetAttributes,
    SetMetadata,
    TextCame,
)

logger = logging.getLogger("antiphon")

EVENTS = (
    "connected",
    "reconnecting",
    "reconnected",
    "disconnected",
    "participant_connected",
    "participant_disconnected",
    "participant_changed",
    "participant_linked",
    "room_metadata_changed",
    "text_received",
    "bytes_received",
    "data_received",
)
RpcHandler = Callable[[RpcCame], str | Awaitable[str]]


class RoomError(AntiphonError):
    """Something asked of a room could not be done: it is not joined, it was left, or the server refused."""


class Room:
    """The room of a job.

    ``name``, ``sid``, ``metadata``: the room's. ``me``: the agent's participant. ``participants``: the others, by identity.
    ``linked``: identity of the one the agent talks with. Events (``on``): see ``EVENTS``; a handler gets the message that it
    is about (``antiphon.transport.livekit.messages``).
    """

    def __init__(self, name: str, send: Callable[[AnyToRoom], object]) -> None:
        self.name, self.sid, self.metadata = name, "", ""
        self.me = Participant("")
        self.participants: dict[str, Participant] = {}
        self.linked = ""
        self.state = "connecting"
        """``connecting``, ``connected``, ``reconnecting`` or ``disconnected``."""
        self.reason = ""
        """Why it is disconnected."""
        self._send = send
        self._handlers: dict[str, list[Callable[..., Any]]] = {name: [] for name in EVENTS}
        self._numbers = itertools.count(1 + secrets.randbits(40))
        """Of what is asked: an answer to somebody who had this room before must not pass for one of ours."""
        self._asked: dict[int, asyncio.Future[str]] = {}
        self._rpc: dict[str, RpcHandler] = {}
        self._changes: list[asyncio.Future[None]] = []
        self._tasks: set[asyncio.Task[None]] = set()

    # --- events --------------------------------------------------------------------------------------------------------

    def on(self, event: str, handler: Callable[..., Any] | None = None) -> Callable[..., Any]:
        """Call ``handler`` (function or coroutine) at each ``event``; without one, a decorator."""
        if event not in self._handlers:
            raise RoomError(f"A room has no event {event!r}.", hint=f"It has: {', '.join(EVENTS)}.")
        if handler is None:
            return lambda given: self.on(event, given)
        self._handlers[event].append(handler)
        return handler

    def off(self, event: str, handler: Callable[..., Any]) -> None:
        """Undo ``on``."""
        self._handlers[event].remove(handler)

    def take(self, message: AnyFromRoom) -> None:
        """What the connection says."""
        match message:
            case Connected():
                self.name, self.sid, self.metadata = message.name, message.sid, message.metadata
                self.me, self.state = message.me, "connected"
                self.participants = {each.identity: each for each in message.participants}
                self._emit("connected", message)
            case Connection(state="lost"):
                self.state = "reconnecting"
                self._emit("reconnecting", message)
            case Connection(state="back"):
                self.state = "connected"
                self._emit("reconnected", message)
            case Connection():
                self.over(message.reason)
            case Here(participant=participant):
                known = participant.identity in self.participants
                self.participants[participant.identity] = participant
                self._emit("participant_changed" if known else "participant_connected", message)
            case Left():
                self.participants.pop(message.identity, None)
                self._emit("participant_disconnected", message)
            case Linked():
                if message.identity != self.linked:
                    self.linked = message.identity
                    self._emit("participant_linked", message)
            case RoomChanged():
                self.metadata = message.metadata
                self._emit("room_metadata_changed", message)
            case TextCame():
                self._emit("text_received", message)
            case BytesCame():
                self._emit("bytes_received", message)
            case DataCame():
                self._emit("data_received", message)
            case RpcCame():
                self._spawn(self._serve(message))
            case Done():
                self._done(message)
            case Published():
                return
        changes, self._changes = self._changes, []
        for future in changes:
            if not future.done():
                future.set_result(None)

    def over(self, reason: str) -> None:
        """The room is left: nobody waits any longer."""
        if self.state == "disconnected":
            return
        self.state, self.reason = "disconnected", reason
        for future in self._asked.values():
            if not future.done():
                future.set_exception(RoomError(f"The room was left ({reason or 'closed'})."))
        self._emit("disconnected", Connection("over", reason))
        changes, self._changes = self._changes, []
        for change in changes:
            if not change.done():
                change.set_result(None)

    def _emit(self, event: str, message: AnyFromRoom) -> None:
        for handler in list(self._handlers[event]):
            try:
                result = handler(message)
            except Exception:
                logger.exception("a handler of the room's %s raised", event)
                continue
            if inspect.isawaitable(result):
                self._spawn(_finish(event, result))

    def _spawn(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _change(self) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._changes.append(future)
        await future

    # --- waiting -------------------------------------------------------------------------------------------------------

    async def wait_connected(self) -> None:
        """Until the room is joined. Raises ``RoomError`` where that fails."""
        while self.state == "connecting":
            await self._change()
        if self.state == "disconnected":
            raise RoomError(f"The room was not joined or was left ({self.reason}).")

    async def wait_for_participant(self, identity: str = "", kinds: Iterable[str] = ()) -> Participant:
        """The participant of this identity, or the first of these kinds (any but other agents, where none is named), once it is
        there. Raises ``RoomError`` when the room is left before."""
        wanted = set(kinds)
        while True:
            for each in self.participants.values():
                right = each.identity == identity if identity else each.kind != "agent"
                if right and (not wanted or each.kind in wanted):
                    return each
            if self.state == "disconnected":
                raise RoomError(f"The room was left ({self.reason}) before anybody came.")
            await self._change()

    # --- doing ---------------------------------------------------------------------------------------------------------

    def link(self, identity: str) -> None:
        """Talk with this participant; empty: with the first that comes."""
        self._send(Link(identity=identity))

    async def send_text(
        self, text: str, *, topic: str = "lk.chat", to: Iterable[str] = (), attributes: dict[str, str] | None = None
    ) -> None:
        """Send a text stream to these participants (all, where none is named). Raises ``RoomError``."""
        await self._ask(SendText(next(self._numbers), text, topic, list(to), attributes or {}))

    async def send_bytes(
        self,
        data: bytes,
        *,
        name: str = "",
        mime_type: str = "application/octet-stream",
        topic: str = "",
        to: Iterable[str] = (),
        attributes: dict[str, str] | None = None,
    ) -> None:
        """Send a byte stream (a file). Raises ``RoomError``."""
        await self._ask(SendBytes(next(self._numbers), data, name, mime_type, topic, list(to), attributes or {}))

    async def publish_data(
        self, data: bytes | str, *, topic: str = "", reliable: bool = True, to: Iterable[str] = ()
    ) -> None:
        """Send a data packet (15 kB at most when it is reliable). Raises ``RoomError``."""
        payload = data.encode() if isinstance(data, str) else data
        await self._ask(SendData(next(self._numbers), payload, topic, reliable, list(to)))

    async def set_attributes(self, attributes: dict[str, str]) -> None:
        """Change these attributes of the agent's participant; an empty value takes one away. Raises ``RoomError``."""
        await self._ask(SetAttributes(next(self._numbers), attributes))

    async def set_metadata(self, metadata: str) -> None:
        """Change the metadata of the agent's participant. Raises ``RoomError``."""
        await self._ask(SetMetadata(next(self._numbers), metadata))

    async def perform_rpc(self, identity: str, method: str, payload: str = "", *, timeout: float = 10.0) -> str:
        """Call a method of a participant. Returns its answer; raises ``RoomError`` where there is none within ``timeout``
        seconds, or an error."""
        return await self._ask(RpcCall(next(self._numbers), identity, method, payload, timeout))

    def register_rpc_method(self, method: str, handler: RpcHandler | None = None) -> Any:
        """Answer a method: ``handler`` gets the call and returns the answer; what it raises is the caller's error. Without a
        handler: a decorator."""
        if handler is None:
            return lambda given: self.register_rpc_method(method, given)
        self._rpc[method] = handler
        self._send(RpcMethods(methods=sorted(self._rpc)))
        return handler

    def unregister_rpc_method(self, method: str) -> None:
        """Answer it no more."""
        self._rpc.pop(method, None)
        self._send(RpcMethods(methods=sorted(self._rpc)))

    async def _ask(self, message: Any) -> str:
        if self.state == "disconnected":
            raise RoomError(f"The room was left ({self.reason or 'closed'}).")
        future: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._asked[message.call] = future
        self._send(message)
        try:
            return await future
        finally:
            del self._asked[message.call]

    def _done(self, done: Done) -> None:
        future = self._asked.get(done.call)
        if future is None or future.done():
            return
        if done.error:
            future.set_exception(RoomError(done.error))
        else:
            future.set_result(done.result)

    async def _serve(self, call: RpcCame) -> None:
        try:
            answer = self._rpc[call.method](call)
            payload = await answer if inspect.isawaitable(answer) else answer
            self._send(RpcAnswer(id=call.id, payload=payload))
        except Exception as error:
            logger.exception("the RPC method %s raised", call.method)
            self._send(RpcAnswer(id=call.id, error=f"{type(error).__name__}: {error}"))


async def _finish(event: str, work: Awaitable[object]) -> None:
    try:
        await work
    except Exception:
        logger.exception("a handler of the room's %s raised", event)
