"""Reply, second part: failures, the ladder, interruption, the end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from antiphon.kernel.effects import Cancel
from antiphon.kernel.events import (
    DisallowInterruptions,
    InterruptAsked,
    ReplyFailed,
)
from antiphon.kernel.reply import (
    RETRIES,
    ReplyState,
    begin,
    below,
    conclude,
    done,
    drop_rest,
    end,
    failed,
    may_be_dropped,
    move,
    reject,
    stop_op,
    supersede,
)
from antiphon.kernel.signals import (
    Closing,
    Interrupted,
    ReplyCut,
    Rung,
    SpeechSettled,
    TakeFloor,
    Timer,
)

if TYPE_CHECKING:
    from antiphon.kernel.out import Out
    from antiphon.kernel.state import KernelState


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
    reply = state.replies[timer.key]
    move(reply, "again")
    begin(state, reply, view, out)


def on_rung(state: ReplyState, signal: Rung, view: KernelState, out: Out) -> None:
    """The ladder's time is up for the models that everybody waits for."""
    for number in [n for n, speech in state.rest.items() if not view.speech.ready(speech)]:
        out.effect(Cancel(op=(view.epoch, number)))
        out.close((view.epoch, number))
        out.signal(ReplyCut(state.rest.pop(number)))
    for reply in list(state.replies.values()):
        waits = reply.phase in ("generating", "rendering") and not view.speech.ready(reply.speech)
        if not waits and not (signal.action == "give_up" and reply.phase == "retrying"):
            continue
        stage: Literal["llm", "tts"] = "tts" if reply.segments else "llm"
        if signal.action == "give_up":
            reply.attempt = RETRIES
            state.errors += 1  # a caller who has waited that long weighs double: nobody does it four times
        failed(state, reply, stage, "too slow", True, view, out)


# --- interruption and the end ------------------------------------------------------------------------------------


def on_interrupted(state: ReplyState, signal: Interrupted, view: KernelState, out: Out) -> None:
    reply = state.replies.get(signal.base)
    if reply is not None and reply.phase != "speculating" and not below(reply, view):
        end(state, reply, "interrupted", view, out)
    for other in list(state.replies.values()):
        quiet = other.phase == "speculating" or below(other, view)
        if other.priority in ("reply", "background") and other.interruptible and not quiet:
            end(state, other, "interrupted", view, out)


def on_floor(state: ReplyState, signal: TakeFloor, view: KernelState, out: Out) -> None:
    for reply in list(state.replies.values()):
        if reply.interruptible and reply.phase != "speculating" and not below(reply, view):
            end(state, reply, "interrupted", view, out)


def on_interrupt_asked(state: ReplyState, event: InterruptAsked, view: KernelState, out: Out) -> None:
    wanted = event.speech.partition("#")[0]
    for reply in list(state.replies.values()):
        if not wanted and below(reply, view):
            continue
        if (not wanted or reply.base == wanted) and (reply.interruptible or event.force):
            if reply.phase == "speculating":
                reject(state, "interrupted", out)
            else:
                end(state, reply, "interrupted", view, out)


def on_protect(state: ReplyState, event: DisallowInterruptions, view: KernelState, out: Out) -> None:
    """The steps that follow are protected like the one that sounds."""
    reply = state.replies.get(event.speech.partition("#")[0])
    if reply is not None:
        reply.interruptible = False


def on_settled(state: ReplyState, signal: SpeechSettled, view: KernelState, out: Out) -> None:
    if signal.outcome == "heard" and signal.source == "reply":
        state.errors = 0
    reply = state.replies.get(signal.base)
    if reply is None:
        return
    newest = max((other.turn for other in state.replies.values() if other.phase != "speculating"), default=0)
    if (
        0 < reply.turn < newest and may_be_dropped(reply, view) and not below(reply, view)
    ):  # it was on air at the newer turn, and then was not
        supersede(state, reply, view, out)
    else:
        conclude(state, reply, view, out)


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


HANDLERS: dict[type, Any] = {
    ReplyFailed: on_failed,
    Timer: on_timer,
    Rung: on_rung,
    Interrupted: on_interrupted,
    TakeFloor: on_floor,
    InterruptAsked: on_interrupt_asked,
    DisallowInterruptions: on_protect,
    SpeechSettled: on_settled,
    Closing: on_closing,
}
