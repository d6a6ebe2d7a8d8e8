"""Speech, first part: what joins the queue, and its audio as it is made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from antiphon.kernel import facts as ft
from antiphon.kernel import ledger
from antiphon.kernel.effects import Cancel, Failover, StartSay
from antiphon.kernel.events import (
    AudioDone,
    ReplyFailed,
    SayAsked,
    Segment,
    Synthesised,
)
from antiphon.kernel.floor import floor_of
from antiphon.kernel.signals import (
    ReplyAuthorised,
    ReplyCut,
    ReplyDropped,
    ReplyLost,
    ReplyQueued,
    Rung,
)
from antiphon.kernel.speech import (
    STALL,
    Speech,
    SpeechState,
    finish,
    move,
    stop,
)
from antiphon.kernel.speech_order import came_of

if TYPE_CHECKING:
    from antiphon.kernel.out import Out
    from antiphon.kernel.state import KernelState

SAY_RETRIES = 2


def on_queued(state: SpeechState, signal: ReplyQueued, view: KernelState, out: Out) -> None:
    state.made += 1
    speech = state.speeches[signal.speech] = Speech(
        signal.speech, signal.base, signal.source, state.made, priority=signal.priority,
        interruptible=signal.interruptible, in_history=signal.in_history, op=signal.op, after=signal.after,
        clip=signal.clip, floor=signal.floor, question=signal.question, behind=signal.behind, text=signal.text,
    )  # fmt: skip
    if signal.authorised:
        authorise(state, speech, out)


def authorise(state: SpeechState, speech: Speech, out: Out) -> None:
    move(speech, "authorised")
    out.fact(
        ft.SayQueued(
            at=out.now, speech=speech.id, source=speech.source, interruptible=speech.interruptible,  # type: ignore[arg-type]
            in_history=speech.in_history,
        )
    )  # fmt: skip
    if speech.base not in state.open_bases:
        state.open_bases[speech.base] = ""
        out.notify("speech_created", speech=speech.base, source=speech.source, interruptible=speech.interruptible)


def on_authorised(state: SpeechState, signal: ReplyAuthorised, view: KernelState, out: Out) -> None:
    speech = state.speeches.get(signal.speech)
    if speech is not None:
        speech.after = signal.after
        authorise(state, speech, out)


def on_say(state: SpeechState, event: SayAsked, view: KernelState, out: Out) -> None:
    if event.speech in state.speeches:
        return
    op = out.op("say")
    out.effect(StartSay(op=op, speech=event.speech, text=event.text))
    on_queued(
        state,
        ReplyQueued(
            event.speech, event.speech, "say", op, priority=event.priority, interruptible=event.interruptible,
            in_history=event.in_history, floor=floor_of(event), question=event.question,
            behind=came_of(event, view), text=event.text,
        ),
        view,
        out,
    )  # fmt: skip


# --- audio being made --------------------------------------------------------------------------------------------


def on_segment(state: SpeechState, event: Segment, view: KernelState, out: Out) -> None:
    speech = state.by_op(event.op)
    if speech is not None:
        known = speech.segments.setdefault(event.index, ledger.Segment(""))
        known.text = event.text


def on_synthesised(state: SpeechState, event: Synthesised, view: KernelState, out: Out) -> None:
    speech = state.by_op(event.op)
    if speech is None:
        return
    if speech.phase == "on_air" and speech.sound_until() < out.now:
        speech.acked_at = out.now  # it had run dry, and goes on now
        out.timer(f"speech.watch:{speech.id}", out.now + STALL)
    segment = speech.segments.setdefault(event.index, ledger.Segment(""))
    segment.start, segment.samples, segment.done = event.start, max(segment.samples, event.samples), event.done
    segment.words = event.words or segment.words


def on_audio_done(state: SpeechState, event: AudioDone, view: KernelState, out: Out) -> None:
    speech = state.by_op(event.op)
    if speech is None:
        return
    speech.total, speech.text_only = event.samples, event.text_only
    if speech.source != "reply":
        out.close(speech.op)
    nothing = event.samples == 0 and not (event.text_only and speech.segments)
    if nothing and speech.began < 0 and (speech.source != "reply" or not speech.segments):
        stop(state, speech, "cancelled", view, out)
    elif speech.clip and speech.text_only:
        finish(state, speech, False, view, out)


def on_failed(state: SpeechState, event: ReplyFailed, view: KernelState, out: Out) -> None:
    """Of ``say`` alone: replies are made again by their own machine."""
    speech = state.by_op(event.op)
    if speech is not None and speech.source == "say":
        _say_failed(state, speech, event.error, event.retryable, view, out)


def _say_failed(state: SpeechState, speech: Speech, error: str, retryable: bool, view: KernelState, out: Out) -> None:
    out.close(speech.op)
    again = retryable and speech.began < 0 and speech.attempt < SAY_RETRIES
    out.notify("error", stage="tts", error=error, recoverable=again)
    if again:
        speech.attempt += 1
        speech.segments = {}
        speech.op = out.op("say")
        out.effect(Failover(stage="tts"))
        out.effect(StartSay(op=speech.op, speech=speech.id, text=speech.text, attempt=speech.attempt))
        return
    speech.op = None
    state.open_bases[speech.base] = error
    out.signal(ReplyLost(speech.base, "tts", error))
    if speech.began >= 0:
        cut(state, speech, view, out)
    else:
        stop(state, speech, "failed", view, out)


def on_rung(state: SpeechState, signal: Rung, view: KernelState, out: Out) -> None:
    for speech in list(state.speeches.values()):
        if speech.source == "say" and speech.op is not None and speech.total < 0 and not state.ready(speech.id):
            out.effect(Cancel(op=speech.op))
            _say_failed(state, speech, "too slow", signal.action == "failover", view, out)


def on_lost(state: SpeechState, signal: ReplyLost, view: KernelState, out: Out) -> None:
    state.open_bases[signal.base] = signal.error


def on_cut(state: SpeechState, signal: ReplyCut, view: KernelState, out: Out) -> None:
    speech = state.speeches.get(signal.speech)
    if speech is not None:
        speech.op = None
        cut(state, speech, view, out)


def on_dropped(state: SpeechState, signal: ReplyDropped, view: KernelState, out: Out) -> None:
    speech = state.speeches.get(signal.speech)
    if speech is None:
        return
    if signal.outcome == "discarded":  # a speculation that was never announced leaves no fact but its own
        del state.speeches[signal.speech]
        return
    stop(state, speech, signal.outcome, view, out)


def cut(state: SpeechState, speech: Speech, view: KernelState, out: Out) -> None:
    """What is there is all of it: it sounds to its end, then it is stopped. Words that have no sound yet are none of its words."""
    for n in [n for n, s in speech.segments.items() if s.samples <= 0]:
        del speech.segments[n]
    for segment in speech.segments.values():
        if not segment.done:
            segment.text, segment.done = ledger.heard_text({0: segment}, segment.start + segment.samples)[0], True
    speech.total = speech.available()
    if speech.total <= 0:
        stop(state, speech, "failed", view, out)
    elif speech.phase == "on_air":
        out.timer(f"speech.watch:{speech.id}", max(out.now, speech.sound_until()) + view.policy.settle)


def cancel_say(speech: Speech, out: Out) -> None:
    if speech.source == "say" and speech.op is not None and speech.total < 0:
        out.effect(Cancel(op=speech.op))


HANDLERS: dict[type, Any] = {
    ReplyQueued: on_queued,
    ReplyAuthorised: on_authorised,
    SayAsked: on_say,
    Segment: on_segment,
    Synthesised: on_synthesised,
    AudioDone: on_audio_done,
    ReplyFailed: on_failed,
    Rung: on_rung,
    ReplyLost: on_lost,
    ReplyCut: on_cut,
    ReplyDropped: on_dropped,
}
