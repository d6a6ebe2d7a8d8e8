"""Speech: what sounds, and what was heard of it. Owns the queue, the one speech on air, and its settling.

Theory. Each speech runs ``queued > authorised > on air > (paused) > settling > done``. The queue is ordered by priority,
FIFO inside one (``speech_order``); one speech is on air; it goes there when it is authorised, has audio, and no gate is set. Heard is
what the far end acknowledged: text reaches history once, when the speech has settled, cut at the word. Settling waits
``policy.settle`` for late acknowledgements, then what was acknowledged by then counts, marked as an estimate. Every
pause ends by itself, and a speech whose acknowledgements stop is stopped. The ladder may speak while the speech on
air has run out of audio.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from antiphon.kernel import facts as ft
from antiphon.kernel import floor, gates, ledger, speech_order
from antiphon.kernel.effects import Pause, Play, PlayCanned, Resume, SetReflex, Stop
from antiphon.kernel.events import AckQuality, Op, Priority
from antiphon.kernel.policy import SessionPolicy
from antiphon.kernel.signals import OnAir, SpeechSettled

if TYPE_CHECKING:
    from antiphon.kernel.out import Out
    from antiphon.kernel.state import KernelState

PAUSE_MAX = 3.5
"""Seconds after which a paused speech goes on, whoever paused it."""
GRACE = 0.1
"""Seconds more that the plane gets to say itself what was heard, after it has waited ``policy.settle``."""
STALL = 3.0
"""Seconds without progress of a speech that has audio, after which its playback is given up."""
OVERDUE = 0.5
"""Seconds after its last sample within which the plane should have said that a speech is over."""

STATES = ("queued", "authorised", "on_air", "paused", "settling", "done")
MOVES: dict[tuple[str, str], str] = {
    ("queued", "authorised"): "authorised",
    ("authorised", "play"): "on_air",
    ("on_air", "pause"): "paused",
    ("paused", "resume"): "on_air",
    **{(phase, "stop"): "settling" for phase in ("on_air", "paused")},
    **{(phase, "settled"): "done" for phase in ("on_air", "paused", "settling")},
    **{(phase, "dropped"): "done" for phase in ("queued", "authorised")},
}


class Speech(msgspec.Struct):
    """``began``: session time at which it went on air (-1: never). ``total``: samples in all (-1: not known yet).
    ``position``: heard so far; ``paused_at``: samples that were out when the reflex paused it. ``outcome``:
    how it will end if it is stopped. ``behind``: the steps whose words come before it. ``yielded``: paused for the ladder. ``question``: what holds for its answer.
    ``text``: what ``say`` was given."""

    id: str
    base: str
    source: str
    number: int
    priority: Priority = "reply"
    interruptible: bool = True
    in_history: bool = True
    phase: str = "queued"
    op: Op | None = None
    after: int = 0
    attempt: int = 0
    clip: str = ""
    floor: str = ""
    behind: tuple[str, ...] = ()
    segments: dict[int, ledger.Segment] = {}
    total: int = -1
    text_only: bool = False
    began: float = -1.0
    position: int = 0
    paused_at: int = 0
    acked_at: float = 0.0
    quality: AckQuality = "estimated"
    outcome: str = "heard"
    yielded: bool = False
    question: SessionPolicy | None = None
    text: str = ""

    @property
    def sounding(self) -> bool:
        return self.phase in ("on_air", "paused", "settling")

    def ready(self) -> bool:
        return bool(self.clip) or self.total >= 0 or any(s.samples > 0 for s in self.segments.values())

    def available(self) -> int:
        return max(self.total, ledger.available(self.segments))

    def remaining(self) -> float:
        """Seconds of audio left, as far as all of it is known; infinite otherwise."""
        if self.total < 0:
            return float("inf")
        return max(0, self.total - self.position) / ledger.RATE

    def sound_until(self) -> float:
        """Session time until which it has audio to sound, going by the last acknowledgement."""
        if self.clip and self.total < 0 and not self.segments:
            return max(self.began, self.acked_at) + STALL
        return self.acked_at + max(0, self.available() - self.position) / ledger.RATE

    def starving(self, now: float) -> bool:
        """Whether it is on air with nothing left to sound, and more is expected."""
        return self.phase == "on_air" and self.total < 0 and not self.clip and self.sound_until() <= now


class SpeechState(msgspec.Struct):
    """``speeches``: those not done, oldest first. ``current``: the one on air. ``heard``: bases of which something was
    heard while they are not done. ``last``: the speech that ended last."""

    speeches: dict[str, Speech] = {}
    made: int = 0
    current: str = ""
    gap_until: float = 0.0
    heard: dict[str, int] = {}
    armed: bool = False
    floor: floor.Floor = msgspec.field(default_factory=floor.Floor)
    unheard: str = ""
    """The newest reply of which words failed to sound."""
    last: ledger.Sounded | None = None
    open_bases: dict[str, str] = {}
    """Bases of which no ``speech_completed`` has been told, with the error to tell."""

    def on_air(self) -> Speech | None:
        """The speech that sounds or is paused."""
        speech = self.speeches.get(self.current)
        return speech if speech is not None and speech.phase in ("on_air", "paused") else None

    def of(self, base: str) -> list[Speech]:
        return [s for s in self.speeches.values() if s.base == base]

    def sounding_of(self, base: str) -> bool:
        return any(s.sounding for s in self.of(base))

    def heard_of(self, base: str) -> bool:
        return base in self.heard

    def sounded(self, speech: str) -> bool:
        one = self.speeches.get(speech)
        return one is None or one.began >= 0

    def ready(self, speech: str) -> bool:
        """Whether the queue is not kept waiting by it: it has audio that has not been heard yet."""
        one = self.speeches.get(speech)
        return one is None or (one.ready() and (one.began < 0 or one.position < one.available()))

    def by_op(self, op: Op) -> Speech | None:
        return next((s for s in self.speeches.values() if s.op == op), None)


def move(speech: Speech, cause: str) -> bool:
    phase = MOVES.get((speech.phase, cause))
    if phase is None:
        return False
    speech.phase = phase
    return True


# --- the queue ---------------------------------------------------------------------------------------------------


def pick(state: SpeechState, view: KernelState, out: Out) -> None:
    """Put the next speech on air, if its time has come."""
    current = state.speeches.get(state.current)
    if current is not None and current.sounding and not current.starving(out.now):
        return
    speech = speech_order.first(state, view)
    if speech is None or not speech.ready() or gates.SPEECH & view.gates.keys():
        return
    if current is not None and current.sounding:
        if speech.priority != "ladder":
            return
        _yield(current, out)
    if speech.priority != "ladder":
        if speech.interruptible and gates.FLOOR in view.gates:
            return
        if speech.interruptible and speech.source == "reply" and view.agents.turns:
            return  # a newer turn is in its hook: what was an answer may not be one any more
        if out.now < state.gap_until:
            out.timer("speech.gap", state.gap_until)
            return
    _play(state, speech, view, out)


def _yield(speech: Speech, out: Out) -> None:
    move(speech, "pause")
    speech.yielded = True
    out.effect(Pause(speech=speech.id))
    out.timer(f"speech.hold:{speech.id}", out.now + 2 * PAUSE_MAX)


def _play(state: SpeechState, speech: Speech, view: KernelState, out: Out) -> None:
    move(speech, "play")
    state.current = speech.id
    speech.began = speech.acked_at = out.now
    if speech.clip:
        out.effect(PlayCanned(speech=speech.id, key=speech.clip, op=speech.op or (0, 0)))
    else:
        out.effect(Play(speech=speech.id, interruptible=speech.interruptible, after=speech.after))
    out.signal(OnAir(speech.id, speech.source, speech.question))
    reflex(state, view, out)
    if speech.text_only:
        speech.position, speech.quality = speech.total, "device"
        finish(state, speech, False, view, out)
    else:
        out.timer(f"speech.watch:{speech.id}", out.now + STALL)


def reflex(state: SpeechState, view: KernelState, out: Out) -> None:
    """Arm the plane's reflex for the speech on air as the policy says."""
    speech = state.on_air()
    armed = bool(speech and speech.interruptible and view.policy.barge_in.enabled and gates.ECHO not in view.gates)
    if armed != state.armed:
        state.armed = armed
        out.effect(SetReflex(armed=armed))


