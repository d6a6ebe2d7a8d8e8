"""Reply, second part: failures, the ladder, interruption, the end, a new owner."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import msgspec

from antiphon.kernel import facts as ft
from antiphon.kernel.effects import AdoptReply, Cancel, Failover, StartReply
from antiphon.kernel.events import (
    AudioDone,
    Generated,
    InterruptAsked,
    Op,
    Priority,
    ReplyAsked,
    ReplyFailed,
    Resumed,
    Segment,
    ToolCall,
)
from antiphon.kernel.policy import SessionPolicy
from antiphon.kernel.reply import (
    RETRIES,
    Reply,
    ReplyState,
    begin,
    done,
    drop_rest,
    end,
    failed,
    move,
    reject,
    stop_op,
)
from antiphon.kernel.signals import (
    Adopted,
    BatchClosed,
    Closing,
    Discarded,
    HandoffDone,
    Interrupted,
    ReplyAuthorised,
    ReplyCut,
    ReplyDone,
    ReplyDropped,
    ReplyLost,
    ReplyQueued,
    Rung,
    Speculable,
    SpeechSettled,
    TakeFloor,
    Timer,
    ToolBatchSettled,
    TurnCommitted,
    TurnContinued,
    TurnDropped,
)
from antiphon.turns.words import same_words

if TYPE_CHECKING:
    from antiphon.kernel.out import Out
    from antiphon.kernel.state import KernelState

RETRIES = 2
RETRY_AFTER = (0.1, 0.6)
"""Seconds before the first and the second retry."""

STATES = ("speculating", "generating", "rendering", "tools", "handoff", "retrying", "done")
MOVES: dict[tuple[str, str], str] = {
    ("speculating", "adopted"): "generating",
    ("speculating", "rejected"): "done",
    ("generating", "generated with tools"): "tools",
    ("generating", "generated"): "rendering",
    ("generating", "failed"): "retrying",
    ("rendering", "failed"): "retrying",
    ("rendering", "rendered"): "done",
    ("retrying", "again"): "generating",
    ("tools", "failed"): "tools",
    ("tools", "batch settled"): "generating",
    ("tools", "enough"): "done",
    ("tools", "handoff"): "handoff",
    ("handoff", "go on"): "generating",
    ("handoff", "enough"): "done",
    **{(phase, "ended"): "done" for phase in ("generating", "rendering", "tools", "handoff", "retrying")},
}


class Reply(msgspec.Struct):
    """One chain. ``steps``: ids handed out; ``tool_steps``: of them, those that answered tool results. ``calls`` and
    ``segments``: of the current step. ``audio``: all its audio is in the plane. ``interruptible``: of its speeches."""

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
    steps: int = 0
    tool_steps: int = 0
    attempt: int = 0
    speech: str = ""
    op: Op | None = None
    calls: int = 0
    segments: int = 0
    generated: bool = False
    audio: bool = False


class ReplyState(msgspec.Struct):
    """``owed``: a tool's result came that no reply has told of. ``errors``: lost replies in a row.
    ``rest``: ops of former steps of which audio still comes, with their speeches."""

    replies: dict[str, Reply] = {}
    made: int = 0
    owed: bool = False
    errors: int = 0
    rest: dict[int, str] = {}

    def answers(self, turn: int) -> str | None:
        """Base of the chain that answers ``turn``."""
        for base, reply in self.replies.items():
            if reply.turn == turn and turn > 0 and reply.phase != "speculating":
                return base
        return None

    def by_op(self, op: Op) -> Reply | None:
        return next((r for r in self.replies.values() if r.op == op), None)

    def by_speech(self, speech: str) -> Reply | None:
        reply = self.replies.get(speech.partition("#")[0])
        return reply if reply is not None and reply.speech == speech else None


def move(reply: Reply, cause: str) -> bool:
    phase = MOVES.get((reply.phase, cause))
    if phase is None:
        return False
    reply.phase = phase
    return True


# --- steps -------------------------------------------------------------------------------------------------------


def _new_base(state: ReplyState, view: KernelState) -> str:
    state.made += 1
    return f"reply.{view.epoch}.{state.made}"


def _begin(state: ReplyState, reply: Reply, view: KernelState, out: Out) -> None:
    """Generate the next step of the chain."""
    reply.steps += 1
    reply.speech = reply.base if reply.steps == 1 else f"{reply.base}#{reply.steps}"
    reply.op = out.op("reply")
    reply.calls = reply.segments = 0
    reply.generated = reply.audio = False
    speculative = reply.phase == "speculating"
    if not speculative:
        state.owed = False
    out.signal(
        ReplyQueued(
            reply.speech, reply.base, "reply", reply.op, priority=reply.priority, interruptible=reply.interruptible,
            authorised=not speculative, after=reply.after,
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


def _stop_op(reply: Reply, out: Out) -> None:
    if reply.op is not None:
        out.effect(Cancel(op=reply.op))
        out.close(reply.op)
        reply.op = None


def _done(state: ReplyState, reply: Reply, out: Out) -> None:
    out.cancel_timer(f"reply.retry:{reply.base}")
    state.replies.pop(reply.base, None)
    out.signal(ReplyDone(reply.base))


def _end(state: ReplyState, reply: Reply, outcome: str, view: KernelState, out: Out) -> None:
    """Nothing more of this chain; what has not sounded never will."""
    _stop_op(reply, out)
    _drop_rest(state, reply.base, view, out)
    out.signal(Discarded(reply.speech))
    for speech in view.speech.of(reply.base):
        out.signal(ReplyDropped(speech.id, outcome))
    move(reply, "ended")
    _done(state, reply, out)


# --- turns -------------------------------------------------------------------------------------------------------


def on_speculable(state: ReplyState, signal: Speculable, view: KernelState, out: Out) -> None:
    _reject(state, "new words", out)
    if view.tools.busy() or view.agents.turns or view.agents.phase != "here" or view.agents.current is None:
        return
    base = _new_base(state, view)
    reply = state.replies[base] = Reply(
        base, "speculating", turn=signal.turn, turn_text=signal.text, version=view.conversation.version,
        policy=view.policy, agent=view.agents.current.key,
    )  # fmt: skip
    _begin(state, reply, view, out)


def _speculation(state: ReplyState) -> Reply | None:
    return next((r for r in state.replies.values() if r.phase == "speculating"), None)


def _reject(state: ReplyState, reason: str, out: Out) -> None:
    reply = _speculation(state)
    if reply is None:
        return
    out.fact(
        ft.ReplyDiscarded(
            at=out.now, turn=reply.turn, speech=reply.speech, reason=reason, segments=reply.segments,
            tool_calls=reply.calls,
        )
    )  # fmt: skip
    _stop_op(reply, out)
    out.signal(Discarded(reply.speech))
    out.signal(ReplyDropped(reply.speech, "discarded"))
    move(reply, "rejected")
    _done(state, reply, out)


def on_continued(state: ReplyState, signal: TurnContinued, view: KernelState, out: Out) -> None:
    _reject(state, "the caller went on", out)


def on_committed(state: ReplyState, signal: TurnCommitted, view: KernelState, out: Out) -> None:
    _supersede(state, signal.turn, view, out)
    if not signal.reply:
        _reject(state, "no reply asked for", out)
        out.fact(ft.SilenceChosen(at=out.now, turn=signal.turn, reason="not asked for"))
        return
    guess = _speculation(state)
    if guess is not None and not _fits(guess, signal, view):
        _reject(state, "something changed", out)
        guess = None
    if guess is not None and guess.op is not None:
        guess.turn, guess.after = signal.turn, signal.position
        move(guess, "adopted")
        out.fact(ft.ReplyAdopted(at=out.now, turn=signal.turn, speech=guess.speech, speculative=True))
        out.effect(AdoptReply(op=guess.op))
        out.signal(ReplyAuthorised(guess.speech, signal.position))
        out.signal(Adopted(guess.speech))
        state.owed = False
        _progress(state, guess, view, out)
        return
    base = signal.speech or _new_base(state, view)
    if base in state.replies:
        base = _new_base(state, view)
    reply = state.replies[base] = Reply(
        base, turn=signal.turn, after=signal.position, priority=signal.priority, interruptible=signal.interruptible
    )
    out.fact(ft.ReplyAdopted(at=out.now, turn=signal.turn, speech=base, speculative=False))
    _begin(state, reply, view, out)


def _fits(guess: Reply, signal: TurnCommitted, view: KernelState) -> bool:
    current = view.agents.current
    return (
        not signal.speech
        and not signal.context_changed
        and same_words(guess.turn_text, signal.text)
        and guess.version == signal.version
        and guess.policy == view.policy
        and current is not None
        and guess.agent == current.key
    )


def _supersede(state: ReplyState, turn: int, view: KernelState, out: Out) -> None:
    """Answers to earlier turns (or to this one, before it went on) that have not sounded come too late."""
    for reply in list(state.replies.values()):
        if reply.phase == "speculating" or reply.turn == 0 or not reply.interruptible:
            continue
        if view.speech.sounding_of(reply.base) or view.speech.heard_of(reply.base):
            continue
        out.fact(
            ft.ReplyDiscarded(
                at=out.now, turn=reply.turn, speech=reply.speech, reason="superseded", segments=reply.segments,
                tool_calls=reply.calls,
            )
        )  # fmt: skip
        _end(state, reply, "cancelled", view, out)


def on_dropped(state: ReplyState, signal: TurnDropped, view: KernelState, out: Out) -> None:
    _reject(state, "the turn was none", out)
    _settle_debt(state, view, out)


def on_reply_asked(state: ReplyState, event: ReplyAsked, view: KernelState, out: Out) -> None:
    if event.user_text or event.speech in state.replies:
        return
    reply = state.replies[event.speech] = Reply(
        event.speech, priority=event.priority, interruptible=event.interruptible
    )
    _begin(state, reply, view, out)


# --- answers of the model ----------------------------------------------------------------------------------------


def on_segment(state: ReplyState, event: Segment, view: KernelState, out: Out) -> None:
    reply = state.by_op(event.op)
    if reply is not None:
        reply.segments += 1


def on_tool_call(state: ReplyState, event: ToolCall, view: KernelState, out: Out) -> None:
    reply = state.by_op(event.op)
    if reply is not None:
        reply.calls += 1


def on_generated(state: ReplyState, event: Generated, view: KernelState, out: Out) -> None:
    reply = state.by_op(event.op)
    if reply is not None:
        reply.generated = True
        _progress(state, reply, view, out)


def on_audio_done(state: ReplyState, event: AudioDone, view: KernelState, out: Out) -> None:
    reply = state.by_op(event.op)
    if reply is None:
        if state.rest.pop(event.op[1], None) is not None:
            out.close(event.op)
        return
    reply.audio = True
    if event.samples == 0 and reply.segments and not event.text_only:
        _failed(state, reply, "tts", "the voice made no sound", True, view, out)
        return
    _progress(state, reply, view, out)


def _progress(state: ReplyState, reply: Reply, view: KernelState, out: Out) -> None:
    """See how far the step is: generated, rendered, waiting for tools."""
    if reply.phase == "speculating" or not reply.generated:
        return
    if not reply.calls and not reply.segments:
        _failed(state, reply, "llm", "the model answered nothing", True, view, out)
        return
    if reply.audio:
        out.close(reply.op)
        reply.op = None
    if move(reply, "generated with tools" if reply.calls else "generated") and reply.calls:
        out.signal(BatchClosed(reply.speech))
    elif reply.audio and move(reply, "rendered"):
        _done(state, reply, out)


def on_batch(state: ReplyState, signal: ToolBatchSettled, view: KernelState, out: Out) -> None:
    reply = state.replies.get(signal.base)
    if reply is None or reply.speech != signal.speech:
        if signal.reply and not signal.handoff:  # its reply was interrupted; the caller shall still be told
            state.owed = True
            _settle_debt(state, view, out)
        return
    if signal.handoff:
        move(reply, "handoff")
    elif not signal.reply:
        out.fact(ft.SilenceChosen(at=out.now, turn=reply.turn, reason="no tool asked for one"))
        move(reply, "enough")
        _finish_step(state, reply)
        _done(state, reply, out)
    elif move(reply, "batch settled"):
        _finish_step(state, reply)
        reply.tool_steps += 1
        reply.attempt = 0
        _begin(state, reply, view, out)


def _finish_step(state: ReplyState, reply: Reply) -> None:
    """The next step begins while the audio of this one may still come."""
    if reply.op is not None:
        state.rest[reply.op[1]] = reply.speech
        reply.op = None


def _drop_rest(state: ReplyState, base: str, view: KernelState, out: Out) -> None:
    """No more audio of former steps (of one chain, or all): what is there is all of it."""
    for number, speech in list(state.rest.items()):
        if not base or speech.partition("#")[0] == base:
            out.effect(Cancel(op=(view.epoch, number)))
            out.close((view.epoch, number))
            del state.rest[number]
            out.signal(ReplyCut(speech))


def _settle_debt(state: ReplyState, view: KernelState, out: Out) -> None:
    if not state.owed or view.turn.phase != "idle" or view.agents.turns or view.lifecycle.phase != "running":
        return
    base = _new_base(state, view)
    reply = state.replies[base] = Reply(base)
    _begin(state, reply, view, out)


def on_handoff_done(state: ReplyState, signal: HandoffDone, view: KernelState, out: Out) -> None:
    reply = state.replies.get(signal.base)
    if reply is None:
        return
    _finish_step(state, reply)
    if signal.spoke:
        move(reply, "enough")
        _done(state, reply, out)
    elif move(reply, "go on"):
        reply.tool_steps = reply.attempt = 0
        _begin(state, reply, view, out)


# --- failures ----------------------------------------------------------------------------------------------------


def on_failed(state: ReplyState, event: ReplyFailed, view: KernelState, out: Out) -> None:
    reply = state.by_op(event.op)
    rest = state.rest.pop(event.op[1], None)
    if rest is not None:
        out.close(event.op)
        out.notify("error", stage=event.stage, error=event.error, recoverable=True)
        out.signal(ReplyCut(rest))
    elif reply is not None:
        _failed(state, reply, event.stage, event.error, event.retryable, view, out)


def _failed(
    state: ReplyState, reply: Reply, stage: Literal["llm", "tts", "node"], error: str, retryable: bool,
    view: KernelState, out: Out,
) -> None:  # fmt: skip
    if reply.phase == "speculating":
        _reject(state, f"failed: {error}", out)
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
    _stop_op(reply, out)
    sounded = view.speech.sounded(reply.speech)
    out.signal(ReplyCut(reply.speech) if sounded else ReplyDropped(reply.speech, "failed"))
    if again and move(reply, "failed"):
        if stage != "node":
            out.effect(Failover(stage=stage))
        out.timer(f"reply.retry:{reply.base}", out.now + RETRY_AFTER[reply.attempt])
        reply.attempt += 1
    else:
        state.errors += 1
        move(reply, "ended")
        out.signal(ReplyLost(reply.base, stage, error))
        _done(state, reply, out)


def on_timer(state: ReplyState, timer: Timer, view: KernelState, out: Out) -> None:
    reply = state.replies.get(timer.key)
    if reply is not None and move(reply, "again"):
        _begin(state, reply, view, out)


def on_rung(state: ReplyState, signal: Rung, view: KernelState, out: Out) -> None:
    """The ladder's time is up for the models that everybody waits for."""
    for number in [n for n, speech in state.rest.items() if not view.speech.ready(speech)]:
        out.effect(Cancel(op=(view.epoch, number)))
        out.close((view.epoch, number))
        out.signal(ReplyCut(state.rest.pop(number)))
    for reply in list(state.replies.values()):
        if signal.action == "give_up" and reply.phase == "retrying":
            reply.attempt = RETRIES
        elif reply.phase not in ("generating", "rendering") or view.speech.ready(reply.speech):
            continue
        stage: Literal["llm", "tts"] = "tts" if reply.segments else "llm"
        if signal.action == "give_up":
            reply.attempt = RETRIES
        _failed(state, reply, stage, "too slow", True, view, out)


