"""Facts change the conversation. Folding them, in order, gives it back: in this build and in the next (K7).

They are the ``fact`` lane of the log; ``docs/formats.md`` describes them. A field may be added with a default; none
is renamed or removed.
"""

from __future__ import annotations

from typing import Literal

import msgspec


class Fact(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind"):
    at: float = 0.0
    """Session time in seconds."""


class SessionStarted(Fact, frozen=True, kw_only=True, tag="session.started"):
    agent: str


class SessionEnded(Fact, frozen=True, kw_only=True, tag="session.ended"):
    reason: str


class LegJoined(Fact, frozen=True, kw_only=True, tag="leg.joined"):
    leg: str
    medium: str


class LegLeft(Fact, frozen=True, kw_only=True, tag="leg.left"):
    leg: str
    reason: str


class TurnCommitted(Fact, frozen=True, kw_only=True, tag="turn.committed"):
    """The caller's turn is part of the conversation as message ``item``. ``text`` is what the hook left of it. ``media``:
    names of pictures and sounds with it; what they show stays with the process. ``speaker``: who said most of it, where that
    is known."""

    turn: int
    item: str
    text: str
    modality: Literal["audio", "text"] = "audio"
    started: float = 0.0
    ended: float = 0.0
    confidence: float = 1.0
    language: str = ""
    probability: float | None = None
    media: tuple[str, ...] = ()
    speaker: str = ""


class TurnDropped(Fact, frozen=True, kw_only=True, tag="turn.dropped"):
    """Something was heard and does not count. ``reason``: noise, backchannel, empty, cleared, stopped, closing."""

    turn: int
    text: str
    reason: str


class ReplyAdopted(Fact, frozen=True, kw_only=True, tag="reply.adopted"):
    """``speech`` is the one reply to ``turn``."""

    turn: int
    speech: str
    speculative: bool


class ReplyDiscarded(Fact, frozen=True, kw_only=True, tag="reply.discarded"):
    """A speculation came to nothing. ``segments`` and ``tool_calls``: what it had made."""

    turn: int
    speech: str
    reason: str
    segments: int = 0
    tool_calls: int = 0


class SilenceChosen(Fact, frozen=True, kw_only=True, tag="silence.chosen"):
    """It was decided not to answer ``turn`` (or a tool result)."""

    turn: int
    reason: str


class SayQueued(Fact, frozen=True, kw_only=True, tag="say.queued"):
    speech: str
    source: Literal["say", "reply", "ladder"]
    interruptible: bool = True
    in_history: bool = True


class SpeechHeard(Fact, frozen=True, kw_only=True, tag="speech.heard"):
    """The caller heard ``text`` of ``speech``; it is message ``item``. One such fact a speech: when it settled.
    ``order``: session time at which it began to sound, which places it in history."""

    speech: str
    item: str
    text: str
    samples: int
    quality: str
    estimated: bool
    interrupted: bool
    order: float
    in_history: bool = True


class SpeechDone(Fact, frozen=True, kw_only=True, tag="speech.done"):
    """``outcome``: heard, interrupted, failed, cancelled (never sounded)."""

    speech: str
    outcome: str


class ToolIntent(Fact, frozen=True, kw_only=True, tag="tool.intent"):
    """A call is about to act. ``key``: its idempotency key, fixed here. ``extra``: what its model's service wants back."""

    call_id: str
    item: str
    name: str
    arguments: str
    effect: str
    retry: str
    key: str
    speech: str
    extra: str = ""


class ToolResult(Fact, frozen=True, kw_only=True, tag="tool.result"):
    """A call's output. ``late``: 0 for the first, which its step goes on with; 1, 2, ... for what came of it after that.
    ``media``: names of its pictures and sounds."""

    call_id: str
    item: str
    name: str
    output: str
    is_error: bool = False
    late: int = 0
    media: tuple[str, ...] = ()


class ToolInDoubt(Fact, frozen=True, kw_only=True, tag="tool.in_doubt"):
    """The owner died while it ran and it may not be run again: its effect is unknown. History gets this as its output."""

    call_id: str
    item: str
    name: str


class AgentEntered(Fact, frozen=True, kw_only=True, tag="agent.entered"):
    """``reason``: why, in the words of who handed over. ``reads``, ``note``: what it reads of the conversation so far, as in
    ``Terms``. ``path``: of its class, as in ``AgentRef``."""

    item: str
    agent: str
    path: str = ""
    previous: str = ""
    reason: str = ""
    reads: str = ""
    note: str = ""


class AgentConfigured(Fact, frozen=True, kw_only=True, tag="agent.configured"):
    """The agent has other instructions (``None``: the same) or tools, as item ``item``."""

    item: str
    agent: str
    instructions: str | None = None
    tools_added: tuple[str, ...] = ()
    tools_removed: tuple[str, ...] = ()


class AgentState(Fact, frozen=True, kw_only=True, tag="agent.state"):
    agent: str
    state: str


class SessionUserdata(Fact, frozen=True, kw_only=True, tag="session.userdata"):
    state: str


class TaskEntered(Fact, frozen=True, kw_only=True, tag="task.entered"):
    """A sub-dialogue began: ``agent`` speaks until it is over. ``call_id``: of the tool call that awaits it, if one does."""

    task: str
    agent: str
    call_id: str = ""


class TaskResult(Fact, frozen=True, kw_only=True, tag="task.result"):
    """It is over. ``result``: JSON text; of an error what it says. ``hidden``: the agent below reads ``note`` instead of it."""

    task: str
    result: str
    is_error: bool = False
    hidden: bool = False
    note: str = ""


class StepResult(Fact, frozen=True, kw_only=True, tag="step.result"):
    call_id: str
    name: str
    result: str


class LadderRung(Fact, frozen=True, kw_only=True, tag="ladder.rung"):
    """The session had been silent while it was not the caller's move: rung ``n``, action ``action``."""

    n: int
    action: str
    waiting_for: str


AnyFact = (
    SessionStarted | SessionEnded | LegJoined | LegLeft | TurnCommitted | TurnDropped
    | ReplyAdopted | ReplyDiscarded | SilenceChosen | SayQueued | SpeechHeard | SpeechDone
    | ToolIntent | ToolResult | ToolInDoubt | AgentEntered | AgentConfigured | AgentState | SessionUserdata
    | TaskEntered | TaskResult | StepResult | LadderRung
)  # fmt: skip
