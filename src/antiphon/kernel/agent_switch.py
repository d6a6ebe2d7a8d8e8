"""Agents, second part: entering, leaving, and the end.

A switch is begun once: what asks for another one meanwhile is heard when it is over.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from antiphon.kernel import facts as ft
from antiphon.kernel import gates
from antiphon.kernel.agents import (
    NOBODY,
    AgentsState,
    Next,
    becomes,
    call,
    end_tasks,
    forget,
    move,
    next_turn,
    unwish,
)
from antiphon.kernel.effects import AbandonHook
from antiphon.kernel.events import AgentAsked, Start
from antiphon.kernel.signals import Closing, Ending, ExitDone, HandoffAsked, HandoffDone, TurnDropped

if TYPE_CHECKING:
    from antiphon.kernel.out import Out
    from antiphon.kernel.state import KernelState


def on_start(state: AgentsState, event: Start, view: KernelState, out: Out) -> None:
    out.fact(ft.SessionStarted(at=out.now, agent=event.agent.key))
    move(state, "Start")
    _enter(state, Next(event.agent, NOBODY), view, out)


def _enter(state: AgentsState, to: Next, view: KernelState, out: Out) -> None:
    previous = state.current.key if state.current is not None else ""
    state.to = None
    becomes(state, to.agent, previous, view, out)
    if to.agent.has_on_enter:
        call(state, "on_enter", view, out, base=to.base)
    elif to.base != NOBODY:
        out.signal(HandoffDone(to.base, spoke=False))
    if state.then is not None:
        asked, state.then = state.then, None
        _leave(state, asked, view, out)
    next_turn(state, view, out)


def on_handoff(state: AgentsState, signal: HandoffAsked, view: KernelState, out: Out) -> None:
    _leave(state, Next(signal.agent, signal.base), view, out)


def on_agent_asked(state: AgentsState, event: AgentAsked, view: KernelState, out: Out) -> None:
    _leave(state, Next(event.agent), view, out)


def _leave(state: AgentsState, to: Next, view: KernelState, out: Out) -> None:
    if state.phase == "leaving":
        state.then = to
        return
    interrupted = end_tasks(state, 0, "cancelled", view, out)
    if interrupted is not None and interrupted.to is not None:
        state.then = to
        resume_leaving(state, interrupted.to, view, out)
        return
    if not move(state, "HandoffAsked"):
        return
    assert state.current is not None
    state.to = to
    if state.current.has_on_exit:
        _hold_turns(view, out)
        call(state, "on_exit", view, out)
    else:
        left(state, view, out)


def resume_leaving(state: AgentsState, to: Next, view: KernelState, out: Out) -> None:
    """The sub-dialogue that ``on_exit`` awaited is over: it goes on leaving."""
    move(state, "HandoffAsked")
    state.to = to
    if any(hook.name == "on_exit" and hook.awaited for hook in state.hooks.values()):
        _hold_turns(view, out)
    else:
        left(state, view, out)


def _hold_turns(view: KernelState, out: Out) -> None:
    out.gate(gates.SWITCHING, "agents", out.now + view.policy.hook_hard + 1.0)


def left(state: AgentsState, view: KernelState, out: Out) -> None:
    move(state, "left")
    assert state.to is not None
    out.ungate(gates.SWITCHING)
    _enter(state, state.to, view, out)


def on_closing(state: AgentsState, signal: Closing, view: KernelState, out: Out) -> None:
    end_tasks(state, 0, "closed", view, out)
    for wish in state.wishes:
        unwish(state, wish, "closed", view, out)
    state.wishes = []
    here = state.phase == "here"
    move(state, "Closing")
    state.to = state.then = None
    out.ungate(gates.SWITCHING)
    for hook in list(state.hooks.values()):
        if hook.name == "on_exit" and hook.awaited:
            here = False
            continue  # it was leaving anyway: one exit is enough
        out.effect(AbandonHook(op=hook.op))
        forget(state, hook, out)
    for ended in state.turns:
        out.fact(ft.TurnDropped(at=out.now, turn=ended.turn, text=ended.text, reason="closing"))
        for ask in ended.asks:
            out.notify("turn_committed", ask=ask, turn=0, text="")
        out.signal(TurnDropped(ended.turn, "closing"))
    state.turns = []
    state.in_hook = 0
    if here and state.current is not None and state.current.has_on_exit:
        call(state, "on_exit", view, out)
    elif not state.hooks:
        out.signal(ExitDone())


def on_ending(state: AgentsState, signal: Ending, view: KernelState, out: Out) -> None:
    for hook in list(state.hooks.values()):
        out.effect(AbandonHook(op=hook.op))
        forget(state, hook, out)


HANDLERS: dict[type, Any] = {
    Start: on_start,
    HandoffAsked: on_handoff,
    AgentAsked: on_agent_asked,
    Closing: on_closing,
    Ending: on_ending,
}
