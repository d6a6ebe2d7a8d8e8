"""What the kernel wants done: plain frozen data, carried out by the session shell in order.

``after``: log position that must be durable before the effect may happen (0 = none). Effects with an ``op`` are
answered by events that carry it.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from antiphon.kernel.events import Effectfulness, Op, Retry
from antiphon.kernel.facts import AnyFact
from antiphon.kernel.policy import AgentRef


class Effect(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind"):
    after: int = 0


class Record(Effect, frozen=True, kw_only=True, tag="record"):
    """Append a fact to the log at ``position``. The kernel has applied it already."""

    position: int
    fact: AnyFact


class WakeAt(Effect, frozen=True, kw_only=True, tag="wake"):
    """Send ``Tick`` at this session time; replaces the earlier wish. ``at < 0``: no timer is set."""

    at: float


class Notify(Effect, frozen=True, kw_only=True, tag="notify"):
    """Tell the application: ``name`` is the event's public name, ``body`` its fields as plain data."""

    name: str
    body: dict[str, Any]


# --- turn --------------------------------------------------------------------------------------------------------


class ScoreTurn(Effect, frozen=True, kw_only=True, tag="turn.score"):
    """Ask the end-of-turn model about the pause that began at ``at``. Answer: ``EndScore``."""

    op: Op
    at: float
    text: str


class FlushStt(Effect, frozen=True, kw_only=True, tag="stt.flush"):
    """The caller has probably finished: ask for the final transcript now."""


class ResetStt(Effect, frozen=True, kw_only=True, tag="stt.reset"):
    """Forget audio of the cleared turn."""


# --- replies -----------------------------------------------------------------------------------------------------


class StartReply(Effect, frozen=True, kw_only=True, tag="reply.start"):
    """Generate. The shell builds the prompt view, runs llm -> segmenter -> transcription -> tts and pushes audio into
    the plane under ``speech``, unplayed. ``turn_text``: the user's turn when it is not in history yet
    (speculation). ``tools``: False on the last allowed tool step. ``apology``: a former attempt failed.
    Answers: ``Segment, Synthesised, ToolCall, Generated, AudioDone, ReplyFailed``."""

    op: Op
    speech: str
    turn_text: str = ""
    speculative: bool = False
    synthesise: bool = True
    tools: bool = True
    attempt: int = 0


class StartSay(Effect, frozen=True, kw_only=True, tag="say.start"):
    """Synthesise what ``say`` gave, from its beginning: what the plane has of it is for nothing. ``text``: what it was, where it
    was text. Answers as ``StartReply`` without tools."""

    op: Op
    speech: str
    text: str = ""
    attempt: int = 0


class AdoptReply(Effect, frozen=True, kw_only=True, tag="reply.adopt"):
    """The speculative op is now the turn's reply; synthesis may go on where it was held back."""

    op: Op


class Cancel(Effect, frozen=True, kw_only=True, tag="cancel"):
    """Stop whatever runs for the op and free it; its answers are closed."""

    op: Op


# --- the plane ---------------------------------------------------------------------------------------------------


class Play(Effect, frozen=True, kw_only=True, tag="play"):
    """Let ``speech`` sound, from its first sample, as its audio comes. ``interruptible`` arms the reflex."""

    speech: str
    interruptible: bool


class Pause(Effect, frozen=True, kw_only=True, tag="play.pause"):
    speech: str


class Resume(Effect, frozen=True, kw_only=True, tag="play.resume"):
    """Go on at sample ``at`` (the word where it stopped), out of retained audio."""

    speech: str
    at: int


class Stop(Effect, frozen=True, kw_only=True, tag="play.stop"):
    """Stop and drop its audio. Answer: ``PlaySettled`` (also where it never played)."""

    speech: str


class PlayCanned(Effect, frozen=True, kw_only=True, tag="play.canned"):
    """Play the clip rendered ahead for ``key`` (filler, apology, goodbye) as ``speech``. Answers as ``Play``. Whoever
    knows the clip also answers ``op`` with its ``Segment`` and ``Synthesised``: so its words reach history."""

    speech: str
    key: str
    op: Op = (0, 0)


class SetReflex(Effect, frozen=True, kw_only=True, tag="play.reflex"):
    """Arm or disarm the plane's barge-in reflex (thresholds come with the agent's policy)."""

    armed: bool


# --- tools, hooks, agents ----------------------------------------------------------------------------------------


class RunTool(Effect, frozen=True, kw_only=True, tag="tool.run"):
    """Run it on the user's loop. ``agent``: whose model asked for it. ``key``: idempotency key. ``again``: the owner who ran it died. Answers: ``ToolProgress``, ``ToolReturned``."""

    op: Op
    speech: str
    call_id: str
    name: str
    arguments: str
    effect: Effectfulness
    retry: Retry
    key: str
    agent: str = ""
    again: bool = False


class CancelTool(Effect, frozen=True, kw_only=True, tag="tool.cancel"):
    op: Op


class DetachTool(Effect, frozen=True, kw_only=True, tag="tool.detach"):
    """The session ends while this write runs: leave it to the process, record its result later."""

    op: Op


class CallHook(Effect, frozen=True, kw_only=True, tag="hook.call"):
    """Call ``hook`` (``on_enter``, ``on_exit``, ``on_user_turn_completed``, ``on_user_turn_exceeded``) of ``agent``.
    Answer: ``HookReturned``."""

    op: Op
    agent: str
    hook: str
    turn: int = 0
    text: str = ""


class AbandonHook(Effect, frozen=True, kw_only=True, tag="hook.abandon"):
    """Its hard deadline passed: cancel it, go on without."""

    op: Op


class Rebind(Effect, frozen=True, kw_only=True, tag="agent.rebind"):
    """``agent`` is the current one: its instructions, tools, models and policy hold from here on."""

    agent: AgentRef


# --- legs and the end --------------------------------------------------------------------------------------------


class SendDtmf(Effect, frozen=True, kw_only=True, tag="leg.dtmf"):
    leg: str
    digits: str


class Failover(Effect, frozen=True, kw_only=True, tag="liveness.failover"):
    """The current attempt of this kind of model is too slow or failed: the next one should be another where there is
    one."""

    stage: Literal["llm", "tts", "stt"]


class CloseAll(Effect, frozen=True, kw_only=True, tag="close_all"):
    """Free everything of the session by ``deadline`` (session time). Answer: ``Closed``."""

    op: Op
    deadline: float


class Ended(Effect, frozen=True, kw_only=True, tag="ended"):
    """The last effect of a session."""

    reason: str


AnyEffect = (
    Record | WakeAt | Notify | ScoreTurn | FlushStt | ResetStt
    | StartReply | StartSay | AdoptReply | Cancel
    | Play | Pause | Resume | Stop | PlayCanned | SetReflex
    | RunTool | CancelTool | DetachTool | CallHook | AbandonHook | Rebind
    | SendDtmf | Failover | CloseAll | Ended
)  # fmt: skip