# --- interruption and the end ------------------------------------------------------------------------------------


def on_interrupted(state: ReplyState, signal: Interrupted, view: KernelState, out: Out) -> None:
    reply = state.replies.get(signal.base)
    if reply is not None and reply.phase != "speculating":
        _end(state, reply, "interrupted", view, out)
    for other in list(state.replies.values()):
        if other.priority in ("reply", "background") and other.interruptible and other.phase != "speculating":
            _end(state, other, "interrupted", view, out)


def on_floor(state: ReplyState, signal: TakeFloor, view: KernelState, out: Out) -> None:
    for reply in list(state.replies.values()):
        if reply.interruptible and reply.phase != "speculating":
            _end(state, reply, "interrupted", view, out)


def on_interrupt_asked(state: ReplyState, event: InterruptAsked, view: KernelState, out: Out) -> None:
    wanted = event.speech.partition("#")[0]
    for reply in list(state.replies.values()):
        if (not wanted or reply.base == wanted) and (reply.interruptible or event.force):
            if reply.phase == "speculating":
                _reject(state, "interrupted", out)
            else:
                _end(state, reply, "interrupted", view, out)


def on_settled(state: ReplyState, signal: SpeechSettled, view: KernelState, out: Out) -> None:
    if signal.outcome == "heard" and signal.source == "reply":
        state.errors = 0


