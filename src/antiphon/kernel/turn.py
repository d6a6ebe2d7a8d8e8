"""Turn: hears the caller out. Owns what was said since the last turn ended, and when that was a turn.

Theory. Evidence is voice activity (with sample times) and transcripts (segments with revisions); both may come late,
twice, or not at all, and each alone must resolve within ``ALONE`` seconds. A pause is the end of the turn when
``turns.endpointing``'s delay has passed since the last speech sample and a final transcript is there (or none is
due); a final later than that ends it at once; without one the last partial must do. ``turn.overlap`` says what the
voice means while the agent speaks. What ended goes to the agent's hook (``agents``) and comes back as ``TurnReady``:
only then is it part of the conversation. Words that follow before the answer began to sound join the same turn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from antiphon.kernel import gates, overlap
from antiphon.kernel.events import (
    Op,
)
from antiphon.kernel.question import Question
from antiphon.turns import endpointing
from antiphon.turns.expectation import OPEN, Expectation

if TYPE_CHECKING:
    from antiphon.kernel.out import Out
    from antiphon.kernel.state import KernelState

ALONE = 1.4
"""Seconds after which voice without text, or text without voice, is resolved."""
SPEECH = 1.0
"""Seconds of voice from which it was more than a noise, even where no text came."""
FLOOR = 6.0
"""Seconds without new evidence after which a voice no longer keeps the agent back."""
GOES_ON = 0.25
"""Seconds of voice from which it is no click but the caller going on."""
PRE_ROLL = 0.5
"""Seconds before its voice was noticed at which a turn may have begun."""
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
    """``at``: up to which sample time a final covers the caller's sound."""

    text: str
    final: bool
    revision: int
    confidence: float = 1.0
    language: str = ""
    at: float = 0.0
    speaker: str = ""


class Spoken(msgspec.Struct):
    """The last turn that ended, for words that follow it."""

    turn: int
    item: str
    text: str
    started: float
    ended: float = 0.0


class TurnState(msgspec.Struct):
    """``due``: voice was heard that no final transcript covers yet. ``waiting``: the delay is over, the final is not
    there. ``used``: words per segment that went into earlier turns. ``waved``: words that were ruled a backchannel.
    ``nods``: the agent's own backchannels so far, the last at ``nodded``.
    ``asked``: scores asked for in this pause, the last of them when the silence had lasted ``asked_at`` s;
    ``scored_at``: the same for the score that is there. ``usual_pause``, ``reading_pause``: of this caller inside turns,
    and while they read something out. ``expects``: what the caller was asked for when the turn began. ``question``:
    settings that hold for the answer."""

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
    asked: int = 0
    asked_at: float = 0.0
    scored_at: float = 0.0
    usual_pause: float = 0.0
    reading_pause: float = 0.0
    expects: Expectation = OPEN
    question: Question | None = None
    speculated: list[str] = []
    exceeded: bool = False
    asks: list[str] = []
    ask_reply: bool = True
    last: Spoken | None = None
    joins: overlap.Joining | None = None
    overlap: overlap.OverlapState | None = None
    waved: str = ""
    nods: int = 0
    nodded: float = 0.0
    user_state: str = "listening"

    def going_on(self, now: float) -> bool:
        """Whether the caller says something beyond the turns that have ended: words, or more voice than a click."""
        if self.phase == "idle":
            return False
        until = now if self.phase == "speaking" else self.last_speech
        return any(h.text for h in self.heard.values()) or (self.voiced and until >= self.stretch + GOES_ON)


def text_of(state: TurnState) -> str:
    return " ".join(" ".join(h.text for h in state.heard.values()).split())


def unheard_since(state: TurnState, known: float) -> float:
    """Sample time from which on it is not sure that the caller's sound was heard: behind the finals of the turn that is open;
    where none is, behind ``known``, the last that is known of anything."""
    if state.phase == "idle":
        return known
    before = state.last.ended if state.last is not None else 0.0
    finals = [heard.at for heard in state.heard.values() if heard.final]
    return max(before, *finals, 0.0) if finals else max(before, state.started - PRE_ROLL)


def speaker_of(state: TurnState) -> str:
    """Who said most of the words; nobody where that is not known."""
    words: dict[str, int] = {}
    for heard in state.heard.values():
        words[heard.speaker] = words.get(heard.speaker, 0) + len(heard.text.split())
    return max(words, key=lambda who: words[who], default="")


def whole_text(state: TurnState) -> str:
    """With the words of the turn that it goes on with."""
    text = text_of(state)
    return f"{state.joins.text} {text}".strip() if state.joins else text


def evidence(state: TurnState, view: KernelState) -> endpointing.Evidence:
    """What is known at this pause."""
    language = next((h.language for h in state.heard.values() if h.language), view.policy.turn.language)
    known = endpointing.Evidence(
        text=whole_text(state), score=state.score, scored_at=state.scored_at, expects=state.expects, language=language
    )
    reads = endpointing.reads_out(known)
    return msgspec.structs.replace(known, usual_pause=state.reading_pause if reads else state.usual_pause)


def learn(state: TurnState, pause: float, view: KernelState) -> None:
    """The caller went on after ``pause`` s of silence."""
    if endpointing.reads_out(evidence(state, view)):
        state.reading_pause = endpointing.learn_pause(state.reading_pause, pause)
    else:
        state.usual_pause = endpointing.learn_pause(state.usual_pause, pause)


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


def missing(state: TurnState) -> bool:
    return state.due or any(h.text and not h.final for h in state.heard.values())


def floor(out: Out, seconds: float) -> None:
    out.gate(gates.FLOOR, "turn", out.now + seconds)
