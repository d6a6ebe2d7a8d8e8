"""A call as it happens, on a screen: who says what, which tools run, how long each stage took, states and levels.

Reads the session's public events and nothing else. What the caller said comes from the recogniser.
"""

from __future__ import annotations

import json
from typing import Any

from antiphon.chat.items import AgentHandoff, ChatMessage, FunctionCall, FunctionCallOutput
from antiphon.cli.screen import Screen, clock, meter
from antiphon.session.events import (
    AgentStateChangedEvent,
    AgentTranscriptEvent,
    CloseEvent,
    ConversationItemAddedEvent,
    ErrorEvent,
    OverlappingSpeechEvent,
    UserInputTranscribedEvent,
    UserStateChangedEvent,
)

STAGES = {
    "e2e_latency": "answered after",
    "transcription_delay": "words after",
    "end_of_turn_delay": "end of turn after",
    "on_user_turn_completed_delay": "hook",
    "llm_node_ttft": "language model",
    "tts_node_ttfb": "voice",
}
"""Metrics of a message, in the order in which they are shown, and what they are called here."""

INDENT = " " * 17
LEAST_SHOWN = 0.005
"""Seconds; what is shorter is not worth a word."""


class LiveCall:
    """Shows one session. ``levels``: draw the loudness of both sides in the status line. ``show_caller``: off where
    the caller's words are on the screen already, typed."""

    def __init__(
        self, screen: Screen, *, levels: bool = False, caller_name: str = "you", show_caller: bool = True
    ) -> None:
        self._screen = screen
        self._levels = levels
        self._show_caller = show_caller
        self._caller = caller_name
        self._now = 0.0
        self._states = {"user": "listening", "agent": "initializing"}
        self._loudness = (-90.0, -90.0)
        self._partial = ""
        self._caption = ""
        self._session: Any = None
        self._shown: tuple[str, str] = ("", "")
        self.errors = 0

    def attach(self, session: Any) -> None:
        """Listen to a session's events."""
        self._session = session
        session.on("user_state_changed", self._user_state)
        session.on("agent_state_changed", self._agent_state)
        session.on("user_input_transcribed", self._transcribed)
        session.on("agent_transcript", self._caption_grew)
        session.on("conversation_item_added", self._item)
        session.on("overlapping_speech", self._overlap)
        session.on("error", self._error)
        session.on("close", self._closed)

    def level(self, caller: float, agent: float, at: float) -> None:
        """Loudness in dBFS at session time ``at``, about ten times a second."""
        self._loudness = (caller, agent)
        self._draw(at)

    # --- the session's events ------------------------------------------------------------------------------------

    def _user_state(self, event: UserStateChangedEvent) -> None:
        self._states["user"] = event.new_state
        self._draw(event.at)

    def _agent_state(self, event: AgentStateChangedEvent) -> None:
        self._states["agent"] = event.new_state
        self._draw(event.at)

    def _transcribed(self, event: UserInputTranscribedEvent) -> None:
        self._partial = "" if event.is_final else event.transcript
        self._draw(event.at)

    def _caption_grew(self, event: AgentTranscriptEvent) -> None:
        self._caption = "" if event.is_final else event.heard
        self._draw(event.at)

    def _item(self, event: ConversationItemAddedEvent) -> None:
        item = event.item
        if isinstance(item, ChatMessage) and item.role == "user":
            self._partial = ""
            self._show_turn(item)
            return
        self._show_growth()
        if isinstance(item, ChatMessage) and item.role == "assistant":
            self._caption = ""
            cut = " (interrupted)" if item.interrupted else ""
            self._say(item.created_at, "agent", "green", item.text + cut, stages(item.metrics))
        elif isinstance(item, FunctionCall):
            self._say(item.created_at, "tool", "yellow", f"{item.name}({arguments(item.arguments)})", "")
        elif isinstance(item, FunctionCallOutput) and (item.is_error or item.output):
            what = "failed: " if item.is_error else "-> "
            self._say(item.created_at, "tool", "yellow", f"{what}{item.output}", "")
        elif isinstance(item, AgentHandoff):
            self._say(item.created_at, "agent", "green", f"({item.new_agent} takes over)", "")

    def _show_turn(self, item: ChatMessage) -> None:
        self._shown = (item.id, item.text)
        if self._show_caller:
            self._say(item.created_at, self._caller, "cyan", item.text, stages(item.metrics))

    def _show_growth(self) -> None:
        """A caller who went on after a pause: the turn that was shown has more words by now."""
        id, text = self._shown
        for item in reversed(self._session.history.items):
            if isinstance(item, ChatMessage) and item.role == "user":
                if item.id == id and item.text != text:
                    self._show_turn(item)
                return

    def _overlap(self, event: OverlappingSpeechEvent) -> None:
        if event.verdict == "backchannel":
            self._say(event.at, self._caller, "dim", f"({event.text or 'hm'})", "")

    def _error(self, event: ErrorEvent) -> None:
        self.errors += 1

    def problem(self, text: str) -> None:
        """Show something that went wrong (the session reports it once, by logging, with its traceback)."""
        self._say(self._now, "problem", "red", text.rstrip(), "")

    def _closed(self, event: CloseEvent) -> None:
        self._screen.status("")

    # --- drawing -------------------------------------------------------------------------------------------------

    def _say(self, at: float, who: str, colour: str, text: str, times: str) -> None:
        self._now = max(self._now, at)
        first, *more = text.splitlines() or [""]
        style = self._screen.style
        lines = [f"{style(f'{clock(at):>7}', 'dim')}  {style(f'{who:8}', colour)}{first}"]
        lines += [f"{INDENT}{line}" for line in more]
        if times:
            lines.append(f"{INDENT}{style(times, 'dim')}")
        self._screen.line("\n".join(lines))
        self._draw()

    def _draw(self, at: float = 0.0) -> None:
        self._now = max(self._now, at)
        style = self._screen.style
        parts = [style(clock(self._now), "dim")]
        for who, side, colour in ((self._caller, "user", "cyan"), ("agent", "agent", "green")):
            bar = ""
            if self._levels:
                bar = f"▕{style(meter(self._loudness[side == 'agent']), colour)}▏"
            parts.append(f"{style(who, colour)} {bar}{self._states[side]:12}")
        words = self._partial or self._caption
        if words:
            parts.append(style(words[-60:], "dim"))
        self._screen.status("  ".join(parts))


def stages(metrics: dict[str, float]) -> str:
    """A message's times in one line: "answered after 1.35 s, language model 0.34 s, voice 0.10 s"."""
    shown = [(name, metrics[key]) for key, name in STAGES.items() if metrics.get(key, 0.0) >= LEAST_SHOWN]
    return ", ".join(f"{name} {seconds:.2f} s" for name, seconds in shown)


def arguments(text: str) -> str:
    """A tool call's arguments as Python would show them."""
    try:
        data = json.loads(text or "{}")
    except ValueError:
        return text
    return ", ".join(f"{key}={value!r}" for key, value in data.items()) if isinstance(data, dict) else text
