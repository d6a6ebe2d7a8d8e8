"""Speech, second part: playback, interruption, time, the end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from antiphon.kernel import gates, ledger
from antiphon.kernel.effects import Pause
from antiphon.kernel.events import (
    Acked,
    AutoPaused,
    AutoResumed,
    DisallowInterruptions,
    InterruptAsked,
    PlaySettled,
    PolicyChanged,
)
from antiphon.kernel.overlap import target
from antiphon.kernel.signals import (
    Closing,
    Ending,
    GateChanged,
    Interrupted,
    OnAir,
    Overlap,
    Review,
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
from antiphon.kernel.speech_made import cancel_say

if TYPE_CHECKING:
    from antiphon.kernel.out import Out
    from antiphon.kernel.state import KernelState


# --- playback ----------------------------------------------------------------------------------------------------


def on_acked(state: SpeechState, event: Acked, view: KernelState, out: Out) -> None:
    speech = state.speeches.get(event.speech)
    if speech is None or not speech.sounding:
        return
    if event.position > speech.position:
        if speech.position == 0:
            speech.began = max(speech.began, out.now - event.position / ledger.RATE)
        speech.position = event.position
        speech.acked_at = out.now
        if speech.phase == "on_air":
            out.timer(f"speech.watch:{speech.id}", _watch(speech, out))
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
    finish(state, speech, event.quality == "estimated", view, out)


def on_paused(state: SpeechState, event: AutoPaused, view: KernelState, out: Out) -> None:
    speech = state.speeches.get(event.speech)
    if speech is None or not move(speech, "pause"):
        return
    speech.paused_at = event.position
    _hold(speech, out)
    if target(view, voice=True) is None:
        _go_on(speech, view, out)
    else:
        speech.acked_at = out.now


def _hold(speech: Speech, out: Out) -> None:
    out.cancel_timer(f"speech.watch:{speech.id}")
    out.timer(f"speech.hold:{speech.id}", out.now + PAUSE_MAX)


def on_resumed_by_plane(state: SpeechState, event: AutoResumed, view: KernelState, out: Out) -> None:
    speech = state.speeches.get(event.speech)
    if gates.HOLD in view.gates:
        return  # it had not heard of the hold yet
    if speech is not None and move(speech, "resume"):
        speech.position = max(speech.position, event.position)
        speech.acked_at = out.now
        out.cancel_timer(f"speech.hold:{speech.id}")
        out.timer(f"speech.watch:{speech.id}", out.now + STALL)


def _go_on(speech: Speech, view: KernelState, out: Out) -> bool:
    return resume(speech, ledger.word_start(speech.segments, max(speech.position, speech.paused_at)), view, out)


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
        for rest in [other for other in state.of(speech.base) if other.source == "say" and not other.sounding]:
            cancel_say(rest, out)
            stop(state, rest, "cancelled", view, out)
    elif signal.verdict == "hold":
        if speech.phase == "paused":  # by the reflex, which knows sooner when the voice stops: nothing else pauses here
            out.effect(Pause(speech=speech.id))  # the plane is told that it need not go on by itself
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
        if not speech.yielded and _go_on(speech, view, out):
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
            _go_on(speech, view, out)
    reflex(state, view, out)


# --- time, the end -----------------------------------------------------------------------------------------------


def on_timer(state: SpeechState, timer: Timer, view: KernelState, out: Out) -> None:
    if timer.name == "gap":
        return  # the review that follows picks the next one
    speech = state.speeches[timer.key]
    if timer.name == "settle":
        speech.position = max(speech.position, speech.paused_at)
        finish(state, speech, True, view, out)
    elif timer.name == "hold":
        _go_on(speech, view, out)
    elif speech.total < 0 and not speech.clip and speech.position >= speech.available():
        out.timer(f"speech.watch:{speech.id}", out.now + STALL)  # it waits for audio: the ladder's business
    else:
        stop(state, speech, "heard" if speech.total >= 0 and speech.position >= speech.total else "failed", view, out)


def on_gate(state: SpeechState, signal: GateChanged, view: KernelState, out: Out) -> None:
    speech = state.on_air()
    if signal.name == gates.HOLD and speech is not None:
        if gates.HOLD not in view.gates:
            _go_on(speech, view, out)
        else:  # also where the reflex has paused it: the plane is not to go on by itself
            move(speech, "pause")
            out.effect(Pause(speech=speech.id))
            out.cancel_timer(f"speech.watch:{speech.id}")
    reflex(state, view, out)


def on_policy(state: SpeechState, event: PolicyChanged | OnAir, view: KernelState, out: Out) -> None:
    reflex(state, view, out)


def on_closing(state: SpeechState, signal: Closing, view: KernelState, out: Out) -> None:
    for speech in list(state.speeches.values()):
        if speech.interruptible or not speech.sounding:
            cancel_say(speech, out)
            stop(state, speech, "interrupted" if speech.began >= 0 else "cancelled", view, out)


def on_ending(state: SpeechState, signal: Ending, view: KernelState, out: Out) -> None:
    """Only what may not be interrupted still sounds here: its time is over."""
    for speech in list(state.speeches.values()):
        stop(state, speech, "interrupted", view, out)
        finish(state, speech, True, view, out)


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
    Timer: on_timer,
    GateChanged: on_gate,
    PolicyChanged: on_policy,
    OnAir: on_policy,
    Closing: on_closing,
    Ending: on_ending,
    Review: on_review,
}
