"""Overlap: the caller's voice while the agent's sounds. Part of the turn machine.

Theory. An overlap opens when the caller sounds (or the plane's reflex says so, or words come) while a speech that may
be interrupted is on air; ``turns.barge_in`` judges it with every new piece of evidence; a verdict goes out as a
signal, once. Interruption ends it. A backchannel or a false alarm lets the speech go on and leaves nothing in the
conversation. Words right after a turn, before its answer was heard, join that turn (``joining``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from antiphon.kernel import gates, ledger
from antiphon.kernel.conversation import Message
from antiphon.kernel.events import AutoPaused
from antiphon.kernel.signals import OnAir, Overlap, SpeechSettled
from antiphon.turns import barge_in
from antiphon.turns.words import same_words, words_of

if TYPE_CHECKING:
    from antiphon.kernel.out import Out
    from antiphon.kernel.speech import Speech
    from antiphon.kernel.state import KernelState
    from antiphon.kernel.turn import Spoken, TurnState

JOIN = 0.3
"""Seconds of the agent's first sound within which a caller who goes on is still in the same turn."""
FEW_WORDS = 2
"""Words of the agent that a caller may have heard without having been answered."""
NEAR_END = 0.8
"""Seconds before the end of a speech from which a short answer is an answer, not a backchannel."""


class OverlapState(msgspec.Struct):
    """``before``: words of the turn that were there when it opened. ``verdict``: the last that went out. ``burst``: when the
    newest stretch of voice began; ``worded``: when the newest words came."""

    began: float
    before: int = 0
    ended: float = 0.0
    verdict: str = ""
    continues: bool = False
    burst: float = 0.0
    bursts: int = 1
    text: str = ""
    worded: float = 0.0


class Joining(msgspec.Struct):
    """The turn that the caller goes on with, and its answer so far (``speech`` empty: none sounds yet)."""

    turn: int
    item: str
    text: str
    started: float
    speech: str
    ended: float = 0.0


def target(view: KernelState, *, voice: bool = False) -> Speech | None:
    """The speech that an interruption would stop. ``voice``: by voice without words, which may be an echo."""
    speech = view.speech.on_air()
    if speech is None or not speech.interruptible or not view.policy.barge_in.enabled:
        return None
    if view.policy.turn.mode == "none" or (voice and gates.ECHO in view.gates):
        return None
    return speech


def on_voice(state: TurnState, at: float, view: KernelState, out: Out) -> None:
    if state.vad:
        out.cancel_timer("turn.false")
        out.cancel_timer("turn.away")
        if state.overlap is None and target(view, voice=True) is not None:
            _open(state, at, view, out)
        elif state.overlap is not None:
            state.overlap.ended = 0.0
            state.overlap.burst, state.overlap.bursts = at, state.overlap.bursts + 1
            _watch(state.overlap, view, out)
    elif state.overlap is not None:
        state.overlap.ended = at
        out.timer("turn.false", out.now + view.policy.barge_in.false_timeout)
        _judge(state, view, out)
    else:
        away(state, view, out)


def _open(state: TurnState, at: float, view: KernelState, out: Out) -> OverlapState:
    speech = target(view)
    continues = state.joins is not None and speech is not None and state.joins.speech == speech.id
    before = len(words_of(_text(state)))
    lap = state.overlap = OverlapState(at, before=before, continues=continues, burst=at, worded=at)
    _watch(lap, view, out)
    return lap


def _watch(lap: OverlapState, view: KernelState, out: Out) -> None:
    out.timer("turn.barge", lap.began + view.policy.barge_in.decide_by)


def _text(state: TurnState) -> str:
    return " ".join(h.text for h in state.heard.values())


def on_paused(state: TurnState, event: AutoPaused, view: KernelState, out: Out) -> None:
    speech = target(view, voice=True)
    if speech is None or speech.id != event.speech:
        return
    lap = state.overlap or _open(state, min(out.now, event.at) - view.policy.barge_in.pause_after, view, out)
    lap.verdict = ""
    if not state.vad:
        lap.ended = min(out.now, event.at)
        out.timer("turn.false", out.now + view.policy.barge_in.false_timeout)
    _judge(state, view, out)


def on_words(state: TurnState, before: str, final: bool, view: KernelState, out: Out) -> None:
    """``before``: the turn's text before these words. A final where no voice was and no partial came (recognisers write
    such under noise) is a turn, but it interrupts nobody."""
    heard = not final or state.vad or state.voiced or view.policy.turn.mode != "local"
    new = not same_words(before, _text(state))  # the final of words that were judged already is no second overlap
    if state.overlap is None and new and heard and target(view) is not None:
        lap = _open(state, out.now, view, out)
        lap.before = len(words_of(before))
        if not state.vad:
            lap.ended = out.now
            out.timer("turn.false", out.now + view.policy.barge_in.false_timeout)
    if state.overlap is not None:
        _judge(state, view, out)


