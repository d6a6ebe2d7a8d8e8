"""What a session shows in its LiveKit room, and what is written to it there: the agent's state, what all sides say, chat, by
LiveKit's conventions, which its clients and playground read. Lives on the user's lane, where the events are.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable
from typing import Any

from antiphon.chat.items import ChatMessage
from antiphon.errors import SessionClosedError
from antiphon.session import events as se
from antiphon.transport.livekit.messages import AGENT_STATE, AnyToRoom, Linked, SetAttributes, TextCame, Transcribe
from antiphon.worker.room import Room
from antiphon.worker.room_options import RoomOptions, TextInputEvent

logger = logging.getLogger("antiphon")

MOST_EARLY = 64
"""Texts that wait to be read."""


class RoomIO:
    """``send``: to the room's connection."""

    def __init__(self, session: Any, room: Room, send: Callable[[AnyToRoom], object], options: RoomOptions) -> None:
        self._session, self._room, self._send, self._options = session, room, send, options
        self._shown: dict[str, str] = {}
        self._open: dict[str, str] = {}
        """The segment that each speaker is in."""
        self._turn = 0
        self._begun = False
        self._early, room.unread = room.unread, []
        """What was written while there was nobody to read it, or nobody linked who may have written it."""
        session.on("agent_state_changed", self._state)
        if options.text_output:
            session.on("user_input_transcribed", self._heard)
            session.on("agent_transcript", self._said)
        if options.text_input:
            room.on("text_received", self._written)
            room.on("participant_linked", self._linked)

    def close(self) -> None:
        """The session is over."""
        if self._options.text_input:
            self._room.off("text_received", self._written)
            self._room.off("participant_linked", self._linked)

    # --- out ---------------------------------------------------------------------------------------------------------

    def _state(self, event: se.AgentStateChangedEvent) -> None:
        self._send(SetAttributes(attributes={AGENT_STATE: event.new_state}))
        if not self._begun:
            self._begun = True
            self._read_early()

    def _heard(self, event: se.UserInputTranscribedEvent) -> None:
        identity = event.speaker_id if event.speaker_id in self._room.participants else self._room.linked
        if not identity:
            return
        if identity not in self._open:
            self._open[identity] = f"user-{self._turn}"
            self._turn += 1
        segment = self._open[identity]
        self._send(Transcribe(segment=segment, text=event.transcript, final=event.is_final, identity=identity))
        if event.is_final:
            del self._open[identity]

    def _said(self, event: se.AgentTranscriptEvent) -> None:
        before = self._shown.get(event.step_id, "")
        new = event.heard[len(before) :]
        if not new and not (event.is_final and before):
            return
        self._send(Transcribe(segment=event.step_id, text=new, final=event.is_final))
        if event.is_final:
            self._shown.pop(event.step_id, None)
        else:
            self._shown[event.step_id] = event.heard

    # --- in ----------------------------------------------------------------------------------------------------------

    def _linked(self, message: Linked) -> None:
        self._read_early()

    def _read_early(self) -> None:
        early, self._early = self._early, []
        for text in early:
            if self._options.text_input:
                self._written(text)

    def _written(self, message: TextCame) -> None:
        """Somebody wrote on the chat: a turn of theirs, if they are whom the agent talks with."""
        room, options = self._room, self._options
        if message.topic != options.writing.topic or room.uses.observes(message.identity):
            return
        if not self._begun or not self._talks_with(message.identity):
            if (not self._begun or not room.linked) and len(self._early) < MOST_EARLY:
                self._early.append(message)
            else:
                logger.debug("what %s wrote is no turn: the agent talks with %s", message.identity, room.linked)
            return
        if options.writing.callback is not None:
            who = room.participants[message.identity]
            event = TextInputEvent(message.text, who, message.topic, message.attributes)
            self._session.call_user(options.writing.callback, self._session, event)
            return
        turn = ChatMessage(
            id=f"text_{uuid.uuid4().hex[:12]}", role="user", text=message.text, speaker_id=message.identity
        )
        try:
            self._session.run(user_input=turn)
        except SessionClosedError:
            logger.debug("what %s wrote came after the session's end", message.identity)

    def _talks_with(self, identity: str) -> bool:
        who = self._room.participants.get(identity)
        if identity == self._room.linked:
            return who is not None
        return who is not None and self._room.uses.everybody and self._room.uses.wants(identity, who.kind)
