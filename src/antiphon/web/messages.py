"""Messages between a page and the server, on the one socket of the page: JSON texts with a ``type``.

The signals of the leg (``transport/webrtc/signals.py``: offer, candidate, playout, mute, text, dtmf, bye; answer,
candidate, connection, error, stats) pass through unread. Beside them::

    page:    {"type": "hello", "token": "...", "resume": "..."}     first of all; ``resume`` of an earlier welcome, or ""
    server:  {"type": "welcome", "session": "...", "resume": "...", "resumed": false, "resume_window": 60,
              "ice_servers": [...], "captions": [...], "agent_state": "...", "user_state": "..."}
             {"type": "caption", "id": "...", "role": "agent", "text": "...", "final": false, "interrupted": false,
              "aside": false, "at": 3.2}                            replaces the caption of that id
             {"type": "agent_state", "state": "speaking"}           and user_state
             {"type": "timing", "id": "...", "at": 3.2, "total": 0.9, "stages": {"end_of_turn": 0.3, ...}}   seconds
             {"type": "tool", "name": "...", "status": "started", "at": 3.2}
             {"type": "error", "error": "...", "hint": "...", "source": "llm", "recoverable": true, "retry_after": 0}
             {"type": "ended", "reason": "...", "message": "..."}   the last; then the socket is closed
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

SIGNALS = frozenset({"offer", "candidate", "playout", "mute", "text", "dtmf", "bye"})
"""What goes to the leg as it is."""

NORMAL, GOING_AWAY, TOO_BIG, TRY_LATER = 1000, 1001, 1009, 1013
MALFORMED, UNAUTHORISED, TIMED_OUT, REPLACED, TOO_MANY = 4400, 4401, 4408, 4409, 4429
"""Close codes of the socket; those from 4000 on are ours and read like HTTP's."""

ENDINGS = {
    "participant_disconnected": "The call was hung up, or the connection was gone for too long.",
    "task_completed": "The agent ended the call.",
    "user_initiated": "The agent ended the call.",
    "drain": "The agent ended the call.",
    "job_shutdown": "The server is shutting down.",
    "unknown_call": "This call is over. The server may have been restarted.",
    "error": "Something failed on the server, and the call could not go on.",
    "fenced": "The call goes on elsewhere.",
    "busy": "All lines are busy.",
}
"""What the page says of a reason."""


class Hello(msgspec.Struct, frozen=True, tag="hello", tag_field="type"):
    token: str = ""
    resume: str = ""


class Kind(msgspec.Struct, frozen=True):
    """Any message: only what it is."""

    type: str


class Caption(msgspec.Struct, frozen=True, tag="caption", tag_field="type"):
    """``text``: all of it, as heard so far. ``final``: it changes no more. ``interrupted``: the caller cut it off there.
    ``aside``: words of the caller that were no turn (a hum)."""

    id: str
    role: Literal["user", "agent"]
    text: str
    final: bool
    interrupted: bool = False
    aside: bool = False
    at: float = 0.0


class Welcome(msgspec.Struct, frozen=True, tag="welcome", tag_field="type"):
    session: str
    resume: str
    resumed: bool
    resume_window: float
    ice_servers: list[Any]
    captions: list[Caption]
    agent_state: str
    user_state: str


class State(msgspec.Struct, frozen=True):
    type: Literal["agent_state", "user_state"]
    state: str


class Timing(msgspec.Struct, frozen=True, tag="timing", tag_field="type"):
    """``total``: from the caller's last sound to the agent's first; ``stages``: what is known of it."""

    id: str
    at: float
    total: float
    stages: dict[str, float]


class Tool(msgspec.Struct, frozen=True, tag="tool", tag_field="type"):
    name: str
    status: str
    at: float


class Problem(msgspec.Struct, frozen=True, tag="error", tag_field="type"):
    error: str
    hint: str = ""
    source: str = "server"
    recoverable: bool = True
    retry_after: float = 0.0


class Ended(msgspec.Struct, frozen=True, tag="ended", tag_field="type"):
    reason: str
    message: str

    @classmethod
    def of(cls, reason: str) -> Ended:
        return cls(reason, ENDINGS.get(reason, "The call is over."))


Message = Caption | Welcome | State | Timing | Tool | Problem | Ended

_hello = msgspec.json.Decoder(Hello)
_kind = msgspec.json.Decoder(Kind)
_state = msgspec.json.Decoder(State)
_shown = msgspec.json.Decoder(Caption | Timing | Tool | Problem | Ended)
_encoder = msgspec.json.Encoder()


def read_hello(text: str) -> Hello | None:
    """The first message; ``None`` where it is something else."""
    try:
        return _hello.decode(text)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None


def kind_of(text: str) -> str:
    """The type of a message; empty where it has none."""
    try:
        return _kind.decode(text).type
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return ""


def read_shown(text: str) -> Caption | State | Timing | Tool | Problem | Ended | None:
    """A message to a page, as a session's feed wrote it; ``None`` for any other text."""
    kind = kind_of(text)
    try:
        return _state.decode(text) if kind in ("agent_state", "user_state") else _shown.decode(text)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None


def write(message: Message) -> str:
    return _encoder.encode(message).decode()
