"""Turn, first part: voice and words as they come, and what they mean for the turn that is open."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from antiphon.kernel import gates, overlap
from antiphon.kernel.effects import FlushStt, ResetStt, ScoreTurn
from antiphon.kernel.events import (
    ClearTurn,
    CommitTurn,
    EndScore,
    Final,
    Op,
    Partial,
    ProviderTurn,
    Resumed,
    SttLost,
    Typed,
    Vad,
)
from antiphon.kernel.facts import TurnDropped as TurnDroppedFact
from antiphon.kernel.signals import (
    Closing,
    Speculable,
    TakeFloor,
    Timer,
    TurnContinued,
    TurnDropped,
    TurnEnded,
    TurnExceeded,
    TurnOpened,
)
from antiphon.kernel.turn import ALONE, FLOOR, Heard, TurnState, floor, missing, move, text_of, user_is
from antiphon.kernel.turn_end import finish, limits, maybe_end, schedule, speculate
from antiphon.turns import endpointing
from antiphon.turns.words import same_words

if TYPE_CHECKING:
    from antiphon.kernel.out import Out
    from antiphon.kernel.state import KernelState

ALONE = 1.4
"""Seconds after which voice without text, or text without voice, is resolved."""
FLOOR = 6.0
"""Seconds without new evidence after which a voice no longer keeps the agent back."""
MEMORY = 64
"""Transcript segments remembered after their turn."""

STATES = ("idle", "speaking", "pause")
MOVES: dict[tuple[str, str], str] = {
    ("idle", "voice"): "speaking",
    ("idle", "words"): "pause",
    ("pause", "voice"): "speaking",
    ("speaking", "silence"): "pause",
    ("speaking", "ended"): "idle",
    ("pause", "ended"): "idle",
}


class Heard(msgspec.Struct):
    text: str
    final: bool
    revision: int
    confidence: float = 1.0
    language: str = ""


class Spoken(msgspec.Struct):
    """The last turn that ended, for words that follow it."""

    turn: int
    item: str
    text: str
    started: float


class TurnState(msgspec.Struct):
    """``due``: voice was heard that no final transcript covers yet. ``waiting``: the delay is over, the final is not
    there. ``used``: words per segment that went into earlier turns."""

    phase: str = "idle"
    count: int = 0
    turn: int = 0
    vad: bool = False
    voiced: bool = False
    started: float = 0.0
    stretch: float = 0.0
    last_speech: float = 0.0
    heard: dict[str, Heard] = {}
    used: dict[str, int] = {}
    due: bool = False
    waiting: bool = False
    score: float | None = None
    score_op: Op | None = None
    scored: str | None = None
    usual_pause: float = 0.0
    speculated: list[str] = []
    exceeded: bool = False
    asks: list[str] = []
    ask_reply: bool = True
    last: Spoken | None = None
    joins: overlap.Joining | None = None
    overlap: overlap.OverlapState | None = None
    user_state: str = "listening"


def text_of(state: TurnState) -> str:
    return " ".join(" ".join(h.text for h in state.heard.values()).split())


def move(state: TurnState, cause: str) -> bool:
    phase = MOVES.get((state.phase, cause))
    if phase is None:
        return False
    state.phase = phase
    return True


def user_is(state: TurnState, new: str, out: Out) -> None:
    if state.user_state != new:
        out.notify("user_state_changed", old=state.user_state, new=new)
        state.user_state = new


# --- voice -------------------------------------------------------------------------------------------------------


def on_vad(state: TurnState, event: Vad, view: KernelState, out: Out) -> None:
    state.vad = event.edge == "start"
    user_is(state, "speaking" if state.vad else "listening", out)
    at = min(event.at, out.now)
    if view.policy.turn.mode != "provider":
        if state.vad:
            _voice(state, at, view, out)
        else:
            _silence(state, at, view, out)
    elif state.vad:
        _floor(out, FLOOR)
    overlap.on_voice(state, at, view, out)


def on_provider(state: TurnState, event: ProviderTurn, view: KernelState, out: Out) -> None:
    if view.policy.turn.mode == "provider":
        (_voice if event.edge == "start" else _silence)(state, out.now, view, out)


def _voice(state: TurnState, at: float, view: KernelState, out: Out) -> None:
    if state.phase == "pause":
        if state.voiced:
            state.usual_pause = endpointing.learn_pause(state.usual_pause, max(0.0, at - state.last_speech))
        _reconsider(state, out)
    elif state.phase == "idle":
        _open(state, at, view, out)
    if move(state, "voice"):
        state.stretch, state.voiced, state.due = at, True, True
        if view.policy.turn.max_duration > 0:
            out.timer("turn.limit", state.started + view.policy.turn.max_duration + 0.001)
    _floor(out, FLOOR)


def _silence(state: TurnState, at: float, view: KernelState, out: Out) -> None:
    if not move(state, "silence"):
        return
    state.last_speech = max(at, state.stretch)
    if (not state.asks and view.policy.turn.mode != "manual") or state.asks:
        out.effect(FlushStt())
    words = bool(state.heard)
    _floor(out, FLOOR if words else view.policy.barge_in.false_timeout)
    if view.policy.turn.mode == "local":
        if view.policy.turn.score:
            out.timer("turn.score", state.last_speech + view.policy.turn.score_after)
        _schedule(state, view, out)
        _speculate(state, view, out)
    elif view.policy.turn.mode == "provider":
        out.timer("turn.delay", out.now)


def _floor(out: Out, seconds: float) -> None:
    out.gate(gates.FLOOR, "turn", out.now + seconds)


def _open(state: TurnState, at: float, view: KernelState, out: Out) -> None:
    state.count += 1
    state.turn = state.count
    state.started = state.stretch = state.last_speech = at
    state.joins = overlap.joining(state.last, at, view)
    out.signal(TurnOpened(state.turn))


def _reconsider(state: TurnState, out: Out) -> None:
    """The pause was none, or what is known of it has changed."""
    out.close(state.score_op)
    state.score = state.score_op = None
    state.scored = None
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
    before = text_of(state)
    if (final and getattr(event, "at", 0.0) >= state.stretch - 0.3) or (final and not state.voiced):
        state.due = False
    if not text and old is None:
        _maybe_end(state, view, out)
        return
    if state.phase == "idle":
        _open(state, out.now, view, out)
        if not move(state, "voice" if state.vad else "words"):  # pragma: no branch
            return
        state.voiced = state.due = state.vad
        if final:
            state.due = False
    state.heard[event.segment] = Heard(
        text, final, event.revision, getattr(event, "confidence", 1.0), getattr(event, "language", "")
    )
    now_text = text_of(state)
    out.notify(
        "user_input_transcribed", text=text, final=final, turn=state.turn, segment=event.segment,
        language=getattr(event, "language", ""),
    )  # fmt: skip
    if not same_words(before, now_text):
        _floor(out, FLOOR)
        _limits(state, now_text, view, out)
        if state.phase == "pause":
            if not state.voiced:
                state.last_speech = out.now
            if state.speculated and not same_words(state.speculated[-1], now_text):
                out.signal(TurnContinued(state.turn))
    if state.phase == "pause" and view.policy.turn.mode == "local" and not state.waiting:
        _schedule(state, view, out)
        asked = state.scored is not None and not same_words(state.scored, now_text)
        if view.policy.turn.score and (asked or (state.scored is None and not state.voiced)):
            out.timer("turn.score", state.last_speech + view.policy.turn.score_after)
        _speculate(state, view, out)
    overlap.on_words(state, view, out)
    _maybe_end(state, view, out)


def _maybe_end(state: TurnState, view: KernelState, out: Out) -> None:
    """A final came: whoever waits for it need not any more."""
    if state.waiting and not missing(state):
        finish(state, view, out)


def missing(state: TurnState) -> bool:
    return state.due or any(not h.final for h in state.heard.values())


def _limits(state: TurnState, text: str, view: KernelState, out: Out) -> None:
    if not state.exceeded and endpointing.exceeds_limits(view.policy.turn, text, out.now - state.started):
        state.exceeded = True
        out.signal(TurnExceeded(state.turn, text))


# --- the end of a turn -------------------------------------------------------------------------------------------


def _schedule(state: TurnState, view: KernelState, out: Out) -> None:
    evidence = endpointing.Evidence(text=text_of(state), score=state.score, usual_pause=state.usual_pause)
    due = state.last_speech + endpointing.delay(view.policy.turn, evidence)
    out.timer("turn.delay", due if state.voiced else min(due, out.now + ALONE))


def _speculate(state: TurnState, view: KernelState, out: Out) -> None:
    policy, text = view.policy.turn, text_of(state)
    if not policy.speculate or not text or missing(state) or len(state.speculated) >= policy.max_speculations:
        return
    if state.speculated and same_words(state.speculated[-1], text):
        return
    state.speculated.append(text)
    out.signal(Speculable(state.turn, state.joins.text + " " + text if state.joins else text))


def on_score(state: TurnState, event: EndScore, view: KernelState, out: Out) -> None:
    out.close(event.op)
    if state.score_op != event.op:
        return
    state.score_op = None
    state.score = event.probability
    if state.phase == "pause" and not state.waiting:
        _schedule(state, view, out)


def _ask_score(state: TurnState, view: KernelState, out: Out) -> None:
    text = text_of(state)
    out.close(state.score_op)
    state.score_op, state.scored = out.op("score"), text
    out.effect(ScoreTurn(op=state.score_op, at=state.last_speech, text=text))


def on_timer(state: TurnState, timer: Timer, view: KernelState, out: Out) -> None:
    name = timer.name
    if name == "score":
        _ask_score(state, view, out)
    elif name == "delay":
        _delay_over(state, view, out)
    elif name == "final":
        out.notify("user_transcription_timeout", turn=state.turn, text=text_of(state))
        finish(state, view, out)
    elif name == "limit":
        _limits(state, text_of(state), view, out)
    elif name == "away":
        user_is(state, "away", out)
    else:
        overlap.on_timer(state, name, view, out)


def _delay_over(state: TurnState, view: KernelState, out: Out) -> None:
    if state.heard and not missing(state):
        finish(state, view, out)
        return
    state.waiting = True
    if not state.voiced or not state.heard:
        until = state.last_speech + ALONE
    else:
        until = out.now + view.policy.turn.transcription_timeout
    out.timer("turn.final", until)


def finish(state: TurnState, view: KernelState, out: Out) -> None:
    """The turn is over: hand it on, or drop it where there is nothing in it."""
    text = text_of(state)
    if not text:
        drop(state, "noise" if state.voiced else "empty", out)
        return
    if view.lifecycle.phase != "running":
        drop(state, "closing", out)
        return
    if overlap.dismisses(state, text, view, out):
        drop(state, "backchannel", out)
        return
    turn, item, started = state.turn, f"turn.{state.turn}", state.started
    joins = state.joins
    if joins is not None and overlap.still_joins(joins, view):
        turn, item, started, text = joins.turn, joins.item, joins.started, f"{joins.text} {text}"
    confidence = min(h.confidence for h in state.heard.values())
    language = next((h.language for h in state.heard.values() if h.language), "")
    out.signal(
        TurnEnded(
            turn, item, text, started=started, ended=state.last_speech, confidence=confidence, language=language,
            probability=state.score, reply=state.ask_reply, asks=tuple(state.asks),
        )
    )  # fmt: skip
    state.last = Spoken(turn, item, text, started)
    state.asks = []
    _reset(state, out)


def drop(state: TurnState, reason: str, out: Out) -> None:
    turn = state.turn
    out.fact(TurnDroppedFact(at=out.now, turn=turn, text=text_of(state), reason=reason))
    for ask in state.asks:
        out.notify("turn_committed", ask=ask, turn=0, text="")
    state.asks = []
    if state.speculated:
        out.signal(TurnContinued(turn))
    out.signal(TurnDropped(turn, reason))
    _reset(state, out)


def _reset(state: TurnState, out: Out) -> None:
    for segment, heard in state.heard.items():
        state.used.pop(segment, None)
        state.used[segment] = len(heard.text.split())
    while len(state.used) > MEMORY:
        del state.used[next(iter(state.used))]
    out.close(state.score_op)
    move(state, "ended")
    state.heard = {}
    state.speculated = []
    state.score = state.score_op = state.scored = state.joins = None
    state.due = state.waiting = state.exceeded = state.voiced = False
    state.ask_reply = True
    for name in ("turn.delay", "turn.final", "turn.score", "turn.limit"):
        out.cancel_timer(name)
    out.ungate(gates.FLOOR)


# --- asked for ---------------------------------------------------------------------------------------------------


def on_commit(state: TurnState, event: CommitTurn, view: KernelState, out: Out) -> None:
    if state.phase == "idle":
        out.notify("turn_committed", ask=event.ask, turn=0, text="")
        return
    state.asks.append(event.ask)
    state.ask_reply = event.reply
    if state.heard and not missing(state):
        finish(state, view, out)
        return
    if state.phase == "speaking":
        move(state, "silence")
        state.last_speech = out.now
    out.effect(FlushStt())
    state.waiting = True
    out.cancel_timer("turn.delay")
    out.timer("turn.final", out.now + max(0.0, event.timeout))


def on_clear(state: TurnState, event: ClearTurn, view: KernelState, out: Out) -> None:
    out.effect(ResetStt())
    if state.phase != "idle":
        drop(state, "cleared", out)


def on_typed(state: TurnState, event: Typed, view: KernelState, out: Out) -> None:
    text = event.text.strip()
    state.count += 1
    turn = state.count
    if not text:
        out.fact(TurnDroppedFact(at=out.now, turn=turn, text="", reason="empty"))
        out.signal(TurnDropped(turn, "empty"))
        return
    out.signal(TakeFloor())
    out.signal(
        TurnEnded(
            turn, f"turn.{turn}", text, modality="text", started=out.now, ended=out.now, reply=event.reply,
            speech=event.speech,
        )
    )  # fmt: skip
    state.last = None


def on_lost(state: TurnState, event: SttLost, view: KernelState, out: Out) -> None:
    out.notify("error", stage="stt", error=event.error, recoverable=event.recovering)


def on_resumed(state: TurnState, event: Resumed, view: KernelState, out: Out) -> None:
    if state.score_op is not None:
        _ask_score(state, view, out)


def on_closing(state: TurnState, signal: Closing, view: KernelState, out: Out) -> None:
    if state.phase != "idle":
        drop(state, "closing", out)
    state.overlap = None
    for name in ("turn.away", "turn.barge", "turn.false"):
        out.cancel_timer(name)


HANDLERS: dict[type, Any] = {
    Vad: on_vad,
    ProviderTurn: on_provider,
    Partial: on_words,
    Final: on_words,
    EndScore: on_score,
    CommitTurn: on_commit,
    ClearTurn: on_clear,
    Typed: on_typed,
    SttLost: on_lost,
    Resumed: on_resumed,
    Timer: on_timer,
    Closing: on_closing,
}


# --- voice -------------------------------------------------------------------------------------------------------


def on_vad(state: TurnState, event: Vad, view: KernelState, out: Out) -> None:
    state.vad = event.edge == "start"
    user_is(state, "speaking" if state.vad else "listening", out)
    at = min(event.at, out.now)
    if view.policy.turn.mode != "provider":
        if state.vad:
            _voice(state, at, view, out)
        else:
            _silence(state, at, view, out)
    elif state.vad:
        floor(out, FLOOR)
    overlap.on_voice(state, at, view, out)


def on_provider(state: TurnState, event: ProviderTurn, view: KernelState, out: Out) -> None:
    if view.policy.turn.mode == "provider":
        (_voice if event.edge == "start" else _silence)(state, out.now, view, out)


def _voice(state: TurnState, at: float, view: KernelState, out: Out) -> None:
    if state.phase == "pause":
        if state.voiced:
            state.usual_pause = endpointing.learn_pause(state.usual_pause, max(0.0, at - state.last_speech))
        reconsider(state, out)
    elif state.phase == "idle":
        open(state, at, view, out)
    if move(state, "voice"):
        state.stretch, state.voiced, state.due = at, True, True
        if view.policy.turn.max_duration > 0:
            out.timer("turn.limit", state.started + view.policy.turn.max_duration + 0.001)
    floor(out, FLOOR)


def _silence(state: TurnState, at: float, view: KernelState, out: Out) -> None:
    if not move(state, "silence"):
        return
    state.last_speech = max(at, state.stretch)
    if (not state.asks and view.policy.turn.mode != "manual") or state.asks:
        out.effect(FlushStt())
    words = bool(state.heard)
    floor(out, FLOOR if words else view.policy.barge_in.false_timeout)
    if view.policy.turn.mode == "local":
        if view.policy.turn.score:
            out.timer("turn.score", state.last_speech + view.policy.turn.score_after)
        schedule(state, view, out)
        speculate(state, view, out)
    elif view.policy.turn.mode == "provider":
        out.timer("turn.delay", out.now)


def open(state: TurnState, at: float, view: KernelState, out: Out) -> None:
    state.count += 1
    state.turn = state.count
    state.started = state.stretch = state.last_speech = at
    state.joins = overlap.joining(state.last, at, view)
    out.signal(TurnOpened(state.turn))


def reconsider(state: TurnState, out: Out) -> None:
    """The pause was none, or what is known of it has changed."""
    out.close(state.score_op)
    state.score = state.score_op = None
    state.scored = None
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
    before = text_of(state)
    if (final and getattr(event, "at", 0.0) >= state.stretch - 0.3) or (final and not state.voiced):
        state.due = False
    if not text and old is None:
        maybe_end(state, view, out)
        return
    if state.phase == "idle":
        open(state, out.now, view, out)
        if not move(state, "voice" if state.vad else "words"):  # pragma: no branch
            return
        state.voiced = state.due = state.vad
        if final:
            state.due = False
    state.heard[event.segment] = Heard(
        text, final, event.revision, getattr(event, "confidence", 1.0), getattr(event, "language", "")
    )
    now_text = text_of(state)
    out.notify(
        "user_input_transcribed", text=text, final=final, turn=state.turn, segment=event.segment,
        language=getattr(event, "language", ""),
    )  # fmt: skip
    if not same_words(before, now_text):
        floor(out, FLOOR)
        limits(state, now_text, view, out)
        if state.phase == "pause":
            if not state.voiced:
                state.last_speech = out.now
            if state.speculated and not same_words(state.speculated[-1], now_text):
                out.signal(TurnContinued(state.turn))
    if state.phase == "pause" and view.policy.turn.mode == "local" and not state.waiting:
        schedule(state, view, out)
        asked = state.scored is not None and not same_words(state.scored, now_text)
        if view.policy.turn.score and (asked or (state.scored is None and not state.voiced)):
            out.timer("turn.score", state.last_speech + view.policy.turn.score_after)
        speculate(state, view, out)
    overlap.on_words(state, view, out)
    maybe_end(state, view, out)


HANDLERS: dict[type, Any] = {
    Vad: on_vad,
    ProviderTurn: on_provider,
    Partial: on_words,
    Final: on_words,
}