def on_closing(state: ReplyState, signal: Closing, view: KernelState, out: Out) -> None:
    _reject(state, "closing", out)
    _drop_rest(state, "", view, out)
    for reply in list(state.replies.values()):
        if not view.speech.sounding_of(reply.base) or reply.interruptible:
            _end(state, reply, "cancelled", view, out)
        else:
            _stop_op(reply, out)
            out.signal(ReplyCut(reply.speech))
            move(reply, "ended")
            _done(state, reply, out)


def on_resumed(state: ReplyState, event: Resumed, view: KernelState, out: Out) -> None:
    """Ops of the old shell are gone: what was being made is made again, behind what the plane still has of it."""
    for speech in state.rest.values():
        out.signal(ReplyCut(speech))
    state.rest = {}
    for reply in list(state.replies.values()):
        if reply.phase == "speculating":
            reply.op = None
            _reject(state, "a new owner", out)
        elif reply.op is not None:
            reply.op = None
            sounded = view.speech.sounded(reply.speech)
            out.signal(ReplyCut(reply.speech) if sounded else ReplyDropped(reply.speech, "failed"))
            if reply.phase in ("generating", "rendering") and not (reply.calls and view.tools.of(reply.speech)):
                reply.phase = "generating"
                _begin(state, reply, view, out)
            elif move(reply, "generated with tools"):
                reply.generated = True
                out.signal(BatchClosed(reply.speech))