def on_timer(state: TurnState, name: str, view: KernelState, out: Out) -> None:
    """``barge``: it is time to decide; ``false``: it has been quiet for long enough."""
    assert state.overlap is not None
    limits = (barge_in.wordless_limit(view.policy.barge_in), barge_in.WORDLESS_HOLD)
    later = [at for limit in limits if (at := state.overlap.began + limit) > out.now]
    if name == "barge" and state.vad and later:
        out.timer("turn.barge", min(later))
    _judge(state, view, out)


def _judge(state: TurnState, view: KernelState, out: Out) -> None:
    lap = state.overlap
    assert lap is not None
    text = " ".join(words_of(_text(state))[lap.before :])
    voiced = state.vad
    duration = (out.now if voiced else lap.ended) - lap.began
    quiet = 0.0 if voiced else out.now - lap.ended
    if not voiced and "turn.false" not in view.timers:
        quiet = max(quiet, view.policy.barge_in.false_timeout)
    if text != lap.text:
        lap.text, lap.worded = text, out.now
    speech = view.speech.on_air()
    heard = barge_in.Overlap(
        text, duration, voiced, quiet=quiet, continues=lap.continues, bursts=lap.bursts,
        burst=(out.now if voiced else max(lap.ended, lap.burst)) - lap.burst, words_ago=max(out.now - lap.worded, quiet),
        floor=ledger.heard_text(speech.segments, max(speech.position, speech.paused_at))[0] if speech else "",
    )  # fmt: skip
    verdict = barge_in.judge(view.policy.barge_in, heard)
    if verdict != "undecided" and verdict != lap.verdict:
        lap.verdict = verdict
        out.signal(Overlap(verdict, text, round(duration, 3)))
    if verdict == "backchannel":
        state.waved = _text(state)
    if verdict == "interruption" or (verdict in ("backchannel", "false") and not voiced):
        close(state, out)


def close(state: TurnState, out: Out) -> None:
    state.overlap = None
    out.cancel_timer("turn.barge")
    out.cancel_timer("turn.false")


def dismisses(state: TurnState, text: str, view: KernelState, out: Out) -> bool:
    """Whether what was said over the agent's voice is no turn; then the speech goes on."""
    speech = target(view)
    waved = same_words(state.waved, text)
    if speech is None or not (waved or barge_in.too_little(text, view.policy.barge_in)):
        return False
    if speech.remaining() < NEAR_END:
        return False
    if state.overlap is not None:
        out.signal(Overlap("backchannel", text, round(out.now - state.overlap.began, 3)))
        close(state, out)
    return True


def joining(last: Spoken | None, at: float, view: KernelState) -> Joining | None:
    """Whether words that begin at ``at`` go on with the last turn: its answer has not been heard, nothing was done."""
    if last is None:
        return None
    base = view.reply.answers(last.turn)
    if base is None and _in_hook(last.turn, view):
        return Joining(last.turn, last.item, last.text, last.started, "", last.ended)
    if base is None or view.tools.acted(base):
        return None
    speech = ""
    for one in view.speech.of(base):
        if one.began >= 0:
            if at - one.began > JOIN or speech:
                return None
            speech = one.id
    if not speech and view.speech.heard_of(base):
        return None
    return Joining(last.turn, last.item, last.text, last.started, speech, last.ended)


def _in_hook(turn: int, view: KernelState) -> bool:
    return any(ended.turn == turn for ended in view.agents.turns)


def still_joins(joins: Joining, view: KernelState) -> bool:
    """Whether, at the end of the words, no more than a word or two of the answer has been heard."""
    base = view.reply.answers(joins.turn)
    if base is not None and (view.tools.acted(base) or view.speech.sounding_of(base)):
        return False
    items = view.conversation.items
    at = next((n for n, item in enumerate(items) if item.id == joins.item), None)
    if at is None:  # the hook has it still, or let nothing come of it
        return _in_hook(joins.turn, view)
    return all(
        isinstance(item, Message) and item.role == "assistant" and len(words_of(item.text)) <= FEW_WORDS
        for item in items[at + 1 :]
    )


# --- silence of both ---------------------------------------------------------------------------------------------


def away(state: TurnState, view: KernelState, out: Out) -> None:
    """Begin to count the silence of both."""
    if view.policy.away_after > 0 and not state.vad and view.speech.on_air() is None:
        out.timer("turn.away", out.now + view.policy.away_after)


def on_air(state: TurnState, signal: OnAir, view: KernelState, out: Out) -> None:
    out.cancel_timer("turn.away")
    if state.overlap is None and state.vad and state.phase == "speaking" and target(view, voice=True) is not None:
        _open(state, out.now, view, out)


def on_settled(state: TurnState, signal: SpeechSettled, view: KernelState, out: Out) -> None:
    if view.speech.on_air() is None:
        if state.overlap is not None:
            close(state, out)
        away(state, view, out)


HANDLERS: dict[type, Any] = {
    AutoPaused: on_paused,
    OnAir: on_air,
    SpeechSettled: on_settled,
}
