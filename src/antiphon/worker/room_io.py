"""What a session shows in its LiveKit room: the agent's state, and what both sides say, by LiveKit's conventions, which its
clients and playground read. Lives on the user's lane, where the events are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from antiphon.session import events as se
from antiphon.transport.livekit.messages import AGENT_STATE, AnyToRoom, SetAttributes, Transcribe


class RoomIO:
    """``send``: to the room's connection. ``identity``: whom the agent talks with, by now."""

    def __init__(self, session: Any, send: Callable[[AnyToRoom], object], identity: Callable[[], str]) -> None:
        self._send, self._identity = send, identity
        self._shown: dict[str, str] = {}
        self._turn = 0
        session.on("agent_state_changed", self._state)
        session.on("user_input_transcribed", self._heard)
        session.on("agent_transcript", self._said)

    def _state(self, event: se.AgentStateChangedEvent) -> None:
        self._send(SetAttributes(attributes={AGENT_STATE: event.new_state}))

    def _heard(self, event: se.UserInputTranscribedEvent) -> None:
        identity = self._identity()
        if identity:
            self._send(
                Transcribe(segment=f"user-{self._turn}", text=event.transcript, final=event.is_final, identity=identity)
            )
        if event.is_final:
            self._turn += 1

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
