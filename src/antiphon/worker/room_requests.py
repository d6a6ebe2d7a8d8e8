"""What a program asks of its room: texts, bytes, data, attributes, remote calls. ``Room`` is made of it.

What is more than a room carries is refused here, before anything is sent.
"""

from __future__ import annotations

import asyncio
import inspect
import itertools
import logging
import secrets
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from antiphon.transport.livekit import limits
from antiphon.transport.livekit.limits import RoomError
from antiphon.transport.livekit.messages import (
    AnyToRoom,
    Done,
    Link,
    Listen,
    Participant,
    RpcAnswer,
    RpcCall,
    RpcCame,
    RpcMethods,
    SendBytes,
    SendData,
    SendText,
    SetAttributes,
    SetMetadata,
    Use,
)
from antiphon.transport.livekit.room_use import RoomUse

logger = logging.getLogger("antiphon")

NOTES = "antiphon.note"
"""Topic of the text streams between the agent and those who look on."""
RpcHandler = Callable[[RpcCame], str | Awaitable[str]]


class RoomRequests:
    """``send``: to the room's connection."""

    def __init__(self, send: Callable[[AnyToRoom], object]) -> None:
        self.me = Participant("")
        self.participants: dict[str, Participant] = {}
        self.uses = RoomUse()
        """How the session uses the room."""
        self.state = "connecting"
        """``connecting``, ``connected``, ``reconnecting`` or ``disconnected``."""
        self.reason = ""
        """Why it is disconnected."""
        self._send = send
        self._numbers = itertools.count(1 + secrets.randbits(40))
        """Of what is asked: an answer to somebody who had this room before must not pass for one of ours."""
        self._asked: dict[int, asyncio.Future[str]] = {}
        self._rpc: dict[str, RpcHandler] = {}

    def link(self, identity: str) -> None:
        """Talk with this participant; empty: with the first that comes."""
        limits.check_name("identity", identity)
        self._send(Link(identity=identity))

    def listen(self, topic: str) -> None:
        """Take the text and byte streams of this topic too: they come as ``text_received`` and ``bytes_received``."""
        limits.check_name("topic", topic)
        self._send(Listen(topic=topic))

    async def use(self, use: RoomUse) -> None:
        """What a session wants of the room (it says so itself, by its ``RoomOptions``)."""
        self.uses = use
        await self._ask(Use(next(self._numbers), use))

    @property
    def observers(self) -> list[Participant]:
        """Those in the room who look on: see ``RoomOptions.observers``."""
        return [each for each in self.participants.values() if self.uses.observes(each.identity)]

    async def send_note(self, text: str, *, topic: str = NOTES) -> None:
        """Send a text to those who look on, and to nobody else. Raises ``RoomError``."""
        known = [name for name in self.uses.observers if not set(name) & set("*?[")]
        if to := sorted({each.identity for each in self.observers} | set(known)):
            await self.send_text(text, topic=topic, to=to)

    async def send_text(
        self, text: str, *, topic: str = "lk.chat", to: Iterable[str] = (), attributes: dict[str, str] | None = None
    ) -> None:
        """Send a text stream to these participants (all, where none is named). Raises ``RoomError``."""
        people = self._sends(topic, to, attributes)
        await self._ask(SendText(next(self._numbers), text, topic, people, attributes or {}))

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
        people = self._sends(topic, to, attributes)
        await self._ask(SendBytes(next(self._numbers), data, name, mime_type, topic, people, attributes or {}))

    async def publish_data(
        self, data: bytes | str, *, topic: str = "", reliable: bool = True, to: Iterable[str] = ()
    ) -> None:
        """Send a data packet (15 KiB at most). Raises ``RoomError``."""
        payload = data.encode() if isinstance(data, str) else data
        limits.check_packet(payload)
        people = self._sends(topic, to, None)
        await self._ask(SendData(next(self._numbers), payload, topic, reliable, people))

    def _sends(self, topic: str, to: Iterable[str], attributes: dict[str, str] | None) -> list[str]:
        """Whom it goes to. Raises ``RoomError`` where it cannot."""
        people = list(to)
        limits.check_name("topic", topic)
        limits.check_people(people)
        limits.check_attributes(attributes or {})
        if not self.me.permissions.publish_data:
            raise RoomError(
                "The agent's token does not let it send data to the room.", hint="Give it the grant canPublishData."
            )
        return people

    async def set_attributes(self, attributes: dict[str, str]) -> None:
        """Change these attributes of the agent's participant; an empty value takes one away. Raises ``RoomError``."""
        limits.check_attributes(attributes)
        await self._ask(SetAttributes(next(self._numbers), attributes))

    async def set_metadata(self, metadata: str) -> None:
        """Change the metadata of the agent's participant. Raises ``RoomError``."""
        limits.check_metadata(metadata)
        await self._ask(SetMetadata(next(self._numbers), metadata))

    async def perform_rpc(self, identity: str, method: str, payload: str = "", *, timeout: float = 10.0) -> str:
        """Call a method of a participant. Returns its answer; raises ``RoomError`` where there is none within ``timeout``
        seconds, or an error."""
        self._sends(method, [identity], None)
        limits.check_payload("payload", payload)
        return await self._ask(RpcCall(next(self._numbers), identity, method, payload, timeout))

    def register_rpc_method(self, method: str, handler: RpcHandler | None = None) -> Any:
        """Answer a method: ``handler`` gets the call and returns the answer; what it raises is the caller's error. Without a
        handler: a decorator."""
        if handler is None:
            return lambda given: self.register_rpc_method(method, given)
        limits.check_name("method", method)
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
            limits.check_payload("answer", payload)
            self._send(RpcAnswer(id=call.id, payload=payload))
        except RoomError as error:
            logger.warning("the RPC method %s: %s", call.method, error)
            self._send(RpcAnswer(id=call.id, error=error.message))
        except Exception as error:
            logger.exception("the RPC method %s raised", call.method)
            self._send(RpcAnswer(id=call.id, error=f"{type(error).__name__}: {error}"))