HANDLERS: dict[type, Any] = {
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
    ReplyFailed: on_failed,
    Timer: on_timer,
    Rung: on_rung,
    Interrupted: on_interrupted,
    TakeFloor: on_floor,
    InterruptAsked: on_interrupt_asked,
    SpeechSettled: on_settled,
    Closing: on_closing,
    Resumed: on_resumed,
}


# --- failures ----------------------------------------------------------------------------------------------------


def on_failed(state: ReplyState, event: ReplyFailed, view: KernelState, out: Out) -> None:
    reply = state.by_op(event.op)
    rest = state.rest.pop(event.op[1], None)
    if rest is not None:
        out.close(event.op)
        out.notify("error", stage=event.stage, error=event.error, recoverable=True)
        out.signal(ReplyCut(rest))
    elif reply is not None:
        failed(state, reply, event.stage, event.error, event.retryable, view, out)


def on_timer(state: ReplyState, timer: Timer, view: KernelState, out: Out) -> None:
    reply = state.replies.get(timer.key)
    if reply is not None and move(reply, "again"):
        begin(state, reply, view, out)


def on_rung(state: ReplyState, signal: Rung, view: KernelState, out: Out) -> None:
    """The ladder's time is up for the models that everybody waits for."""
    for number in [n for n, speech in state.rest.items() if not view.speech.ready(speech)]:
        out.effect(Cancel(op=(view.epoch, number)))
        out.close((view.epoch, number))
        out.signal(ReplyCut(state.rest.pop(number)))
    for reply in list(state.replies.values()):
        if signal.action == "give_up" and reply.phase == "retrying":
            reply.attempt = RETRIES
        elif reply.phase not in ("generating", "rendering") or view.speech.ready(reply.speech):
            continue
        stage: Literal["llm", "tts"] = "tts" if reply.segments else "llm"
        if signal.action == "give_up":
            reply.attempt = RETRIES
        failed(state, reply, stage, "too slow", True, view, out)


