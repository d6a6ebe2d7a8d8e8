"""The feed: a session's public events as messages for its page. Lives on the user's loop, where the events are.

Captions say what was heard and nothing else: the agent's words by the playback ledger, the caller's by the recogniser.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from antiphon.chat.items import ChatMessage
from antiphon.session import events as se
from antiphon.web.messages import Caption, Message, Problem, State, Timing, Tool

STAGES = {
    "end_of_turn_delay": "end_of_turn",
    "on_user_turn_completed_delay": "hook",
    "llm_node_ttft": "llm",
    "tts_node_ttfb": "tts",
}
"""Metrics of the caller's and the agent's message, and what the page calls them."""


class Feed:
    """``tell`` gets every message; ``ended`` the reason, at the end. ``details``: say errors as they are (else only where
    they came from: a stranger's page has no use for more). ``series``: tells the caller's captions from those of the session's
    owners before."""

    def __init__(
        self, tell: Callable[[Message], object], ended: Callable[[str], object], *, details: bool, series: int = 1
    ) -> None:
        self._tell, self._ended, self._details = tell, ended, details
        self._session: Any = None
        self._series, self._lines = series, 0
        self._finals: list[str] = []
        self._committed: tuple[str, str, str] = ("", "", "")
        self._turn: dict[str, float] | None = None
        self._shown: set[str] = set()

    def attach(self, session: Any) -> None:
        """Listen to a session that has not started yet."""
        self._session = session
        session.on("user_state_changed", lambda event: self._tell(State("user_state", event.new_state)))
        session.on("agent_state_changed", lambda event: self._tell(State("agent_state", event.new_state)))
        session.on("user_input_transcribed", self._transcribed)
        session.on("overlapping_speech", self._overlap)
        session.on("agent_transcript", self._agent)
        session.on("conversation_item_added", self._item)
        session.on("tool_execution_updated", self._tool)
        session.on("error", self._error)
        session.on("close", self._close)

    # --- the caller's words --------------------------------------------------------------------------------------

    def _line(self) -> str:
        """The id of the caption that the caller's words of now belong to."""
        return f"user-{self._series}.{self._lines}"

    def _transcribed(self, event: se.UserInputTranscribedEvent) -> None:
        words = [*self._finals, event.transcript]
        if event.is_final:
            self._finals = words
        text = " ".join(part for part in words if part)
        self._tell(Caption(id=self._line(), role="user", text=text, final=event.is_final, at=event.at))

    def _overlap(self, event: se.OverlappingSpeechEvent) -> None:
        if event.verdict == "backchannel":
            text = event.text or " ".join(self._finals)
            if text:
                self._tell(Caption(id=self._line(), role="user", text=text, final=True, aside=True, at=event.at))
            self._next_line()

    def _user_item(self, item: ChatMessage) -> None:
        self._committed = (item.id, item.text, self._line())
        self._turn = dict(item.metrics)
        self._tell(Caption(id=self._line(), role="user", text=item.text, final=True, at=item.created_at))
        self._next_line()

    def _next_line(self) -> None:
        self._lines += 1
        self._finals = []

    def _growth(self) -> None:
        """A caller who went on after a pause: the turn that was shown has more words by now, and they are one caption."""
        id, text, line = self._committed
        if not id or self._session is None:
            return
        for item in reversed(self._session.history.items):
            if isinstance(item, ChatMessage) and item.role == "user":
                if item.id == id and item.text != text:
                    self._committed = (id, item.text, line)
                    self._tell(Caption(id=line, role="user", text=item.text, final=True, at=item.created_at))
                    self._tell(Caption(id=self._line(), role="user", text="", final=True, at=item.created_at))
                    self._next_line()
                return

    # --- the agent's ---------------------------------------------------------------------------------------------

    def _agent(self, event: se.AgentTranscriptEvent) -> None:
        if not event.heard and event.step_id not in self._shown:
            return
        if event.step_id not in self._shown:
            self._growth()
            self._shown.add(event.step_id)
        self._tell(
            Caption(
                id=event.step_id,
                role="agent",
                text=event.heard,
                final=event.is_final,
                interrupted=event.interrupted,
                at=event.at,
            )
        )
        if event.is_final:
            self._shown.discard(event.step_id)

    def _item(self, event: se.ConversationItemAddedEvent) -> None:
        item = event.item
        if not isinstance(item, ChatMessage):
            return
        if item.role == "user":
            self._user_item(item)
        elif item.role == "assistant":
            self._growth()
            self._timing(item)

    def _timing(self, item: ChatMessage) -> None:
        if self._turn is None or "e2e_latency" not in item.metrics:
            return
        figures = {**self._turn, **item.metrics}
        stages = {name: round(figures[key], 3) for key, name in STAGES.items() if figures.get(key, 0.0) > 0}
        total = round(item.metrics["e2e_latency"], 3)
        self._tell(Timing(id=self._committed[2], at=item.created_at, total=total, stages=stages))
        self._turn = None

    # --- the rest ------------------------------------------------------------------------------------------------

    def _tool(self, event: se.ToolExecutionUpdatedEvent) -> None:
        self._tell(Tool(name=event.name, status=event.status, at=event.at))

    def _error(self, event: se.ErrorEvent) -> None:
        text = event.error if self._details else "Something went wrong on the server."
        self._tell(Problem(error=text, source=event.source, recoverable=event.recoverable))

    def _close(self, event: se.CloseEvent) -> None:
        self._ended(event.reason)
