"""Agents: who speaks for us, and their hooks. Owns the current agent, the switch to another, and hooks under way.

Theory. A switch is: leave (``on_exit``) -> enter (fact, ``Rebind``) -> greet (``on_enter``). Turns that end meanwhile
wait and go to the new agent. Turns pass the hook one at a time, in order. A hook has a hard deadline, after which the
session goes on without it; ``on_enter`` may take its time, but after that deadline nobody waits for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from antiphon.kernel import facts as ft
from antiphon.kernel import gates
from antiphon.kernel.effects import AbandonHook, CallHook, Rebind
from antiphon.kernel.events import (
    AgentAsked,
    HookReturned,
    Op,
    ReplyAsked,
    Resumed,
    SayAsked,
    Start,
)
from antiphon.kernel.policy import AgentRef
from antiphon.kernel.signals import (
    Closing,
    Ending,
    ExitDone,
    HandoffAsked,
    HandoffDone,
    Timer,
    TurnDropped,
    TurnEnded,
    TurnExceeded,
    TurnReady,
)

if TYPE_CHECKING:
    from antiphon.kernel.out import Out
    from antiphon.kernel.state import KernelState

NOBODY = "-"
"""Base of a greeting that nobody's reply waits for."""

STATES = ("none", "here", "leaving", "gone")
MOVES: dict[tuple[str, str], str] = {
    ("none", "Start"): "here",
    ("here", "HandoffAsked"): "leaving",
    ("leaving", "left"): "here",
    ("here", "Closing"): "gone",
    ("leaving", "Closing"): "gone",
}


class Hook(msgspec.Struct):
    """``awaited``: somebody's move depends on it. ``base``: the reply whose hand-off it greets for."""

    name: str
    op: Op
    agent: str
    turn: int = 0
    text: str = ""
    base: str = ""
    spoke: bool = False
    awaited: bool = True


class Next(msgspec.Struct):
    agent: AgentRef
    base: str = ""


class AgentsState(msgspec.Struct):
    """``turns``: ended turns before the hook, oldest first; the first one is in it where a turn hook is under way."""

    phase: str = "none"
    current: AgentRef | None = None
    hooks: dict[int, Hook] = {}
    turns: list[TurnEnded] = []
    in_hook: int = 0
    to: Next | None = None
    then: Next | None = None


def move(state: AgentsState, cause: str) -> bool:
    phase = MOVES.get((state.phase, cause))
    if phase is None:
        return False
    state.phase = phase
    return True


def _call(
    state: AgentsState, name: str, view: KernelState, out: Out, *, turn: int = 0, text: str = "", base: str = ""
) -> Hook:
    assert state.current is not None
    op = out.op("hook")
    hook = state.hooks[op[1]] = Hook(name, op, state.current.key, turn=turn, text=text, base=base)
    out.effect(CallHook(op=op, agent=hook.agent, hook=name, turn=turn, text=text))
    out.timer(f"agents.hook:{op[1]}", out.now + view.policy.hook_hard)
    return hook


def _forget(state: AgentsState, hook: Hook, out: Out) -> None:
    out.close(hook.op)
    out.cancel_timer(f"agents.hook:{hook.op[1]}")
    del state.hooks[hook.op[1]]


# --- entering and leaving ----------------------------------------------------------------------------------------


def on_start(state: AgentsState, event: Start, view: KernelState, out: Out) -> None:
    out.fact(ft.SessionStarted(at=out.now, agent=event.agent.key))
    move(state, "Start")
    _enter(state, Next(event.agent, NOBODY), view, out)


def _enter(state: AgentsState, to: Next, view: KernelState, out: Out) -> None:
    previous = state.current.key if state.current is not None else ""
    state.current = to.agent
    state.to = None
    out.fact(ft.AgentEntered(at=out.now, item=f"agent.{view.position + 1}", agent=to.agent.key, previous=previous))
    out.effect(Rebind(agent=to.agent))
    if to.agent.has_on_enter:
        _call(state, "on_enter", view, out, base=to.base)
    elif to.base != NOBODY:
        out.signal(HandoffDone(to.base, spoke=False))
    if state.then is not None:
        asked, state.then = state.then, None
        _leave(state, asked, view, out)
    _next_turn(state, view, out)


def on_handoff(state: AgentsState, signal: HandoffAsked, view: KernelState, out: Out) -> None:
    _leave(state, Next(signal.agent, signal.base), view, out)


def on_agent_asked(state: AgentsState, event: AgentAsked, view: KernelState, out: Out) -> None:
    _leave(state, Next(event.agent), view, out)


def _leave(state: AgentsState, to: Next, view: KernelState, out: Out) -> None:
    if state.phase == "leaving":
        state.then = to
        return
    if not move(state, "HandoffAsked"):
        return
    assert state.current is not None
    state.to = to
    if state.current.has_on_exit:
        out.gate(gates.SWITCHING, "agents", out.now + view.policy.hook_hard + 1.0)
        _call(state, "on_exit", view, out)
    else:
        _left(state, view, out)


def _left(state: AgentsState, view: KernelState, out: Out) -> None:
    move(state, "left")
    assert state.to is not None
    out.ungate(gates.SWITCHING)
    _enter(state, state.to, view, out)


