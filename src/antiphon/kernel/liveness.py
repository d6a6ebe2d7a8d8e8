"""Liveness: it is always somebody's move, and the caller is never left in silence while it is not theirs (K1).

Theory. After every cause this machine looks at the others: whose move is it, what does everybody wait for, until when
is there sound. While it is not the caller's move and nothing sounds, a clock runs, and the ladder's rungs come due on
it: filler; failover where a model is waited for; giving that model up with an apology; the end. Between the rungs no
silence is longer than ``max_silence``. Real speech resets the clock, the ladder's own clips do not. A tool or a hook
has a deadline of its own: it gets fillers only.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from antiphon.kernel import facts as ft
from antiphon.kernel import gates
from antiphon.kernel.listening import CLIP
from antiphon.kernel.reply import below
from antiphon.kernel.signals import EndAsked, ReplyLost, ReplyQueued, Review, Rung, SpeechSettled, Timer, Unheard

if TYPE_CHECKING:
    from antiphon.kernel.out import Out
    from antiphon.kernel.state import KernelState

MARGIN = 0.3
"""Seconds before ``max_silence`` at which a clip is asked for, so that it sounds in time."""

STATES = ("quiet", "waiting", "sounding", "listening")
RUNGS = ("filler", "failover", "apology", "end")


class LivenessState(msgspec.Struct):
    """``began``: when the wait began (-1: nobody waits). ``quiet``: since when nothing sounds, or until when something
    will. ``floor``: since when the caller speaks into the wait (-1: not). ``on_air``: the speech that counts as sound, and
    ``before``: what ``quiet``, ``began`` and ``rung`` were without it."""

    began: float = -1.0
    quiet: float = 0.0
    floor: float = -1.0
    rung: int = 0
    on_air: str = ""
    before: tuple[float, float, int] = (0.0, -1.0, 0)
    reason: str = ""
    clips: int = 0
    agent_state: str = "initializing"
    idle: bool = False


# --- whose move --------------------------------------------------------------------------------------------------


def whose_move(state: KernelState) -> tuple[str, float, str]:
    """(owner, deadline in session seconds, reason). Owners: application, caller, turn, agent, tool, closing. The
    caller may take any time: infinity where no clock runs on them."""
    phase, timers = state.lifecycle.phase, state.timers
    if phase == "new":
        return "application", inf, "not started"
    if phase in ("leaving", "closing", "ended"):
        return "closing", state.lifecycle.deadline, phase
    for gate, reason in ((gates.LEGS, "no leg"), (gates.HOLD, "on hold")):
        if gate in state.gates:
            return "caller", state.gates[gate].expires, reason
    if callers_voice(state):
        return "caller", state.gates[gates.FLOOR].expires, "speaking"
    waiting = waits_for(state)
    if waiting is not None:
        return waiting
    if state.turn.phase == "pause":
        due = min(timers.get("turn.delay", inf), timers.get("turn.final", inf))
        if due < inf:
            return "turn", due, "deciding"
    if phase == "draining":
        return "closing", state.lifecycle.deadline, "draining"
    return "caller", timers.get("turn.away", inf), "listening"


def at_rest(state: KernelState) -> bool:
    """Whether nothing is under way: it is the caller's move, and the caller is silent."""
    return whose_move(state)[0] == "caller" and state.turn.phase == "idle" and not state.turn.vad


def callers_voice(state: KernelState) -> bool:
    return (state.turn.vad or state.turn.phase == "speaking") and gates.FLOOR in state.gates


