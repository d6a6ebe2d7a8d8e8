"""Turn, first part: voice and words as they come, and what they mean for the turn that is open."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from antiphon.kernel import gates, overlap, question
from antiphon.kernel.echo import echoes
from antiphon.kernel.effects import FlushStt
from antiphon.kernel.events import (
    Final,
    Partial,
    ProviderTurn,
    Resumed,
    Vad,
)
from antiphon.kernel.listening import nod
from antiphon.kernel.signals import (
    Review,
    TurnContinued,
)
from antiphon.kernel.turn import (
    FLOOR,
    GOES_ON,
    Heard,
    TurnState,
    evidence,
    floor,
    learn,
    missing,
    move,
    text_of,
    user_is,
)
from antiphon.kernel.turn_end import ask_score, finish, limits, maybe_end, schedule, speculate
from antiphon.turns import endpointing
from antiphon.turns.words import same_words

if TYPE_CHECKING:
    from antiphon.kernel.out import Out
    from antiphon.kernel.state import KernelState


# --- voice -------------------------------------------------------------------------------------------------------


def on_vad(state: TurnState, event: Vad, view: KernelState, out: Out) -> None:
    state.vad = event.edge == "start"
    user_is(state, "speaking" if state.vad else "listening", out)
    at = min(event.at, out.now)
    mode = view.policy.turn.mode
    if mode in ("local", "manual"):
        if state.vad:
            _voice(state, at, view, out)
        else:
            _silence(state, at, view, out)
    elif mode == "provider":
        floor(out, FLOOR if state.vad or state.phase != "idle" else view.policy.barge_in.false_timeout)
    overlap.on_voice(state, at, view, out)


def on_provider(state: TurnState, event: ProviderTurn, view: KernelState, out: Out) -> None:
    if view.policy.turn.mode != "provider":
        return
    if event.edge == "likely":
        speculate(state, view, out)
    else:
        (_voice if event.edge == "start" else _silence)(state, out.now, view, out)


def _voice(state: TurnState, at: float, view: KernelState, out: Out) -> None:
    if state.asks:  # the application has ended this turn: what sounds now does not open it again
        floor(out, FLOOR)
        return
    if state.phase == "pause":
        if state.voiced:
            learn(state, at - state.last_speech, view)
        if state.joins is None and not text_of(state):  # what opened it may have been a cough, before the question
            state.expects = question.expects(view)
        reconsider(state, out)
    elif state.phase == "idle":
        open(state, at, view, out)
    if move(state, "voice"):
        state.stretch, state.voiced, state.due = at, True, True
        if view.policy.turn.max_duration > 0:
            out.timer("turn.limit", state.started + view.policy.turn.max_duration + 0.001)
        if view.reply.replies:
            out.timer("turn.goes_on", at + GOES_ON)
    floor(out, FLOOR)


def _silence(state: TurnState, at: float, view: KernelState, out: Out) -> None:
    if not move(state, "silence"):
        return
    state.last_speech = max(at, state.stretch)
    out.cancel_timer("turn.goes_on")
    if (not state.asks and view.policy.turn.mode != "manual") or state.asks:
        out.effect(FlushStt())
    words = bool(state.heard)
    floor(out, FLOOR if words else view.policy.barge_in.false_timeout)
    if view.policy.turn.mode == "local":
        if view.policy.turn.score:
            out.timer("turn.score", state.last_speech + view.policy.turn.score_after)
        if endpointing.goes_on(view.policy.turn, evidence(state, view)):
            nod(state, view, out)
        schedule(state, view, out)
        speculate(state, view, out)
    elif view.policy.turn.mode == "provider":
        out.timer("turn.delay", out.now)


def open(state: TurnState, at: float, view: KernelState, out: Out) -> None:
    state.count += 1
    state.turn = state.count
    state.started = state.stretch = state.last_speech = at
    state.joins = overlap.joining(state.last, at, view)
    if state.joins is None:
        state.expects = question.expects(view)


def reconsider(state: TurnState, out: Out) -> None:
    """The pause was none, or what is known of it has changed."""
    out.close(state.score_op)
    state.score = state.score_op = None
    state.scored = None
    state.asked, state.asked_at, state.scored_at = 0, 0.0, 0.0
    state.waiting = False
    for name in ("turn.delay", "turn.final", "turn.score"):
        out.cancel_timer(name)
    if state.speculated:
        out.signal(TurnContinued(state.turn))


# --- words -------------------------------------------------------------------------------------------------------


def on_words(state: TurnState, event: Partial | Final, view: KernelState, out: Out) -> None:
    final = isinstance(event, Final)
    old = state.heard.get(event.segment)
    if old is not None and (event.revision < old.revision or (old.final and not final)):
        return
    text = event.text.strip()
    used = state.used.get(event.segment)
    if used is not None:  # its turn is over; only words beyond those may count, and only if the caller goes on
        text = "" if state.phase == "idle" else " ".join(text.split()[used:])
        if not text:
            return
    if text and echoes(state, text, view, out):
        text = ""
    before = text_of(state)
    if (final and getattr(event, "at", 0.0) >= state.stretch - 0.3) or (final and not state.voiced):
        state.due = False
    if not text and old is None:
        maybe_end(state, view, out)
        return
    if state.phase == "idle":
        open(state, out.now, view, out)
        move(state, "voice" if state.vad else "words")
        state.voiced = state.due = state.vad
        if final:
            state.due = False
    state.heard[event.segment] = Heard(
        text, final, event.revision, getattr(event, "confidence", 1.0), getattr(event, "language", ""),
        getattr(event, "at", 0.0), event.speaker,
    )  # fmt: skip
    now_text = text_of(state)
    out.notify(
        "user_input_transcribed", text=text, final=final, turn=state.turn, segment=event.segment,
        language=getattr(event, "language", ""), speaker=event.speaker,
    )  # fmt: skip
    if not same_words(before, now_text):
        floor(out, FLOOR)
        limits(state, now_text, view, out)
        if state.phase == "pause" and not state.voiced:
            state.last_speech = out.now
        if state.speculated and not same_words(state.speculated[-1], now_text):
            out.signal(TurnContinued(state.turn))
    if state.phase == "pause" and view.policy.turn.mode == "local" and not state.waiting:
        schedule(state, view, out)
        asked = state.scored is not None and not same_words(state.scored, now_text)
        if view.policy.turn.score and (asked or (state.scored is None and not state.voiced)):
            out.timer("turn.score", state.last_speech + view.policy.turn.score_after)
        speculate(state, view, out)
    overlap.on_words(state, before, final, view, out)
    if view.policy.turn.mode == "none" and not missing(state):
        state.ask_reply = False
        finish(state, view, out)
        return
    maybe_end(state, view, out)


# --- the clock ---------------------------------------------------------------------------------------------------


def on_review(state: TurnState, signal: Review, view: KernelState, out: Out) -> None:
    """Settings change under an open turn, and services forget to end one: where nobody is waited for, it has a clock."""
    if state.phase == "idle" or state.vad or view.lifecycle.phase not in ("running", "draining"):
        return
    if {"turn.delay", "turn.final"} & view.timers.keys():
        return
    mode = view.policy.turn.mode
    if mode == "local" and state.phase == "speaking":
        _silence(state, out.now, view, out)
    elif mode == "local":
        schedule(state, view, out)
    elif mode == "provider" and gates.FLOOR not in view.gates:
        out.timer("turn.delay", out.now)


def on_resumed(state: TurnState, event: Resumed, view: KernelState, out: Out) -> None:
    """A new owner. Where the line is lost nobody will say when the voice that was heard on it ended: it ended with the line."""
    if event.lost and state.vad:
        on_vad(state, Vad(edge="end", at=out.now), view, out)
    if state.score_op is not None:
        ask_score(state, view, out)


HANDLERS: dict[type, Any] = {
    Vad: on_vad,
    ProviderTurn: on_provider,
    Partial: on_words,
    Final: on_words,
    Review: on_review,
    Resumed: on_resumed,
}
