"""Agents, second part: entering, leaving, and the end.

Theory. A switch is begun once: who asks for another while one is under way, or asked for and waiting for its batch of
tools, is refused and told so. So is an agent that does not speak any more, and whoever would switch for ever without the
caller. An agent that spoke before goes on as it was left: it is not greeted in again unless the terms say so.
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
from antiphon.kernel.signals import Closing, Ending, ExitDone, HandoffAsked, HandoffDone, OpeningAsked, TurnDropped

if TYPE_CHECKING:
    from antiphon.kernel.out import Out
    from antiphon.kernel.state import KernelState

ALREADY = "Not handed over: the conversation goes to {} already."
GONE = "Not handed over: the conversation went to {} meanwhile."
TOO_MANY = (
    "Not handed over: the conversation has been passed on too often without a word of the caller's. Answer yourself, or ask "
    "the caller what they need."
)


def on_start(state: AgentsState, event: Start, view: KernelState, out: Out) -> None:
    out.fact(ft.SessionStarted(at=out.now, agent=event.agent.key))
    move(state, "Start")
    _enter(state, Next(event.agent, NOBODY), view, out)


def _enter(state: AgentsState, to: Next, view: KernelState, out: Out) -> None:
    previous = state.current.key if state.current is not None else ""
    state.to = None
    becomes(state, to.agent, previous, view, out, to.terms)
    entry = to.terms.entry or ("continue" if to.agent.key in state.entered else "")
    if to.agent.key not in state.entered:
        state.entered.append(to.agent.key)
    if entry in ("", "greet") and to.agent.has_on_enter:
        hook = call(state, "on_enter", view, out, base=to.base, behind=to.behind)
        hook.opening = entry == "greet" and not to.base
    elif entry == "silent":
        out.fact(ft.SilenceChosen(at=out.now, turn=0, reason="the new agent waits"))
        out.signal(HandoffDone(to.base, spoke=True))
    elif to.base not in ("", NOBODY):
        out.signal(HandoffDone(to.base, spoke=False))
    elif entry:
        out.signal(OpeningAsked(open_turn=entry == "continue"))
    next_turn(state, view, out)


def refusal(by: str, speech: str, view: KernelState) -> str:
    """Why a hand-off is not carried out; empty where it is. ``by``: the agent whose tool asks, of the step ``speech``; empty
    for the application."""
    agents = view.agents
    begun = [to.agent.key for to in (agents.to, *(frame.to for frame in agents.tasks)) if to is not None]
    runs = view.tools.runs.values()
    asked = [run.agent.key for run in runs if run.agent is not None and (run.logged or run.speech == speech)]
    if begun or asked:
        return ALREADY.format([*begun, *asked][0])
    if by and agents.current is not None and by != agents.current.key and not agents.below(by):
        return GONE.format(agents.current.key)
    return TOO_MANY if agents.switches >= view.policy.max_handoffs else ""


def on_handoff(state: AgentsState, signal: HandoffAsked, view: KernelState, out: Out) -> None:
    if state.phase == "here" and not any(frame.to is not None for frame in state.tasks):
        reply = view.reply.replies.get(signal.base)
        _leave(state, Next(signal.agent, signal.base, signal.terms, reply.speech if reply else ""), view, out)
    else:
        out.signal(HandoffDone(signal.base, spoke=False))


def on_agent_asked(state: AgentsState, event: AgentAsked, view: KernelState, out: Out) -> None:
    why = refusal("", "", view)
    out.notify("handoff", ask=event.ask, done=not why)
    if why:
        out.notify("error", stage="hand-off", error=f"to {event.agent.key}: {why}", recoverable=True)
    else:
        _leave(state, Next(event.agent, terms=event.terms), view, out)


def _leave(state: AgentsState, to: Next, view: KernelState, out: Out) -> None:
    end_tasks(state, 0, "cancelled", view, out)
    move(state, "HandoffAsked")
    assert state.current is not None
    state.to = to
    state.switches += 1
    if state.current.has_on_exit:
        _hold_turns(view, out)
        call(state, "on_exit", view, out, behind=to.behind)
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
    state.to = None
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
