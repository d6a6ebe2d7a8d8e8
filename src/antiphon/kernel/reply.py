"""Reply: one answer to each turn, and those that the application asks for. Owns the generations under way.

Theory. A reply is a chain of steps under one base id; each step (a tool step, another attempt) is a speech and an op
of its own: ``base``, ``base#2``, ``base#3``. A speculation is a chain that may not sound; when its turn is committed
unchanged it is adopted, else cancelled and counted. A step that fails before it sounded is made again, elsewhere, at
most ``RETRIES`` times; one that fails while it sounds ends with what is there and the chain goes on behind it. A turn
that is committed while an older one's answer has not sounded takes its place. While the caller goes on with a turn
nothing more of its answer is made (``held``); it is made again if what they said comes to nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from antiphon.kernel import facts as ft
from antiphon.kernel.effects import Cancel, Failover, StartReply
from antiphon.kernel.events import (
    Op,
    Priority,
)
from antiphon.kernel.policy import ReplyOptions, SessionPolicy
from antiphon.kernel.signals import (
    BatchClosed,
    Discarded,
    ReplyCut,
    ReplyDropped,
    ReplyLost,
    ReplyQueued,
    ToolBatchSettled,
)

if TYPE_CHECKING:
    from antiphon.kernel.out import Out
    from antiphon.kernel.state import KernelState

RETRIES = 2
RETRY_AFTER = (0.1, 0.6)
"""Seconds before the first and the second retry."""

STATES = ("speculating", "generating", "held", "rendering", "saying", "tools", "handoff", "retrying", "done")
MOVES: dict[tuple[str, str], str] = {
    ("speculating", "adopted"): "generating",
    ("speculating", "rejected"): "done",
    ("generating", "generated with tools"): "tools",
    ("generating", "generated"): "rendering",
    ("generating", "failed"): "retrying",
    ("rendering", "failed"): "retrying",
    ("rendering", "rendered"): "saying",
    ("saying", "said"): "done",
    **{(phase, "sound lost"): "generating" for phase in ("rendering", "saying")},
    ("retrying", "again"): "generating",
    ("generating", "the caller goes on"): "held",
    ("retrying", "the caller goes on"): "held",
    ("held", "again"): "generating",
    **{(phase, "lost"): "saying" for phase in ("generating", "rendering", "retrying")},
    ("tools", "batch settled"): "generating",
    ("tools", "enough"): "saying",
    ("tools", "handoff"): "handoff",
    ("handoff", "go on"): "generating",
    ("handoff", "enough"): "saying",
    **{(phase, "ended"): "done" for phase in STATES[1:-1]},
}


class Reply(msgspec.Struct):
    """One chain. ``steps``: ids handed out; ``tool_steps``: of them, those that answered tool results. ``calls`` and
    ``segments``: of the current step. ``audio``: all its audio is in the plane. ``interruptible``, ``behind``: of its speeches;
    ``question``: settings that hold for the answer to them. ``agent``: whose it is; ``last``: its agent's sub-dialogue is over, no
    step follows. ``settled``: its calls are, and the sub-dialogue on top of its agent is not over."""

    base: str
    phase: str = "generating"
    turn: int = 0
    turn_text: str = ""
    version: int = 0
    policy: SessionPolicy | None = None
    agent: str = ""
    after: int = 0
    priority: Priority = "reply"
    interruptible: bool = True
    floor: str = ""
    behind: tuple[str, ...] = ()
    steps: int = 0
    tool_steps: int = 0
    attempt: int = 0
    speech: str = ""
    op: Op | None = None
    calls: int = 0
    segments: int = 0
    generated: bool = False
    audio: bool = False
    question: SessionPolicy | None = None
    last: bool = False
    settled: ToolBatchSettled | None = None


class ReplyState(msgspec.Struct):
    """``owed``: a tool's result came that no reply has told of. ``errors``: lost replies in a row.
    ``rest``: ops of former steps of which audio still comes, with their speeches. ``turn``: the newest that was committed;
    ``unanswered``: its answer ended with the sub-dialogue of its agent, or with a former owner. ``options``: of replies that the
    application asked for, by base."""

    replies: dict[str, Reply] = {}
    made: int = 0
    owed: bool = False
    errors: int = 0
    rest: dict[int, str] = {}
    turn: int = 0
    unanswered: bool = False
    options: dict[str, ReplyOptions] = {}

    def answers(self, turn: int) -> str | None:
        """Base of the chain that answers ``turn``."""
        for base, reply in self.replies.items():
            if reply.turn == turn and turn > 0 and reply.phase != "speculating":
                return base
        return None

    def by_op(self, op: Op) -> Reply | None:
        return next((r for r in self.replies.values() if r.op == op), None)


def move(reply: Reply, cause: str) -> bool:
    phase = MOVES.get((reply.phase, cause))
    if phase is None:
        return False
    reply.phase = phase
    return True


# --- steps -------------------------------------------------------------------------------------------------------


def new_base(state: ReplyState, view: KernelState) -> str:
    state.made += 1
    return f"reply.{view.epoch}.{state.made}"


def begin(state: ReplyState, reply: Reply, view: KernelState, out: Out) -> None:
    """Generate the next step of the chain."""
    reply.steps += 1
    reply.speech = reply.base if reply.steps == 1 else f"{reply.base}#{reply.steps}"
    reply.op = out.op("reply")
    reply.calls = reply.segments = 0
    reply.generated = reply.audio = False
    speculative = reply.phase == "speculating"
    if not speculative:
        state.owed = state.unanswered = False
        reply.agent = view.agents.current.key if view.agents.current is not None else ""
        if reply.steps > 1:
            reply.after = view.position  # what the calls came to is on record before it is told
    out.signal(
        ReplyQueued(
            reply.speech, reply.base, "reply", reply.op, priority=reply.priority, interruptible=reply.interruptible,
            authorised=not speculative, after=reply.after, floor=reply.floor, question=reply.question,
            behind=reply.behind,
        )
    )  # fmt: skip
    out.effect(
        StartReply(
            op=reply.op,
            speech=reply.speech,
            turn_text=reply.turn_text if speculative else "",
            speculative=speculative,
            synthesise=not speculative or view.policy.turn.speculate_tts,
            tools=reply.tool_steps < view.policy.max_tool_steps,
            attempt=reply.attempt,
        )
    )


def stop_op(reply: Reply, out: Out) -> None:
    if reply.op is not None:
        out.effect(Cancel(op=reply.op))
        out.close(reply.op)
        reply.op = None


def done(state: ReplyState, reply: Reply, out: Out) -> None:
    out.cancel_timer(f"reply.retry:{reply.base}")
    state.replies.pop(reply.base, None)
    state.options.pop(reply.base, None)


def conclude(state: ReplyState, reply: Reply, view: KernelState, out: Out) -> None:
    """Nothing more is generated: the chain is over when all of it has been said."""
    if reply.phase == "saying" and not view.speech.of(reply.base) and move(reply, "said"):
        done(state, reply, out)


def may_be_dropped(reply: Reply, view: KernelState) -> bool:
    """Whether nothing of an answer has sounded, so that a newer turn's can take its place."""
    out_there = any(s.sounding and (s.position or s.phase != "settling") for s in view.speech.of(reply.base))
    return reply.interruptible and not out_there and not view.speech.heard_of(reply.base)


