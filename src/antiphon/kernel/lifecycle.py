"""Lifecycle: from start to end. Owns the phase of the session and the deadline of its close.

Theory. ``close`` is out of band: it never waits behind speech, models or tools. A drain first lets what is queued be
said, for a bounded time. Closing: everybody lets go, the agent leaves (``on_exit``), then ``CloseAll``; each part has
its share of the deadline, and when that is over the session has ended, whatever has not answered. A fenced session
falls silent and ends without another fact. Behind the end come only the results of writes that went on without it.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

import msgspec

from antiphon.kernel import facts as ft
from antiphon.kernel.effects import Cancel, CloseAll, Ended, Stop
from antiphon.kernel.events import (
    AgentAsked,
    CloseAsked,
    Closed,
    CommitTurn,
    Drain,
    DtmfAsked,
    Event,
    Fenced,
    Final,
    FloorAsked,
    LegDown,
    LegHeld,
    LegUp,
    MediaConfirmed,
    Op,
    Partial,
    PolicyChanged,
    ProviderTurn,
    ReplyAsked,
    Resumed,
    SayAsked,
    Start,
    Tick,
    ToolReturned,
    Typed,
    Vad,
)
from antiphon.kernel.reply import below
from antiphon.kernel.signals import Closing, EndAsked, Ending, ExitDone, PartyGone, Review, Timer

if TYPE_CHECKING:
    from antiphon.kernel.out import Out
    from antiphon.kernel.state import KernelState

DRAIN_MAX = 30.0
"""Seconds for which a drain waits for what is being said and done."""

STATES = ("new", "running", "draining", "leaving", "closing", "ended")
MOVES: dict[tuple[str, str], str] = {
    ("new", "Start"): "running",
    ("new", "CloseAsked"): "leaving",
    ("running", "Drain"): "draining",
    ("running", "CloseAsked"): "leaving",
    ("draining", "CloseAsked"): "leaving",
    ("draining", "drained"): "leaving",
    ("leaving", "left"): "closing",
    ("closing", "Closed"): "ended",
    **{(phase, "Fenced"): "ended" for phase in ("new", "running", "draining", "leaving", "closing")},
}

BEFORE = (Start, Resumed, LegUp, LegDown, LegHeld, MediaConfirmed, PolicyChanged, CloseAsked, Drain, Fenced, Tick)
"""Events that mean something before the start."""
BEGIN = (Typed, CommitTurn, AgentAsked)
"""Events that begin something: refused while the session drains."""
CALLS = (*BEGIN, SayAsked, ReplyAsked, FloorAsked, DtmfAsked, Vad, Partial, Final, ProviderTurn)
"""Events that mean nothing any more while it closes."""


class LifecycleState(msgspec.Struct):
    phase: str = "new"
    reason: str = ""
    deadline: float = -1.0
    op: Op | None = None
    exited: bool = False


def move(state: LifecycleState, cause: str) -> bool:
    phase = MOVES.get((state.phase, cause))
    if phase is None:
        return False
    state.phase = phase
    return True


def admits(state: LifecycleState, event: Event) -> bool:
    """Whether ``event`` means anything in this phase."""
    phase = state.phase
    if phase == "running":
        return not isinstance(event, Start)
    if phase == "new":
        return isinstance(event, BEFORE)
    if phase == "ended":
        return isinstance(event, ToolReturned) and state.reason != "fenced"
    if isinstance(event, Start):
        return False
    if phase == "draining":
        return not isinstance(event, BEGIN)
    return not isinstance(event, CALLS)


def on_start(state: LifecycleState, event: Start, view: KernelState, out: Out) -> None:
    move(state, "Start")


def on_drain(state: LifecycleState, event: Drain | EndAsked, view: KernelState, out: Out) -> None:
    if state.phase == "new":
        _leave(state, "CloseAsked", event.reason, 0.0, view, out)
    elif move(state, "Drain"):
        state.reason = event.reason
        state.deadline = out.now + DRAIN_MAX + view.policy.close_deadline
        out.timer("lifecycle.drain", out.now + DRAIN_MAX)


def on_close(state: LifecycleState, event: CloseAsked, view: KernelState, out: Out) -> None:
    _leave(state, "CloseAsked", event.reason, event.deadline, view, out)


def on_gone(state: LifecycleState, signal: PartyGone, view: KernelState, out: Out) -> None:
    _leave(state, "CloseAsked", signal.reason, 0.0, view, out)


def _leave(state: LifecycleState, cause: str, reason: str, seconds: float, view: KernelState, out: Out) -> None:
    if not move(state, cause):
        return
    state.reason = reason
    state.deadline = out.now + (seconds if seconds > 0 else view.policy.close_deadline)
    out.cancel_timer("lifecycle.drain")
    out.timer("lifecycle.left", out.now + (state.deadline - out.now) * 0.5)
    out.signal(Closing(reason, state.deadline))


def on_exit_done(state: LifecycleState, signal: ExitDone, view: KernelState, out: Out) -> None:
    state.exited = True


def on_review(state: LifecycleState, signal: Review, view: KernelState, out: Out) -> None:
    if state.phase == "draining" and not _busy(view):
        _leave(state, "drained", state.reason, 0.0, view, out)
    elif state.phase == "leaving" and state.exited and not view.speech.speeches:
        _close(state, out)


def _busy(view: KernelState) -> bool:
    return bool(
        view.speech.speeches or view.agents.turns or view.tools.busy(view)
        or any(not below(reply, view) for reply in view.reply.replies.values())
        or any(hook.awaited and not hook.tasks for hook in view.agents.hooks.values())
    )  # fmt: skip


def _close(state: LifecycleState, out: Out) -> None:
    move(state, "left")
    out.cancel_timer("lifecycle.left")
    out.signal(Ending(state.deadline))
    state.op = out.op("close")
    out.effect(CloseAll(op=state.op, deadline=state.deadline))
    out.timer("lifecycle.deadline", state.deadline)


def on_timer(state: LifecycleState, timer: Timer, view: KernelState, out: Out) -> None:
    if timer.name == "drain":
        _leave(state, "drained", state.reason, 0.0, view, out)
    elif timer.name == "left":
        _close(state, out)
    else:
        _end(state, (), view, out)


def on_closed(state: LifecycleState, event: Closed, view: KernelState, out: Out) -> None:
    _end(state, event.abandoned, view, out)


def _end(state: LifecycleState, abandoned: tuple[str, ...], view: KernelState, out: Out) -> None:
    move(state, "Closed")
    out.fact(ft.SessionEnded(at=out.now, reason=state.reason))
    out.notify("close", reason=state.reason, abandoned=list(abandoned))
    _forget_all(view, out, keep=view.tools.detached())
    out.effect(Ended(reason=state.reason))


def on_fenced(state: LifecycleState, event: Fenced, view: KernelState, out: Out) -> None:
    move(state, "Fenced")
    state.reason = "fenced"
    for speech in view.speech.speeches.values():
        out.effect(Stop(speech=speech.id))
    for number in view.ops:
        out.effect(Cancel(op=(view.epoch, number)))
    _forget_all(view, out)
    out.effect(Ended(reason="fenced"))


def _forget_all(view: KernelState, out: Out, keep: Collection[Op] = ()) -> None:
    for op in list(view.ops):
        if (view.epoch, op) not in keep:
            out.close((view.epoch, op))
    for timer in list(view.timers):
        out.cancel_timer(timer)
    view.gates.clear()


def on_resumed(state: LifecycleState, event: Resumed, view: KernelState, out: Out) -> None:
    if event.agent is not None:
        move(state, "Start")
    elif state.phase == "closing":
        state.op = out.op("close")
        out.effect(CloseAll(op=state.op, deadline=state.deadline))


HANDLERS: dict[type, Any] = {
    Start: on_start,
    Drain: on_drain,
    EndAsked: on_drain,
    CloseAsked: on_close,
    PartyGone: on_gone,
    ExitDone: on_exit_done,
    Timer: on_timer,
    Closed: on_closed,
    Fenced: on_fenced,
    Review: on_review,
    Resumed: on_resumed,
}