def on_closing(state: AgentsState, signal: Closing, view: KernelState, out: Out) -> None:
    here = state.phase == "here"
    move(state, "Closing")
    state.to = state.then = None
    out.ungate(gates.SWITCHING)
    for hook in list(state.hooks.values()):
        if hook.name == "on_exit":
            continue  # it was leaving anyway: one exit is enough
        out.effect(AbandonHook(op=hook.op))
        _forget(state, hook, out)
    for ended in state.turns:
        out.fact(ft.TurnDropped(at=out.now, turn=ended.turn, text=ended.text, reason="closing"))
        for ask in ended.asks:
            out.notify("turn_committed", ask=ask, turn=0, text="")
        out.signal(TurnDropped(ended.turn, "closing"))
    state.turns = []
    state.in_hook = 0
    if here and state.current is not None and state.current.has_on_exit:
        _call(state, "on_exit", view, out)
    elif not state.hooks:
        out.signal(ExitDone())


def on_ending(state: AgentsState, signal: Ending, view: KernelState, out: Out) -> None:
    for hook in list(state.hooks.values()):
        out.effect(AbandonHook(op=hook.op))
        _forget(state, hook, out)


# --- hooks -------------------------------------------------------------------------------------------------------


def on_turn_ended(state: AgentsState, signal: TurnEnded, view: KernelState, out: Out) -> None:
    state.turns.append(signal)
    _next_turn(state, view, out)


def _next_turn(state: AgentsState, view: KernelState, out: Out) -> None:
    while state.turns and not state.in_hook and state.phase == "here":
        assert state.current is not None
        ended = state.turns[0]
        if state.current.has_turn_hook:
            hook = _call(state, "on_user_turn_completed", view, out, turn=ended.turn, text=ended.text)
            state.in_hook = hook.op[1]
            return
        state.turns.pop(0)
        out.signal(TurnReady(ended, ended.text))


def on_exceeded(state: AgentsState, signal: TurnExceeded, view: KernelState, out: Out) -> None:
    if state.phase == "here":
        hook = _call(state, "on_user_turn_exceeded", view, out, turn=signal.turn, text=signal.text)
        hook.awaited = False


def on_returned(state: AgentsState, event: HookReturned, view: KernelState, out: Out) -> None:
    hook = state.hooks[event.op[1]]
    if event.error:
        out.notify("error", stage="hook", error=event.error, recoverable=True)
    _over(state, hook, event, view, out)


def on_timer(state: AgentsState, timer: Timer, view: KernelState, out: Out) -> None:
    hook = state.hooks[int(timer.key)]
    if hook.name == "on_enter":
        hook.awaited = False
        _greeted(hook, out)
        return
    out.effect(AbandonHook(op=hook.op))
    out.notify("error", stage="hook", error=f"{hook.name} took too long: going on without it.", recoverable=True)
    _over(state, hook, None, view, out)


def _greeted(hook: Hook, out: Out) -> None:
    if hook.base != NOBODY:
        out.signal(HandoffDone(hook.base, spoke=hook.spoke))
        hook.base = NOBODY


def _over(state: AgentsState, hook: Hook, event: HookReturned | None, view: KernelState, out: Out) -> None:
    _forget(state, hook, out)
    if hook.name == "on_enter":
        _greeted(hook, out)
    elif hook.name == "on_exit":
        if state.phase == "gone":
            out.signal(ExitDone())
        else:
            _left(state, view, out)
    elif hook.op[1] == state.in_hook:
        state.in_hook = 0
        ended = state.turns.pop(0)
        if event is None or event.error:
            out.signal(TurnReady(ended, ended.text))
        else:
            out.signal(TurnReady(ended, event.text or ended.text, event.stop, event.context_changed, event.media))
        _next_turn(state, view, out)


def on_spoken(state: AgentsState, event: SayAsked | ReplyAsked, view: KernelState, out: Out) -> None:
    if event.hook is not None and event.hook[1] in state.hooks:
        state.hooks[event.hook[1]].spoke = True


def on_resumed(state: AgentsState, event: Resumed, view: KernelState, out: Out) -> None:
    """The new shell has no agent bound and no hook running. A greeting that was begun is not begun again."""
    if state.current is None:
        return
    out.effect(Rebind(agent=state.current))
    old, state.hooks = list(state.hooks.values()), {}
    for hook in old:
        out.cancel_timer(f"agents.hook:{hook.op[1]}")
        if hook.name == "on_enter" and (hook.spoke or not hook.awaited):
            _greeted(hook, out)
            continue
        again = _call(state, hook.name, view, out, turn=hook.turn, text=hook.text, base=hook.base)
        again.awaited = hook.awaited
        if hook.op[1] == state.in_hook:
            state.in_hook = again.op[1]


HANDLERS: dict[type, Any] = {
    Start: on_start,
    HandoffAsked: on_handoff,
    AgentAsked: on_agent_asked,
    Closing: on_closing,
    Ending: on_ending,
    TurnEnded: on_turn_ended,
    TurnExceeded: on_exceeded,
    HookReturned: on_returned,
    Timer: on_timer,
    SayAsked: on_spoken,
    ReplyAsked: on_spoken,
    Resumed: on_resumed,
}