def below(reply: Reply, view: KernelState) -> bool:
    """Whether its tools wait for what comes of a sub-dialogue: whatever is said there does not concern it."""
    return reply.phase in ("tools", "handoff") and view.agents.below(reply.agent)


def supersede(state: ReplyState, reply: Reply, view: KernelState, out: Out) -> None:
    """A newer turn has its answer: this one comes too late."""
    out.fact(
        ft.ReplyDiscarded(
            at=out.now, turn=reply.turn, speech=reply.speech, reason="superseded", segments=reply.segments,
            tool_calls=reply.calls,
        )
    )  # fmt: skip
    end(state, reply, "cancelled", view, out)


def end(state: ReplyState, reply: Reply, outcome: str, view: KernelState, out: Out) -> None:
    """Nothing more of this chain; what has not sounded never will."""
    stop_op(reply, out)
    drop_rest(state, reply.base, view, out)
    out.signal(Discarded(reply.speech))
    for speech in view.speech.of(reply.base):
        out.signal(ReplyDropped(speech.id, outcome))
    move(reply, "ended")
    done(state, reply, out)


def finish_step(state: ReplyState, reply: Reply) -> None:
    """The next step begins while the audio of this one may still come."""
    if reply.op is not None:
        state.rest[reply.op[1]] = reply.speech
        reply.op = None


def drop_rest(state: ReplyState, base: str, view: KernelState, out: Out) -> None:
    """No more audio of former steps (of one chain, or all): what is there is all of it."""
    for number, speech in list(state.rest.items()):
        if not base or speech.partition("#")[0] == base:
            out.effect(Cancel(op=(view.epoch, number)))
            out.close((view.epoch, number))
            del state.rest[number]
            out.signal(ReplyCut(speech))


def speculation(state: ReplyState) -> Reply | None:
    return next((r for r in state.replies.values() if r.phase == "speculating"), None)


def reject(state: ReplyState, reason: str, out: Out) -> None:
    reply = speculation(state)
    if reply is None:
        return
    out.fact(
        ft.ReplyDiscarded(
            at=out.now, turn=reply.turn, speech=reply.speech, reason=reason, segments=reply.segments,
            tool_calls=reply.calls,
        )
    )  # fmt: skip
    stop_op(reply, out)
    out.signal(Discarded(reply.speech))
    out.signal(ReplyDropped(reply.speech, "discarded"))
    move(reply, "rejected")
    done(state, reply, out)


def failed(
    state: ReplyState, reply: Reply, stage: Literal["llm", "tts", "node"], error: str, retryable: bool,
    view: KernelState, out: Out,
) -> None:  # fmt: skip
    if reply.phase == "speculating":
        reject(state, f"failed: {error}", out)
        return
    again = retryable and reply.attempt < RETRIES
    out.notify("error", stage=stage, error=error, recoverable=again)
    if reply.phase == "tools" or (reply.calls and view.tools.of(reply.speech)):
        reply.generated = True  # its calls stand; the words that are missing are said after their results
        out.close(reply.op)
        reply.op = None
        out.signal(ReplyCut(reply.speech))
        if move(reply, "generated with tools"):
            out.signal(BatchClosed(reply.speech))
        return
    stop_op(reply, out)
    sounded = view.speech.sounded(reply.speech)
    out.signal(ReplyCut(reply.speech) if sounded else ReplyDropped(reply.speech, "failed"))
    if again and move(reply, "failed"):
        if stage != "node":
            out.effect(Failover(stage=stage))
        out.timer(f"reply.retry:{reply.base}", out.now + RETRY_AFTER[reply.attempt])
        reply.attempt += 1
    else:
        state.errors += 1
        move(reply, "lost")
        out.cancel_timer(f"reply.retry:{reply.base}")
        out.signal(ReplyLost(reply.base, stage, error))
        conclude(state, reply, view, out)
