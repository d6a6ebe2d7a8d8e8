"""A session's events for those who look on in its room: one JSON text an event, to them alone. On the user's lane."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import msgspec

from antiphon.chat.items import ChatMessage
from antiphon.models.redaction import Redaction
from antiphon.session import events as se
from antiphon.transport.livekit.limits import RoomError
from antiphon.worker.room import Room

TOPIC = "antiphon.events"
MOST_WAITING = 256
"""Events that wait to be sent; newer ones are left out."""


class ObserverFeed:
    """``redaction``: applied to what is said and to errors, as in the log."""

    def __init__(self, session: Any, room: Room, redaction: Redaction | None) -> None:
        self._room, self._redaction = room, redaction
        self._waiting: asyncio.Queue[str] = asyncio.Queue(MOST_WAITING)
        self._task = asyncio.get_running_loop().create_task(self._run(), name="antiphon:observers")
        session.on("agent_state_changed", lambda e: self._tell("agent_state_changed", e, state=e.new_state))
        session.on("user_state_changed", lambda e: self._tell("user_state_changed", e, state=e.new_state))
        session.on("conversation_item_added", self._added)
        session.on("tool_execution_updated", lambda e: self._tell("tool", e, name=e.name, status=e.status))
        session.on("error", lambda e: self._tell("error", e, source=e.source, error=self._clean(e.error)))
        session.on("close", lambda e: self._tell("close", e, reason=e.reason))

    async def aclose(self) -> None:
        """Send what waits, half a second at most."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._waiting.join(), 0.5)
        self._task.cancel()

    def _clean(self, text: str) -> str:
        return text if self._redaction is None else self._redaction.text(text)

    def _added(self, event: se.ConversationItemAddedEvent) -> None:
        item = event.item
        if isinstance(item, ChatMessage):
            self._tell(
                "message", event, role=item.role, text=self._clean(item.text), speaker_id=item.speaker_id,
                interrupted=item.interrupted,
            )  # fmt: skip

    def _tell(self, kind: str, event: se.SessionEvent, **body: Any) -> None:
        if self._room.observers and not self._waiting.full():
            self._waiting.put_nowait(msgspec.json.encode({"event": kind, "at": round(event.at, 3), **body}).decode())

    async def _run(self) -> None:
        while True:
            text = await self._waiting.get()
            with suppress(RoomError):
                await self._room.send_note(text, topic=TOPIC)
            self._waiting.task_done()
