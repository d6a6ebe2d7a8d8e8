"""Speech, second part: playback, interruption, time, the end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from antiphon.kernel import facts as ft
from antiphon.kernel import ledger
from antiphon.kernel.effects import Cancel, Failover, Pause, StartSay, Stop
from antiphon.kernel.events import (
    Acked,
    AudioDone,
    AutoPaused,
    AutoResumed,
    DisallowInterruptions,
    InterruptAsked,
    LegHeld,
    PlaySettled,
    PolicyChanged,
    ReplyFailed,
    Resumed,
    SayAsked,
    Segment,
    Synthesised,
)
from antiphon.kernel.signals import (
    Closing,
    Ending,
    GateChanged,
    Interrupted,
    Overlap,
    ReplyAuthorised,
    ReplyCut,
    ReplyDropped,
    ReplyLost,
    ReplyQueued,
    Review,
    Rung,
    TakeFloor,
    Timer,
)
from antiphon.kernel.speech import (
    OVERDUE,
    PAUSE_MAX,
    STALL,
    Speech,
    SpeechState,
    finish,
    move,
    pick,
    reflex,
    resume,
    stop,
)
from antiphon.kernel.speech_made import cancel_say, cut

if TYPE_CHECKING:
    from antiphon.kernel.out import Out
    from antiphon.kernel.state import KernelState

SAY_RETRIES = 2


def on_queued(state: SpeechState, signal: ReplyQueued, view: KernelState, out: Out) -> None:
    state.made += 1
    speech = state.speeches[signal.speech] = Speech(
        signal.speech, signal.base, signal.source, state.made, priority=signal.priority,
        interruptible=signal.interruptible, in_history=signal.in_history, op=signal.op, after=signal.after,
        clip=signal.clip,
    )  # fmt: skip
    if signal.authorised:
        _authorise(state, speech, out)


def _authorise(state: SpeechState, speech: Speech, out: Out) -> None:
    if not move(speech, "authorised"):
        return
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
        _authorise(state, speech, out)


def on_say(state: SpeechState, event: SayAsked, view: KernelState, out: Out) -> None:
    if event.speech in state.speeches:
        return
    op = out.op("say")
    out.effect(StartSay(op=op, speech=event.speech))
    on_queued(
        state,
        ReplyQueued(
            event.speech, event.speech, "say", op, priority=event.priority, interruptible=event.interruptible,
            in_history=event.in_history,
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
        speech.acked_at = speech.moved_at = out.now  # it had run dry, and goes on now
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
        if speech.ready():
            out.effect(Stop(speech=speech.id))  # the plane has audio of the failed attempt
        speech.segments = {}
        speech.op = out.op("say")
        out.effect(Failover(stage="tts"))
        out.effect(StartSay(op=speech.op, speech=speech.id, attempt=speech.attempt))
        return
    speech.op = None
    state.open_bases[speech.base] = error
    out.signal(ReplyLost(speech.base, "tts", error))
    if speech.began >= 0:
        _cut(state, speech, view, out)
    else:
        stop(state, speech, "failed", view, out)


def on_rung(state: SpeechState, signal: Rung, view: KernelState, out: Out) -> None:
    for speech in list(state.speeches.values()):
        if speech.source == "say" and speech.op is not None and speech.total < 0 and not state.ready(speech.id):
            out.effect(Cancel(op=speech.op))
            _say_failed(state, speech, "too slow", signal.action == "failover", view, out)


def on_lost(state: SpeechState, signal: ReplyLost, view: KernelState, out: Out) -> None:
    if signal.base in state.open_bases:
        state.open_bases[signal.base] = signal.error


def on_cut(state: SpeechState, signal: ReplyCut, view: KernelState, out: Out) -> None:
    speech = state.speeches.get(signal.speech)
    if speech is not None:
        speech.op = None
        _cut(state, speech, view, out)


def _cut(state: SpeechState, speech: Speech, view: KernelState, out: Out) -> None:
    """What is there is all of it: it sounds to its end, then it is stopped."""
    for n in [n for n, s in speech.segments.items() if s.samples <= 0]:
        del speech.segments[n]
    for segment in speech.segments.values():
        segment.done = segment.done or not segment.words
    speech.total = speech.available()
    if speech.total <= 0:
        stop(state, speech, "failed", view, out)
    elif speech.phase == "on_air":
        out.timer(f"speech.watch:{speech.id}", max(out.now, speech.sound_until()) + view.policy.settle)


def on_dropped(state: SpeechState, signal: ReplyDropped, view: KernelState, out: Out) -> None:
    speech = state.speeches.get(signal.speech)
    if speech is None:
        return
    if signal.outcome == "discarded":  # a speculation that was never announced leaves no fact but its own
        del state.speeches[signal.speech]
        return
    stop(state, speech, signal.outcome, view, out)


# --- playback ----------------------------------------------------------------------------------------------------


def on_acked(state: SpeechState, event: Acked, view: KernelState, out: Out) -> None:
    speech = state.speeches.get(event.speech)
    if speech is None or not speech.sounding:
        return
    if event.position > speech.position:
        if speech.position == 0:
            speech.began = max(speech.began, out.now - event.position / ledger.RATE)
        speech.position = event.position
        speech.moved_at = out.now
        if speech.phase == "on_air":
            out.timer(f"speech.watch:{speech.id}", _watch(speech, out))
    speech.acked_at = out.now
    speech.quality = event.quality


def _watch(speech: Speech, out: Out) -> float:
    """When to give its playback up: it should have moved, or been settled, by then."""
    return out.now + (OVERDUE if 0 <= speech.total <= speech.position else STALL)


def on_settled(state: SpeechState, event: PlaySettled, view: KernelState, out: Out) -> None:
    speech = state.speeches.get(event.speech)
    if speech is None or not speech.sounding:
        return
    speech.position = max(speech.position, event.position)
    speech.quality = event.quality
    if event.reason == "end":
        if speech.phase != "settling":
            speech.outcome = "heard"
    elif event.reason in ("lost", "refused") and speech.outcome == "heard":
        speech.outcome = "failed"
    finish(state, speech, False, view, out)


def on_paused(state: SpeechState, event: AutoPaused, view: KernelState, out: Out) -> None:
    speech = state.speeches.get(event.speech)
    if speech is None or not move(speech, "pause"):
        return
    _hold(speech, out)
    if not speech.interruptible or not view.policy.barge_in.enabled:
        resume(speech, ledger.word_start(speech.segments, event.position), out)
    else:
        speech.acked_at = out.now


def _hold(speech: Speech, out: Out) -> None:
    out.cancel_timer(f"speech.watch:{speech.id}")
    out.timer(f"speech.hold:{speech.id}", out.now + PAUSE_MAX)


def on_resumed_by_plane(state: SpeechState, event: AutoResumed, view: KernelState, out: Out) -> None:
    speech = state.speeches.get(event.speech)
    if speech is not None and move(speech, "resume"):
        speech.acked_at = out.now
        out.cancel_timer(f"speech.hold:{speech.id}")
        out.timer(f"speech.watch:{speech.id}", out.now + STALL)


def _go_on(speech: Speech, out: Out) -> bool:
    return resume(speech, ledger.word_start(speech.segments, speech.position), out)


def on_overlap(state: SpeechState, signal: Overlap, view: KernelState, out: Out) -> None:
    speech = state.on_air()
    if speech is None or not speech.interruptible:
        return
    if signal.verdict == "interruption":
        out.notify(
            "overlapping_speech", verdict="interruption", text=signal.text, duration=signal.duration, speech=speech.id
        )
        out.signal(Interrupted(speech.id, speech.base))
        stop(state, speech, "interrupted", view, out)
    elif signal.verdict == "hold":
        if move(speech, "pause"):
            out.effect(Pause(speech=speech.id))
            _hold(speech, out)
    else:
        if signal.verdict == "backchannel":
            out.notify(
                "overlapping_speech",
                verdict="backchannel",
                text=signal.text,
                duration=signal.duration,
                speech=speech.id,
            )
        if not speech.yielded and _go_on(speech, out):
            out.notify("agent_false_interruption", speech=speech.id, resumed=True)


# --- asked for ---------------------------------------------------------------------------------------------------


def on_interrupt(state: SpeechState, event: InterruptAsked, view: KernelState, out: Out) -> None:
    wanted = event.speech.partition("#")[0]
    for speech in list(state.speeches.values()):
        if (
            (not wanted or speech.base == wanted)
            and (speech.interruptible or event.force)
            and speech.priority != "ladder"
        ):
            _cancel_say(speech, out)
            stop(state, speech, "interrupted" if speech.began >= 0 else "cancelled", view, out)


def _cancel_say(speech: Speech, out: Out) -> None:
    if speech.source == "say" and speech.op is not None and speech.total < 0:
        out.effect(Cancel(op=speech.op))


def on_floor(state: SpeechState, signal: TakeFloor, view: KernelState, out: Out) -> None:
    for speech in list(state.speeches.values()):
        if speech.interruptible and speech.phase != "queued" and speech.priority != "ladder":
            if speech.began >= 0:
                out.signal(Interrupted(speech.id, speech.base))
            _cancel_say(speech, out)
            stop(state, speech, "interrupted" if speech.began >= 0 else "cancelled", view, out)


def on_protect(state: SpeechState, event: DisallowInterruptions, view: KernelState, out: Out) -> None:
    for speech in state.of(event.speech.partition("#")[0]):
        speech.interruptible = False
        if speech.phase == "paused" and not speech.yielded:
            _go_on(speech, out)
    reflex(state, view, out)


def on_held(state: SpeechState, event: LegHeld, view: KernelState, out: Out) -> None:
    speech = state.on_air()
    if speech is None:
        return
    if event.held:
        if move(speech, "pause"):
            out.effect(Pause(speech=speech.id))
            out.cancel_timer(f"speech.watch:{speech.id}")
    elif not speech.yielded:
        _go_on(speech, out)


# --- time, the end -----------------------------------------------------------------------------------------------


def on_timer(state: SpeechState, timer: Timer, view: KernelState, out: Out) -> None:
    if timer.name == "gap":
        return  # the review that follows picks the next one
    speech = state.speeches.get(timer.key)
    if speech is None:
        return
    if timer.name == "settle":
        finish(state, speech, True, view, out)
    elif timer.name == "hold":
        _go_on(speech, out)
    elif speech.total < 0 and not speech.clip and speech.position >= speech.available():
        out.timer(f"speech.watch:{speech.id}", out.now + STALL)  # it waits for audio: the ladder's business
    else:
        stop(state, speech, "heard" if speech.total >= 0 and speech.position >= speech.total else "failed", view, out)


def on_gate(state: SpeechState, signal: GateChanged, view: KernelState, out: Out) -> None:
    reflex(state, view, out)


def on_policy(state: SpeechState, event: PolicyChanged, view: KernelState, out: Out) -> None:
    reflex(state, view, out)


def on_closing(state: SpeechState, signal: Closing, view: KernelState, out: Out) -> None:
    for speech in list(state.speeches.values()):
        if speech.interruptible or not speech.sounding:
            _cancel_say(speech, out)
            stop(state, speech, "interrupted" if speech.began >= 0 else "cancelled", view, out)


def on_ending(state: SpeechState, signal: Ending, view: KernelState, out: Out) -> None:
    for speech in list(state.speeches.values()):
        if speech.sounding:
            stop(state, speech, "interrupted", view, out)
            finish(state, speech, True, view, out)
        else:
            stop(state, speech, "cancelled", view, out)


def on_resumed(state: SpeechState, event: Resumed, view: KernelState, out: Out) -> None:
    """What the plane has goes on; what the old shell was still making of a ``say`` is asked for again, or cut."""
    for speech in list(state.speeches.values()):
        if speech.source == "reply" or speech.op is None:
            continue
        speech.op = None
        if speech.source == "ladder" or speech.total >= 0:
            continue
        if speech.began >= 0:
            _cut(state, speech, view, out)
        else:
            speech.segments = {}
            speech.op = out.op("say")
            out.effect(StartSay(op=speech.op, speech=speech.id, attempt=speech.attempt))
    state.armed = False
    reflex(state, view, out)


def on_review(state: SpeechState, signal: Review, view: KernelState, out: Out) -> None:
    """After every cause: the next speech may go on air; replies that are over are told."""
    if state.speeches and view.lifecycle.phase in ("running", "draining", "leaving"):
        pick(state, view, out)
    for base in [b for b in state.open_bases if b not in view.reply.replies and not state.of(b)]:
        error = state.open_bases.pop(base)
        state.heard.pop(base, None)
        out.notify("speech_completed", speech=base, error=error)


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
    Acked: on_acked,
    PlaySettled: on_settled,
    AutoPaused: on_paused,
    AutoResumed: on_resumed_by_plane,
    Overlap: on_overlap,
    InterruptAsked: on_interrupt,
    TakeFloor: on_floor,
    DisallowInterruptions: on_protect,
    LegHeld: on_held,
    Timer: on_timer,
    GateChanged: on_gate,
    PolicyChanged: on_policy,
    Closing: on_closing,
    Ending: on_ending,
    Resumed: on_resumed,
    Review: on_review,
}


# --- playback ----------------------------------------------------------------------------------------------------


def on_acked(state: SpeechState, event: Acked, view: KernelState, out: Out) -> None:
    speech = state.speeches.get(event.speech)
    if speech is None or not speech.sounding:
        return
    if event.position > speech.position:
        if speech.position == 0:
            speech.began = max(speech.began, out.now - event.position / ledger.RATE)
        speech.position = event.position
        speech.moved_at = out.now
        if speech.phase == "on_air":
            out.timer(f"speech.watch:{speech.id}", _watch(speech, out))
    speech.acked_at = out.now
    speech.quality = event.quality


def _watch(speech: Speech, out: Out) -> float:
    """When to give its playback up: it should have moved, or been settled, by then."""
    return out.now + (OVERDUE if 0 <= speech.total <= speech.position else STALL)


def on_settled(state: SpeechState, event: PlaySettled, view: KernelState, out: Out) -> None:
    speech = state.speeches.get(event.speech)
    if speech is None or not speech.sounding:
        return
    speech.position = max(speech.position, event.position)
    speech.quality = event.quality
    if event.reason == "end":
        if speech.phase != "settling":
            speech.outcome = "heard"
    elif event.reason in ("lost", "refused") and speech.outcome == "heard":
        speech.outcome = "failed"
    finish(state, speech, False, view, out)


def on_paused(state: SpeechState, event: AutoPaused, view: KernelState, out: Out) -> None:
    speech = state.speeches.get(event.speech)
    if speech is None or not move(speech, "pause"):
        return
    _hold(speech, out)
    if not speech.interruptible or not view.policy.barge_in.enabled:
        resume(speech, ledger.word_start(speech.segments, event.position), out)
    else:
        speech.acked_at = out.now


def _hold(speech: Speech, out: Out) -> None:
    out.cancel_timer(f"speech.watch:{speech.id}")
    out.timer(f"speech.hold:{speech.id}", out.now + PAUSE_MAX)


def on_resumed_by_plane(state: SpeechState, event: AutoResumed, view: KernelState, out: Out) -> None:
    speech = state.speeches.get(event.speech)
    if speech is not None and move(speech, "resume"):
        speech.acked_at = out.now
        out.cancel_timer(f"speech.hold:{speech.id}")
        out.timer(f"speech.watch:{speech.id}", out.now + STALL)


def _go_on(speech: Speech, out: Out) -> bool:
    return resume(speech, ledger.word_start(speech.segments, speech.position), out)


def on_overlap(state: SpeechState, signal: Overlap, view: KernelState, out: Out) -> None:
    speech = state.on_air()
    if speech is None or not speech.interruptible:
        return
    if signal.verdict == "interruption":
        out.notify(
            "overlapping_speech", verdict="interruption", text=signal.text, duration=signal.duration, speech=speech.id
        )
        out.signal(Interrupted(speech.id, speech.base))
        stop(state, speech, "interrupted", view, out)
    elif signal.verdict == "hold":
        if move(speech, "pause"):
            out.effect(Pause(speech=speech.id))
            _hold(speech, out)
    else:
        if signal.verdict == "backchannel":
            out.notify(
                "overlapping_speech",
                verdict="backchannel",
                text=signal.text,
                duration=signal.duration,
                speech=speech.id,
            )
        if not speech.yielded and _go_on(speech, out):
            out.notify("agent_false_interruption", speech=speech.id, resumed=True)


# --- asked for ---------------------------------------------------------------------------------------------------


def on_interrupt(state: SpeechState, event: InterruptAsked, view: KernelState, out: Out) -> None:
    wanted = event.speech.partition("#")[0]
    for speech in list(state.speeches.values()):
        if (
            (not wanted or speech.base == wanted)
            and (speech.interruptible or event.force)
            and speech.priority != "ladder"
        ):
            cancel_say(speech, out)
            stop(state, speech, "interrupted" if speech.began >= 0 else "cancelled", view, out)


def on_floor(state: SpeechState, signal: TakeFloor, view: KernelState, out: Out) -> None:
    for speech in list(state.speeches.values()):
        if speech.interruptible and speech.phase != "queued" and speech.priority != "ladder":
            if speech.began >= 0:
                out.signal(Interrupted(speech.id, speech.base))
            cancel_say(speech, out)
            stop(state, speech, "interrupted" if speech.began >= 0 else "cancelled", view, out)


def on_protect(state: SpeechState, event: DisallowInterruptions, view: KernelState, out: Out) -> None:
    for speech in state.of(event.speech.partition("#")[0]):
        speech.interruptible = False
        if speech.phase == "paused" and not speech.yielded:
            _go_on(speech, out)
    reflex(state, view, out)


def on_held(state: SpeechState, event: LegHeld, view: KernelState, out: Out) -> None:
    speech = state.on_air()
    if speech is None:
        return
    if event.held:
        if move(speech, "pause"):
            out.effect(Pause(speech=speech.id))
            out.cancel_timer(f"speech.watch:{speech.id}")
    elif not speech.yielded:
        _go_on(speech, out)


# --- time, the end -----------------------------------------------------------------------------------------------


def on_timer(state: SpeechState, timer: Timer, view: KernelState, out: Out) -> None:
    if timer.name == "gap":
        return  # the review that follows picks the next one
    speech = state.speeches.get(timer.key)
    if speech is None:
        return
    if timer.name == "settle":
        finish(state, speech, True, view, out)
    elif timer.name == "hold":
        _go_on(speech, out)
    elif speech.total < 0 and not speech.clip and speech.position >= speech.available():
        out.timer(f"speech.watch:{speech.id}", out.now + STALL)  # it waits for audio: the ladder's business
    else:
        stop(state, speech, "heard" if speech.total >= 0 and speech.position >= speech.total else "failed", view, out)


def on_gate(state: SpeechState, signal: GateChanged, view: KernelState, out: Out) -> None:
    reflex(state, view, out)


def on_policy(state: SpeechState, event: PolicyChanged, view: KernelState, out: Out) -> None:
    reflex(state, view, out)


def on_closing(state: SpeechState, signal: Closing, view: KernelState, out: Out) -> None:
    for speech in list(state.speeches.values()):
        if speech.interruptible or not speech.sounding:
            cancel_say(speech, out)
            stop(state, speech, "interrupted" if speech.began >= 0 else "cancelled", view, out)


def on_ending(state: SpeechState, signal: Ending, view: KernelState, out: Out) -> None:
    for speech in list(state.speeches.values()):
        if speech.sounding:
            stop(state, speech, "interrupted", view, out)
            finish(state, speech, True, view, out)
        else:
            stop(state, speech, "cancelled", view, out)


def on_resumed(state: SpeechState, event: Resumed, view: KernelState, out: Out) -> None:
    """What the plane has goes on; what the old shell was still making of a ``say`` is asked for again, or cut."""
    for speech in list(state.speeches.values()):
        if speech.source == "reply" or speech.op is None:
            continue
        speech.op = None
        if speech.source == "ladder" or speech.total >= 0:
            continue
        if speech.began >= 0:
            cut(state, speech, view, out)
        else:
            speech.segments = {}
            speech.op = out.op("say")
            out.effect(StartSay(op=speech.op, speech=speech.id, attempt=speech.attempt))
    state.armed = False
    reflex(state, view, out)


def on_review(state: SpeechState, signal: Review, view: KernelState, out: Out) -> None:
    """After every cause: the next speech may go on air; replies that are over are told."""
    if state.speeches and view.lifecycle.phase in ("running", "draining", "leaving"):
        pick(state, view, out)
    for base in [b for b in state.open_bases if b not in view.reply.replies and not state.of(b)]:
        error = state.open_bases.pop(base)
        state.heard.pop(base, None)
        out.notify("speech_completed", speech=base, error=error)


HANDLERS: dict[type, Any] = {
    Acked: on_acked,
    PlaySettled: on_settled,
    AutoPaused: on_paused,
    AutoResumed: on_resumed_by_plane,
    Overlap: on_overlap,
    InterruptAsked: on_interrupt,
    TakeFloor: on_floor,
    DisallowInterruptions: on_protect,
    LegHeld: on_held,
    Timer: on_timer,
    GateChanged: on_gate,
    PolicyChanged: on_policy,
    Closing: on_closing,
    Ending: on_ending,
    Resumed: on_resumed,
    Review: on_review,
}