# --- stopping and settling ---------------------------------------------------------------------------------------


def resume(speech: Speech, at: int, view: KernelState, out: Out) -> bool:
    """On hold nothing goes on: what is on air does when the hold is over."""
    if gates.HOLD in view.gates or not move(speech, "resume"):
        return False
    speech.yielded = False
    speech.position = max(speech.position, speech.paused_at)  # what was out has been heard by now
    speech.acked_at = out.now
    out.cancel_timer(f"speech.hold:{speech.id}")
    over = 0 <= speech.total <= speech.position
    out.timer(f"speech.watch:{speech.id}", out.now + (OVERDUE if over else STALL))
    out.effect(Resume(speech=speech.id, at=at))
    return True


def stop(state: SpeechState, speech: Speech, outcome: str, view: KernelState, out: Out) -> None:
    """It shall not sound (any more): settle what was heard of it, drop it where nothing was."""
    if move(speech, "stop"):
        speech.outcome = outcome
        out.effect(Stop(speech=speech.id))
        out.cancel_timer(f"speech.hold:{speech.id}")
        out.cancel_timer(f"speech.watch:{speech.id}")
        out.timer(f"speech.settle:{speech.id}", out.now + view.policy.settle + GRACE)
    elif move(speech, "dropped"):
        if speech.ready() or speech.segments:
            out.effect(Stop(speech=speech.id))
        _close(state, speech, outcome, view, out)


