"""Turn, second part: when a pause is the end, and what becomes of what was said."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from antiphon.kernel import gates, overlap
from antiphon.kernel.effects import FlushStt, ResetStt, ScoreTurn
from antiphon.kernel.events import (
    ClearTurn,
    CommitTurn,
    EndScore,
    SttLost,
    Typed,
)
from antiphon.kernel.facts import TurnDropped as TurnDroppedFact
from antiphon.kernel.listening import nod
from antiphon.kernel.signals import (
    Closing,
    Speculable,
    TakeFloor,
    Timer,
    TurnContinued,
    TurnDropped,
    TurnEnded,
    TurnExceeded,
    Unheard,
)
from antiphon.kernel.turn import (
    ALONE,
    MEMORY,
    SPEECH,
    Spoken,
    TurnState,
    evidence,
    learn,
    missing,
    move,
    speaker_of,
    text_of,
    user_is,
    whole_text,
)
from antiphon.turns import endpointing
from antiphon.turns.words import same_words

if TYPE_CHECKING:
    from antiphon.kernel.out import Out
    from antiphon.kernel.state import KernelState


# --- the end of a turn -------------------------------------------------------------------------------------------


def schedule(state: TurnState, view: KernelState, out: Out) -> None:
    due = state.last_speech + endpointing.delay(view.policy.turn, evidence(state, view))
    out.timer("turn.delay", due if state.voiced else min(due, out.now + ALONE))


def speculate(state: TurnState, view: KernelState, out: Out) -> None:
    """Prepare a reply at a pause that is likely the end, as far as anybody can tell."""
    policy, text = view.policy.turn, text_of(state)
    if not policy.speculate or not text or len(state.speculated) >= policy.max_speculations:
        return
    if state.speculated and same_words(state.speculated[-1], text):
        return
    if policy.mode == "local":
        if missing(state):
            return
        coming = state.score_op is not None or "turn.score" in view.timers
        if state.score is None and coming:
            return
        if not endpointing.likely(policy, evidence(state, view)):
            return
    state.speculated.append(text)
    out.signal(Speculable(state.turn, whole_text(state)))


def on_score(state: TurnState, event: EndScore, view: KernelState, out: Out) -> None:
    out.close(event.op)
    state.score_op = None
    if event.probability is not None:
        state.score, state.scored_at = event.probability, state.asked_at
    if state.phase != "pause" or state.waiting:
        return
    if event.probability is not None and event.probability <= endpointing.LIKELY:
        nod(state, view, out)
    schedule(state, view, out)
    again = state.last_speech + state.asked_at + endpointing.SCORE_EVERY
    if endpointing.again(event.probability, state.asked) and again < view.timers["turn.delay"]:
        out.timer("turn.score", again)
    speculate(state, view, out)


def ask_score(state: TurnState, view: KernelState, out: Out) -> None:
    text = text_of(state)
    out.close(state.score_op)
    state.score_op, state.scored = out.op("score"), text
    state.asked, state.asked_at = state.asked + 1, out.now - state.last_speech
    out.effect(ScoreTurn(op=state.score_op, at=state.last_speech, text=text))


def on_timer(state: TurnState, timer: Timer, view: KernelState, out: Out) -> None:
    name = timer.name
    if name == "score":
        ask_score(state, view, out)
    elif name == "delay":
        delay_over(state, view, out)
    elif name == "final":
        out.notify("user_transcription_timeout", turn=state.turn, text=text_of(state))
        finish(state, view, out)
    elif name == "goes_on":
        return  # the review that follows sees it
    elif name == "limit":
        limits(state, text_of(state), view, out)
    elif name == "away":
        user_is(state, "away", out)
    else:
        overlap.on_timer(state, name, view, out)


def delay_over(state: TurnState, view: KernelState, out: Out) -> None:
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
        if state.voiced and state.last_speech - state.started >= SPEECH and view.speech.on_air() is None:
            out.signal(Unheard())
        drop(state, "noise" if state.voiced else "empty", out)
        return
    if view.lifecycle.phase != "running":
        drop(state, "closing", out)
        return
    if overlap.dismisses(state, text, view, out):
        drop(state, "backchannel", out)
        return
    turn, item, started = state.turn, f"turn.{state.turn}", state.started
    speaker, joins = speaker_of(state), state.joins
    if joins is not None and overlap.still_joins(joins, view):
        learn(state, started - joins.ended, view)
        turn, item, started, text = joins.turn, joins.item, joins.started, f"{joins.text} {text}"
    confidence = min(h.confidence for h in state.heard.values())
    language = next((h.language for h in state.heard.values() if h.language), "")
    out.signal(
        TurnEnded(
            turn, item, text, started=started, ended=state.last_speech, confidence=confidence, language=language,
            probability=state.score, reply=state.ask_reply, asks=tuple(state.asks), speaker=speaker,
        )
    )  # fmt: skip
    state.last = Spoken(turn, item, text, started, state.last_speech)
    state.asks = []
    reset(state, out)


def drop(state: TurnState, reason: str, out: Out) -> None:
    turn = state.turn
    out.fact(TurnDroppedFact(at=out.now, turn=turn, text=text_of(state), reason=reason))
    for ask in state.asks:
        out.notify("turn_committed", ask=ask, turn=0, text="")
    state.asks = []
    if state.speculated:
        out.signal(TurnContinued(turn))
    out.signal(TurnDropped(turn, reason))
    reset(state, out)


def reset(state: TurnState, out: Out) -> None:
    for segment, heard in state.heard.items():
        state.used.pop(segment, None)
        state.used[segment] = len(heard.text.split())
    while len(state.used) > MEMORY:
        del state.used[next(iter(state.used))]
    out.close(state.score_op)
    move(state, "ended")
    state.heard = {}
    state.waved = ""
    state.speculated = []
    state.score = state.score_op = state.scored = state.joins = None
    state.asked, state.asked_at, state.scored_at = 0, 0.0, 0.0
    state.due = state.waiting = state.exceeded = state.voiced = False
    state.ask_reply = True
    for name in ("turn.delay", "turn.final", "turn.score", "turn.limit", "turn.goes_on"):
        out.cancel_timer(name)
    out.ungate(gates.FLOOR)


def maybe_end(state: TurnState, view: KernelState, out: Out) -> None:
    """A final came: whoever waits for it need not any more."""
    if state.waiting and not missing(state):
        finish(state, view, out)


def limits(state: TurnState, text: str, view: KernelState, out: Out) -> None:
    if not state.exceeded and endpointing.exceeds_limits(view.policy.turn, text, out.now - state.started):
        state.exceeded = True
        out.signal(TurnExceeded(state.turn, text))


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
    if not text and not event.media:
        out.fact(TurnDroppedFact(at=out.now, turn=turn, text="", reason="empty"))
        out.signal(TurnDropped(turn, "empty"))
        return
    out.signal(TakeFloor())
    out.signal(
        TurnEnded(
            turn, f"turn.{turn}", text, modality="text", started=out.now, ended=out.now, reply=event.reply,
            speech=event.speech, media=event.media, speaker=event.speaker,
        )
    )  # fmt: skip
    state.last = None


def on_lost(state: TurnState, event: SttLost, view: KernelState, out: Out) -> None:
    out.notify("error", stage="stt", error=event.error, recoverable=event.recovering)


def on_closing(state: TurnState, signal: Closing, view: KernelState, out: Out) -> None:
    if state.phase != "idle":
        drop(state, "closing", out)
    state.overlap = None
    for name in ("turn.away", "turn.barge", "turn.false"):
        out.cancel_timer(name)


HANDLERS: dict[type, Any] = {
    EndScore: on_score,
    CommitTurn: on_commit,
    ClearTurn: on_clear,
    Typed: on_typed,
    SttLost: on_lost,
    Timer: on_timer,
    Closing: on_closing,
}