def waits_for(state: KernelState) -> tuple[str, float, str] | None:
    """Who has to act before the caller has to, if anybody: (owner, deadline, reason)."""
    timers = state.timers
    for hook in state.agents.hooks.values():
        if hook.awaited and not hook.spoke and not hook.tasks:
            return "agent", timers.get(f"agents.hook:{hook.op[1]}", inf), f"hook {hook.name}"
    clip: tuple[str, float, str] | None = None
    for speech in state.speech.speeches.values():
        if speech.starving(state.now):
            return "agent", _rung_at(state), "model"
        if speech.sounding and not speech.clip.startswith(CLIP):
            until = [timers[t] for t in _timers_of(speech.id) if t in timers]
            clip = ("agent", min(until, default=state.now), "speech")
            if speech.source != "ladder":
                return clip
    for run in state.tools.runs.values():
        if run.tasks or state.agents.below(run.by):
            continue
        if (run.phase in ("running", "joined") and run.logged) or run.phase == "waiting":
            return "tool", timers.get(f"tools.deadline:{run.number}", inf), f"tool {run.name}"
    for reply in state.reply.replies.values():
        if reply.phase not in ("speculating", "saying", "held") and not below(reply, state):
            return "agent", _rung_at(state), "model"
    for speech in state.speech.speeches.values():
        if speech.phase == "authorised":
            return "agent", _rung_at(state), "speech queued" if speech.ready() else "model"
    if state.agents.turns:
        return (
            "agent",
            state.gates[gates.SWITCHING].expires if gates.SWITCHING in state.gates else state.now,
            "hand-off",
        )
    return None


def _timers_of(speech: str) -> tuple[str, str, str]:
    return f"speech.watch:{speech}", f"speech.hold:{speech}", f"speech.settle:{speech}"


def _rung_at(state: KernelState) -> float:
    return state.timers.get("liveness.rung", state.now + state.policy.ladder.max_silence)


# --- the clock ---------------------------------------------------------------------------------------------------


def on_review(state: LivenessState, signal: Review, view: KernelState, out: Out) -> None:
    open_ = view.lifecycle.phase in ("running", "draining")
    waiting = waits_for(view) if open_ else None
    speech = view.speech.on_air() if open_ else None
    if speech is not None and speech.clip.startswith(CLIP):
        speech = None  # who only says "mhm" still listens
    _tell(state, waiting is not None, speech is not None and speech.phase == "on_air", view, out)
    if waiting is None or gates.LEGS in view.gates or gates.HOLD in view.gates:
        state.began = state.floor = -1.0
        state.reason = ""
        out.cancel_timer("liveness.rung")
        return
    if state.began < 0:
        state.began = state.quiet = out.now
        state.rung = 0
    if waiting[2] != state.reason:
        if waiting[2] == "model" and state.reason.startswith(
            ("tool", "hook", "hand-off")
        ):  # a model has its own time, however long a tool or a hook took before it
            state.began, state.rung = max(state.began, out.now), min(state.rung, 1)
        state.reason = waiting[2]
    if speech is not None and speech.phase == "on_air":
        if state.on_air != speech.id:
            state.on_air, state.before = speech.id, (min(state.quiet, out.now), state.began, state.rung)
        until = speech.sound_until()
        state.quiet = max(state.quiet, until)
        if speech.source != "ladder" and until > state.began:
            state.began = until
            state.rung = 0
    else:
        state.quiet, state.began = min(state.quiet, out.now), min(state.began, out.now)
    if callers_voice(view):
        if state.floor < 0:
            state.floor = out.now
            out.cancel_timer("liveness.rung")
        return
    if state.floor >= 0:
        state.began += out.now - state.floor
        state.quiet = max(state.quiet, out.now)
        state.floor = -1.0
    due = _due(state, waiting[2], view)
    if view.timers.get("liveness.rung") != due:
        out.timer("liveness.rung", due)


def on_settled(state: LivenessState, signal: SpeechSettled, view: KernelState, out: Out) -> None:
    """Nothing sounds longer than it did; what was stopped before it sounded has ended no silence."""
    if signal.speech == state.on_air:
        state.on_air = ""
        state.quiet, state.began = min(state.quiet, out.now), min(state.began, out.now)
        if signal.position <= 0 and signal.outcome != "failed":
            state.quiet, state.began, state.rung = state.before