# --- interruption and the end ------------------------------------------------------------------------------------


def on_interrupted(state: ReplyState, signal: Interrupted, view: KernelState, out: Out) -> None:
    reply = state.replies.get(signal.base)
    if reply is not None and reply.phase != "speculating":
        end(state, reply, "interrupted", view, out)
    for other in list(state.replies.values()):
        if other.priority in ("reply", "background") and other.interruptible and other.phase != "speculating":
            end(state, other, "interrupted", view, out)


def on_floor(state: ReplyState, signal: TakeFloor, view: KernelState, out: Out) -> None:
    for reply in list(state.replies.values()):
        if reply.interruptible and reply.phase != "speculating":
            end(state, reply, "interrupted", view, out)


def on_interrupt_asked(state: ReplyState, event: InterruptAsked, view: KernelState, out: Out) -> None:
    wanted = event.speech.partition("#")[0]
    for reply in list(state.replies.values()):
        if (not wanted or reply.base == wanted) and (reply.interruptible or event.force):
            if reply.phase == "speculating":
                reject(state, "interrupted", out)
            else:
                end(state, reply, "interrupted", view, out)


def on_settled(state: ReplyState, signal: SpeechSettled, view: KernelState, out: Out) -> None:
    if signal.outcome == "heard" and signal.source == "reply":
        state.errors = 0


