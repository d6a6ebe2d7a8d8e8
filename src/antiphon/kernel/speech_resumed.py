"""Speech, fourth part: a new owner. What the plane has goes on; what is missing of a text is said behind it.

Theory. What the old owner was still making is gone with it. Where the plane lives, the sound that it has is heard to its end;
of a ``say`` that was text the rest follows as a further speech of the same base. Where the plane is gone too, the caller has heard
what was acknowledged; what they have not heard is made again, from there on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from antiphon.kernel import ledger
from antiphon.kernel.effects import StartSay
from antiphon.kernel.events import Resumed
from antiphon.kernel.signals import SoundLost
from antiphon.kernel.speech import Speech, SpeechState, finish, reflex, stop
from antiphon.kernel.speech_made import authorise, cut

if TYPE_CHECKING:
    from antiphon.kernel.out import Out
    from antiphon.kernel.state import KernelState

UNKNOWN = "What was to be said came as a stream or as ready audio, which is gone with the process that had it."


def on_resumed(state: SpeechState, event: Resumed, view: KernelState, out: Out) -> None:
    for speech in list(state.speeches.values()):
        if event.lost:
            _lost(state, speech, view, out)
        elif speech.source == "say" and speech.op is not None and speech.total < 0:
            _left_off(state, speech, view, out)
        elif speech.source != "reply":
            speech.op = None
    state.armed = False
    reflex(state, view, out)


def _left_off(state: SpeechState, speech: Speech, view: KernelState, out: Out) -> None:
    """The old owner was still making it."""
    speech.op = None
    if speech.began >= 0:
        _rest(state, speech, ledger.available(speech.segments), out)
        cut(state, speech, view, out)
    else:
        _again(state, speech, view, out)


def _lost(state: SpeechState, speech: Speech, view: KernelState, out: Out) -> None:
    if speech.source == "reply":
        if speech.phase == "queued":
            return  # a speculation: its reply is rejected
        if ledger.heard_text(speech.segments, speech.position)[0] != ledger.full_text(speech.segments):
            out.signal(SoundLost(speech.id, speech.base))
    speech.op = None
    if speech.sounding:
        if speech.source == "say":
            _rest(state, speech, speech.position, out)
        speech.outcome = "failed" if speech.phase != "settling" else speech.outcome
        finish(state, speech, True, view, out)
    elif speech.source == "say":
        _again(state, speech, view, out)
    else:
        stop(state, speech, "failed", view, out)


def _again(state: SpeechState, speech: Speech, view: KernelState, out: Out) -> None:
    """It has not sounded, as far as is known: it is made anew from its text, under another name. What the plane has of it, and may
    have begun to play behind the log's last entry, is for nothing."""
    if speech.text:
        _queue(state, speech, speech.text, out)
        stop(state, speech, "cancelled", view, out)
    else:
        _unknown(state, speech, out)
        stop(state, speech, "failed", view, out)


def _rest(state: SpeechState, speech: Speech, position: int, out: Out) -> None:
    """Queue what of its text comes behind ``position``."""
    if speech.phase == "settling":
        return
    if not speech.text:
        _unknown(state, speech, out)
        return
    text = ledger.text_behind(speech.text, speech.segments, position)
    if text:
        _queue(state, speech, text, out)


def _queue(state: SpeechState, speech: Speech, text: str, out: Out) -> None:
    """A further speech of the same base, in its place."""
    number = int(speech.id.partition("#")[2] or 1) + 1
    op = out.op("say")
    rest = state.speeches[f"{speech.base}#{number}"] = Speech(
        f"{speech.base}#{number}", speech.base, "say", speech.number, priority=speech.priority,
        interruptible=speech.interruptible, in_history=speech.in_history, op=op, floor=speech.floor,
        behind=speech.behind, question=speech.question, text=text,
    )  # fmt: skip
    out.effect(StartSay(op=op, speech=rest.id, text=text))
    authorise(state, rest, out)


def _unknown(state: SpeechState, speech: Speech, out: Out) -> None:
    state.open_bases[speech.base] = UNKNOWN
    out.notify("error", stage="say", error=UNKNOWN, recoverable=True)


HANDLERS: dict[type, Any] = {Resumed: on_resumed}
