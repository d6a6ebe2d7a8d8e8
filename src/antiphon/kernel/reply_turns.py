"""Reply, first part: which turn or wish gets which answer, and how far its steps are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from antiphon.kernel import facts as ft
from antiphon.kernel import gates
from antiphon.kernel.effects import AdoptReply
from antiphon.kernel.events import (
    AudioDone,
    Generated,
    ReplyAsked,
    Segment,
    ToolCall,
)
from antiphon.kernel.floor import floor_of
from antiphon.kernel.gates import FREE
from antiphon.kernel.reply import (
    Reply,
    ReplyState,
    begin,
    below,
    conclude,
    failed,
    finish_step,
    may_be_dropped,
    move,
    new_base,
    reject,
    speculation,
    stop_op,
    supersede,
)
from antiphon.kernel.signals import (
    Adopted,
    BatchClosed,
    HandoffDone,
    ReplyAuthorised,
    ReplyDropped,
    Review,
    Speculable,
    ToolBatchSettled,
    TurnCommitted,
    TurnContinued,
    TurnDropped,
)
from antiphon.kernel.speech_order import came_of
from antiphon.turns.words import same_words

if TYPE_CHECKING:
    from antiphon.kernel.out import Out
    from antiphon.kernel.state import KernelState


# --- turns -------------------------------------------------------------------------------------------------------


def on_speculable(state: ReplyState, signal: Speculable, view: KernelState, out: Out) -> None:
    reject(state, "new words", out)
    if view.tools.busy(view) or view.agents.turns or view.agents.phase != "here" or view.agents.current is None:
        return
    base = new_base(state, view)
    reply = state.replies[base] = Reply(
        base, "speculating", turn=signal.turn, turn_text=signal.text, version=view.conversation.version,
        policy=view.agents.current.policy, agent=view.agents.current.key, floor=FREE,
    )  # fmt: skip
    begin(state, reply, view, out)


def on_continued(state: ReplyState, signal: TurnContinued, view: KernelState, out: Out) -> None:
    reject(state, "the caller went on", out)


def on_review(state: ReplyState, signal: Review, view: KernelState, out: Out) -> None:
    """After every cause: while the caller goes on, nothing more is made of an answer that has not sounded; it is made
    again when nothing came of what they said."""
    if view.lifecycle.phase not in ("running", "draining"):
        return
    goes_on = _goes_on(view)
    for reply in state.replies.values():
        if goes_on and _answers_too_little(reply, view):
            retries = reply.phase == "retrying"
            if move(reply, "the caller goes on") and not retries:
                stop_op(reply, out)
                out.signal(ReplyDropped(reply.speech, "cancelled"))
            out.cancel_timer(f"reply.retry:{reply.base}")
        elif reply.phase == "held" and not goes_on and not view.agents.turns:
            move(reply, "again")
            begin(state, reply, view, out)


def _goes_on(view: KernelState) -> bool:
    return view.turn.going_on(view.now) and gates.FLOOR in view.gates and view.policy.turn.mode != "manual"


def _answers_too_little(reply: Reply, view: KernelState) -> bool:
    """Whether it is an answer being made of which nothing has sounded or been done."""
    if reply.phase not in ("generating", "retrying") or not reply.turn or reply.calls or not reply.interruptible:
        return False
    out_there = view.speech.sounding_of(reply.base) or view.speech.heard_of(reply.base)
    return not out_there and not view.tools.acted(reply.base)


def on_committed(state: ReplyState, signal: TurnCommitted, view: KernelState, out: Out) -> None:
    state.turn = signal.turn
    _supersede(state, signal.turn, view, out)
    if not signal.reply:
        reject(state, "no reply asked for", out)
        out.fact(ft.SilenceChosen(at=out.now, turn=signal.turn, reason="not asked for"))
        return
    guess = speculation(state)
    if guess is not None and not _fits(guess, signal, view):
        reject(state, "something changed", out)
        guess = None
    if guess is not None and guess.op is not None:
        guess.turn, guess.after = signal.turn, signal.position
        move(guess, "adopted")
        out.fact(ft.ReplyAdopted(at=out.now, turn=signal.turn, speech=guess.speech, speculative=True))
        out.effect(AdoptReply(op=guess.op))
        out.signal(ReplyAuthorised(guess.speech, signal.position))
        out.signal(Adopted(guess.speech))
        state.owed = state.unanswered = False
        progress(state, guess, view, out)
        return
    base = signal.speech or new_base(state, view)
    if base in state.replies:
        base = new_base(state, view)
    reply = state.replies[base] = Reply(
        base, turn=signal.turn, after=signal.position, priority=signal.priority, interruptible=signal.interruptible,
        floor=signal.floor, behind=signal.behind,
    )  # fmt: skip
    out.fact(ft.ReplyAdopted(at=out.now, turn=signal.turn, speech=base, speculative=False))
    if reply.interruptible and (_goes_on(view) or view.agents.turns):
        reply.phase = "held"
    else:
        begin(state, reply, view, out)


def _fits(guess: Reply, signal: TurnCommitted, view: KernelState) -> bool:
    current = view.agents.current
    return (
        not signal.speech
        and not signal.context_changed
        and same_words(guess.turn_text, signal.text)
        and guess.version == signal.version
        and current is not None
        and guess.policy == current.policy
        and guess.agent == current.key
    )


def _supersede(state: ReplyState, turn: int, view: KernelState, out: Out) -> None:
    """Answers to earlier turns (or to this one, before it went on) that have not sounded come too late."""
    for reply in list(state.replies.values()):
        if reply.phase == "speculating" or reply.turn == 0 or below(reply, view):
            continue
        if reply.turn == turn or may_be_dropped(reply, view):
            supersede(state, reply, view, out)


def on_dropped(state: ReplyState, signal: TurnDropped, view: KernelState, out: Out) -> None:
    reject(state, "the turn was none", out)
    settle_debt(state, view, out)


def on_reply_asked(state: ReplyState, event: ReplyAsked, view: KernelState, out: Out) -> None:
    if event.options is not None:
        state.options[event.speech] = event.options
    if event.user_text or event.media or event.speech in state.replies:
        return
    reply = state.replies[event.speech] = Reply(
        event.speech, priority=event.priority, interruptible=event.interruptible, floor=floor_of(event),
        behind=came_of(event, view), question=event.question,
    )  # fmt: skip
    begin(state, reply, view, out)


# --- answers of the model ----------------------------------------------------------------------------------------


def on_segment(state: ReplyState, event: Segment, view: KernelState, out: Out) -> None:
    reply = state.by_op(event.op)
    if reply is not None:
        reply.segments += 1


def on_tool_call(state: ReplyState, event: ToolCall, view: KernelState, out: Out) -> None:
    reply = state.by_op(event.op)
    if reply is not None and reply.tool_steps < view.policy.max_tool_steps:
        reply.calls += 1


def on_generated(state: ReplyState, event: Generated, view: KernelState, out: Out) -> None:
    reply = state.by_op(event.op)
    if reply is not None:
        reply.generated = True
        progress(state, reply, view, out)


def on_audio_done(state: ReplyState, event: AudioDone, view: KernelState, out: Out) -> None:
    reply = state.by_op(event.op)
    if reply is None:
        if state.rest.pop(event.op[1], None) is not None:
            out.close(event.op)
        return
    reply.audio = True
    if event.samples == 0 and reply.segments and not event.text_only:
        failed(state, reply, "tts", "the voice made no sound", True, view, out)
        return
    progress(state, reply, view, out)


def progress(state: ReplyState, reply: Reply, view: KernelState, out: Out) -> None:
    """See how far the step is: generated, rendered, waiting for tools."""
    if reply.phase == "speculating" or not reply.generated:
        return
    if not reply.calls and not reply.segments:
        failed(state, reply, "llm", "the model answered nothing", True, view, out)
        return
    if reply.audio:
        out.close(reply.op)
        reply.op = None
    if move(reply, "generated with tools" if reply.calls else "generated") and reply.calls:
        out.signal(BatchClosed(reply.speech))
    elif reply.audio and move(reply, "rendered"):
        conclude(state, reply, view, out)


def on_batch(state: ReplyState, signal: ToolBatchSettled, view: KernelState, out: Out) -> None:
    reply = state.replies.get(signal.base)
    if reply is None or reply.speech != signal.speech:
        if signal.reply and not signal.handoff:  # its reply was interrupted; the caller shall still be told
            state.owed = True
            settle_debt(state, view, out)
        return
    if below(reply, view):
        reply.settled = signal
    else:
        go_on(state, reply, signal, view, out)


def go_on(state: ReplyState, reply: Reply, signal: ToolBatchSettled, view: KernelState, out: Out) -> None:
    if signal.handoff:
        move(reply, "handoff")
    elif not signal.reply or reply.last:
        reason = "its part is over" if reply.last else "no tool asked for one"
        out.fact(ft.SilenceChosen(at=out.now, turn=reply.turn, reason=reason))
        move(reply, "enough")
        finish_step(state, reply)
        conclude(state, reply, view, out)
    else:
        move(reply, "batch settled")
        finish_step(state, reply)
        reply.tool_steps += 1
        reply.attempt = 0
        begin(state, reply, view, out)


def settle_debt(state: ReplyState, view: KernelState, out: Out) -> None:
    if not state.owed or view.turn.phase != "idle" or view.agents.turns or view.lifecycle.phase != "running":
        return
    base = new_base(state, view)
    reply = state.replies[base] = Reply(base)
    begin(state, reply, view, out)


def on_handoff_done(state: ReplyState, signal: HandoffDone, view: KernelState, out: Out) -> None:
    reply = state.replies.get(signal.base)
    if reply is None or reply.phase != "handoff":
        return
    finish_step(state, reply)
    if signal.spoke:
        move(reply, "enough")
        conclude(state, reply, view, out)
    else:
        move(reply, "go on")
        reply.tool_steps = reply.attempt = 0
        begin(state, reply, view, out)


HANDLERS: dict[type, Any] = {
    Review: on_review,
    Speculable: on_speculable,
    TurnContinued: on_continued,
    TurnCommitted: on_committed,
    TurnDropped: on_dropped,
    ReplyAsked: on_reply_asked,
    Segment: on_segment,
    ToolCall: on_tool_call,
    Generated: on_generated,
    AudioDone: on_audio_done,
    ToolBatchSettled: on_batch,
    HandoffDone: on_handoff_done,
}