def on_closing(state: ReplyState, signal: Closing, view: KernelState, out: Out) -> None:
    reject(state, "closing", out)
    drop_rest(state, "", view, out)
    for reply in list(state.replies.values()):
        if not view.speech.sounding_of(reply.base) or reply.interruptible:
            end(state, reply, "cancelled", view, out)
        else:
            stop_op(reply, out)
            out.signal(ReplyCut(reply.speech))
            move(reply, "ended")
            done(state, reply, out)


def on_resumed(state: ReplyState, event: Resumed, view: KernelState, out: Out) -> None:
    """Ops of the old shell are gone: what was being made is made again, behind what the plane still has of it."""
    for speech in state.rest.values():
        out.signal(ReplyCut(speech))
    state.rest = {}
    for reply in list(state.replies.values()):
        if reply.phase == "speculating":
            reply.op = None
            reject(state, "a new owner", out)
        elif reply.op is not None:
            reply.op = None
            sounded = view.speech.sounded(reply.speech)
            out.signal(ReplyCut(reply.speech) if sounded else ReplyDropped(reply.speech, "failed"))
            if reply.phase in ("generating", "rendering") and not (reply.calls and view.tools.of(reply.speech)):
                reply.phase = "generating"
                begin(state, reply, view, out)
            elif move(reply, "generated with tools"):
                reply.generated = True
                out.signal(BatchClosed(reply.speech))


HANDLERS: dict[type, Any] = {
    ReplyFailed: on_failed,
    Timer: on_timer,
    Rung: on_rung,
    Interrupted: on_interrupted,
    TakeFloor: on_floor,
    InterruptAsked: on_interrupt_asked,
    SpeechSettled: on_settled,
    Closing: on_closing,
    Resumed: on_resumed,
}