def _rung_time(rung: int, reason: str, view: KernelState) -> float:
    """Seconds on the clock at which the next rung is due."""
    ladder = view.policy.ladder
    if rung == 0:
        soft = view.policy.hook_soft if reason.startswith("hook") else ladder.filler
        return min(ladder.filler, soft)
    if reason != "model" or rung >= len(RUNGS):
        return inf
    return (ladder.filler, ladder.failover, ladder.apology, ladder.end)[rung]


def _due(state: LivenessState, reason: str, view: KernelState) -> float:
    silence = max(0.5, view.policy.ladder.max_silence - MARGIN)
    return min(state.began + _rung_time(state.rung, reason, view), state.quiet + silence)


def on_timer(state: LivenessState, timer: Timer, view: KernelState, out: Out) -> None:
    waiting = waits_for(view)
    assert waiting is not None
    _, _, reason = waiting
    action = "filler"
    if out.now >= state.began + _rung_time(state.rung, reason, view):
        action = RUNGS[state.rung]
        state.rung += 1
        out.fact(ft.LadderRung(at=out.now, n=state.rung, action=action, waiting_for=reason))
    if action == "filler":
        before = (state.quiet, state.began, state.rung)
        state.quiet = out.now
        if clip(state, "filler", view, out):
            state.on_air, state.before = f"ladder.{view.epoch}.{state.clips}", before
    elif action == "failover":
        out.signal(Rung("failover", reason))
    elif action == "apology":
        out.signal(Rung("give_up", reason))
    else:
        clip(state, "goodbye", view, out)
        out.signal(EndAsked("error"))


def clip(state: LivenessState, key: Literal["filler", "apology", "goodbye"], view: KernelState, out: Out) -> bool:
    """Queue a clip, unless nobody is there or a filler waits already. Who reads instead of listening needs no fillers."""
    sound = any(leg.medium == "audio" for leg in view.legs.legs.values())
    if not view.legs.legs or (key == "filler" and not sound):
        return False
    if key == "filler" and any(s.source == "ladder" for s in view.speech.speeches.values()):
        return False
    state.clips += 1
    speech = f"ladder.{view.epoch}.{state.clips}"
    out.signal(
        ReplyQueued(
            speech, speech, "ladder", out.op("clip"), priority="ladder", interruptible=key == "filler", clip=key,
            floor=gates.FREE,
        )
    )  # fmt: skip
    return True


def on_lost(state: LivenessState, signal: ReplyLost, view: KernelState, out: Out) -> None:
    """Say that it failed; too often in a row, and the session ends."""
    if view.lifecycle.phase not in ("running", "draining"):
        return
    last = view.reply.errors > view.policy.max_model_errors
    action: Literal["goodbye", "apology"] = "goodbye" if last else "apology"
    out.fact(ft.LadderRung(at=out.now, n=4 if last else 3, action=action, waiting_for=signal.stage))
    clip(state, action, view, out)
    if last:
        out.signal(EndAsked("error"))


def on_unheard(state: LivenessState, signal: Unheard, view: KernelState, out: Out) -> None:
    """The recogniser gave nothing for what was surely said: ask again, rather than wait for the caller to do so."""
    if view.lifecycle.phase == "running":
        out.fact(ft.LadderRung(at=out.now, n=3, action="apology", waiting_for="stt"))
        clip(state, "apology", view, out)


# --- what the application sees -----------------------------------------------------------------------------------


def _tell(state: LivenessState, waiting: bool, sounding: bool, view: KernelState, out: Out) -> None:
    if view.lifecycle.phase in ("new", "ended"):
        return
    if sounding:
        now = "speaking"
    elif waiting:
        now = "thinking"
    else:
        now = "idle" if view.turn.user_state == "away" else "listening"
    if now != state.agent_state:
        out.notify("agent_state_changed", old=state.agent_state, new=now)
        state.agent_state = now
    idle = not waiting and view.turn.phase == "idle"
    if idle != state.idle:
        state.idle = idle
        out.notify("idle", idle=idle)


HANDLERS: dict[type, Any] = {
    Review: on_review,
    Timer: on_timer,
    ReplyLost: on_lost,
    SpeechSettled: on_settled,
    Unheard: on_unheard,
}
