"""A call on the screen: who says what, grown turns, tools, times, states and levels."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from typing import Any

import pytest

from antiphon.chat.context import ChatContext
from antiphon.chat.items import ChatMessage, FunctionCall, FunctionCallOutput
from antiphon.cli.live import LiveCall
from antiphon.cli.screen import Screen
from antiphon.session.events import (
    AgentStateChangedEvent,
    CloseEvent,
    ConversationItemAddedEvent,
    ErrorEvent,
    OverlappingSpeechEvent,
    UserInputTranscribedEvent,
    UserStateChangedEvent,
)


class Call:
    """A conversation that happens when a test says so."""

    def __init__(self) -> None:
        self.history = ChatContext.empty()
        self.handlers: dict[str, Callable[[Any], None]] = {}

    def on(self, name: str, handler: Callable[[Any], None]) -> None:
        self.handlers[name] = handler

    def add(self, item: Any) -> None:
        self.history.items.append(item)
        self.handlers["conversation_item_added"](ConversationItemAddedEvent(item=item, at=item.created_at))


@pytest.fixture
def shown() -> tuple[Call, io.StringIO, LiveCall]:
    out = io.StringIO()
    live = LiveCall(Screen(out), caller_name="caller")
    call = Call()
    live.attach(call)
    return call, out, live


def test_the_transcript_with_times(shown: tuple[Call, io.StringIO, LiveCall]) -> None:
    call, out, _ = shown
    call.add(ChatMessage(id="1", role="user", text="A latte.", created_at=3.21, metrics={"end_of_turn_delay": 0.4}))
    call.add(FunctionCall(id="2", call_id="c", name="brew", arguments='{"drink": "latte"}', created_at=3.5))
    call.add(FunctionCallOutput(id="3", call_id="c", name="brew", output="no beans", is_error=True, created_at=3.6))
    answer = {"e2e_latency": 1.35, "llm_node_ttft": 0.34, "tts_node_ttfb": 0.001}
    call.add(ChatMessage(id="4", role="assistant", text="Sorry.", interrupted=True, created_at=4.0, metrics=answer))
    lines = out.getvalue().splitlines()
    assert lines[0] == " 0:03.2  caller  A latte."
    assert lines[1].strip() == "end of turn after 0.40 s"
    assert lines[2].split() == ["0:03.5", "tool", "brew(drink='latte')"]
    assert "failed: no beans" in lines[3]
    assert "Sorry. (interrupted)" in lines[4]
    assert lines[5].strip() == "answered after 1.35 s, language model 0.34 s"


def test_a_turn_that_grew_is_shown_again_with_all_its_words(shown: tuple[Call, io.StringIO, LiveCall]) -> None:
    call, out, _ = shown
    turn = ChatMessage(id="1", role="user", text="Good morning.", created_at=1.0)
    call.add(turn)
    call.history.items[0] = ChatMessage(id="1", role="user", text="Good morning. A latte.", created_at=2.0)
    call.add(ChatMessage(id="2", role="assistant", text="One latte.", created_at=3.0))
    said = re.findall(r"caller  (.*)", out.getvalue())
    assert said == ["Good morning.", "Good morning. A latte."]


def test_problems_and_backchannels(shown: tuple[Call, io.StringIO, LiveCall]) -> None:
    call, out, live = shown
    call.handlers["overlapping_speech"](OverlappingSpeechEvent(verdict="backchannel", text="mhm", at=1.0))
    call.handlers["error"](ErrorEvent(source="llm", error="too slow", at=2.0))
    live.problem("llm: too slow\nmore")
    assert "(mhm)" in out.getvalue()
    assert out.getvalue().count("too slow") == 1
    assert live.errors == 1


def test_states_levels_and_partials_in_a_terminal() -> None:
    out = io.StringIO()
    live, call = LiveCall(Screen(out, live=True), levels=True), Call()
    live.attach(call)
    call.handlers["user_state_changed"](UserStateChangedEvent(old_state="listening", new_state="speaking", at=1.0))
    call.handlers["agent_state_changed"](
        AgentStateChangedEvent(old_state="initializing", new_state="listening", at=1.0)
    )
    call.handlers["user_input_transcribed"](UserInputTranscribedEvent(transcript="A lat", is_final=False, at=1.2))
    live.level(0.0, -90.0, 1.3)
    status = re.sub(r"\x1b\[[0-9;]*[mK]", "", out.getvalue().split("\r")[-1])
    assert status.split() == ["0:01.3", "you", "▕████████▏speaking", "agent", "▕", "▏listening", "A", "lat"]
    call.handlers["close"](CloseEvent(reason="drain"))
    assert out.getvalue().endswith("\r\x1b[K")