def finish(state: SpeechState, speech: Speech, estimated: bool, view: KernelState, out: Out) -> None:
    """Playback is over: what was heard becomes history."""
    move(speech, "settled")
    state.last = ledger.Sounded(speech.segments, speech.position, out.now)
    text, guess = ledger.heard_text(speech.segments, speech.position)
    if speech.text_only:
        text, guess = ledger.full_text(speech.segments), False
    if text:
        complete = text == ledger.full_text(speech.segments)
        state.heard[speech.base] = state.heard.get(speech.base, 0) + 1
        out.fact(
            ft.SpeechHeard(
                at=out.now,
                speech=speech.id,
                item=speech.id,
                text=text,
                samples=speech.position,
                quality="estimated" if estimated else speech.quality,
                estimated=estimated or guess,
                interrupted=speech.outcome == "interrupted" or (speech.outcome != "heard" and not complete),
                order=speech.began,
                in_history=speech.in_history,
            )
        )
    elif speech.outcome == "heard" and speech.position <= 0 and not speech.text_only:
        speech.outcome = "failed"
    _close(state, speech, speech.outcome, view, out)


def _close(state: SpeechState, speech: Speech, outcome: str, view: KernelState, out: Out) -> None:
    out.fact(ft.SpeechDone(at=out.now, speech=speech.id, outcome=outcome))
    for timer in ("hold", "watch", "settle"):
        out.cancel_timer(f"speech.{timer}:{speech.id}")
    if speech.source != "reply":
        out.close(speech.op)
    elif outcome == "failed" and speech.segments:
        state.unheard = speech.id
    del state.speeches[speech.id]
    if state.current == speech.id:
        state.current = ""
        state.gap_until = out.now + view.policy.speech_gap
        yielded = next((s for s in state.speeches.values() if s.yielded), None)
        if yielded is not None:
            state.current = yielded.id
            resume(yielded, yielded.position, view, out)
    out.signal(SpeechSettled(speech.id, speech.base, outcome, speech.source, speech.position))
    reflex(state, view, out)
