"""Agents, third part: the hooks of an agent, from their call to their answer.

Theory. Turns pass the hook one at a time, in order. A hook has a hard deadline, after which the session goes on without
it; ``on_enter`` may take its time, but after that deadline nobody waits for it. While a hook awaits a sub-dialogue no
time of its own runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from antiphon.kernel import facts as ft
from antiphon.kernel.agent_switch import left
from antiphon.kernel.agents import NOBODY, AgentsState, Hook, becomes, call, forget, move, next_turn
from antiphon.kernel.effects import AbandonHook, Rebind
from antiphon.kernel.events import HookReturned, ReplyAsked, Resumed, SayAsked
from antiphon.kernel.policy import AgentRef
from antiphon.kernel.signals import ExitDone, HandoffDone, OpeningAsked, Timer, TurnEnded, TurnExceeded, TurnReady

if TYPE_CHECKING:
    from antiphon.kernel.out import Out
    from antiphon.kernel.state import KernelState


def on_turn_ended(state: AgentsState, signal: TurnEnded, view: KernelState, out: Out) -> None:
    state.turns.append(signal)
    state.switches = 0
    next_turn(state, view, out)


def on_exceeded(state: AgentsState, signal: TurnExceeded, view: KernelState, out: Out) -> None:
    if state.phase == "here":
        hook = call(state, "on_user_turn_exceeded", view, out, turn=signal.turn, text=signal.text)
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
        greeted(state, hook, out)
        return
    out.effect(AbandonHook(op=hook.op))
    out.notify("error", stage="hook", error=f"{hook.name} took too long: going on without it.", recoverable=True)
    _over(state, hook, None, view, out)


def greeted(state: AgentsState, hook: Hook, out: Out) -> None:
    """Nobody waits for the greeting any more: who waited for it goes on, or somebody else opens the dialogue."""
    if hook.base != NOBODY:
        out.signal(HandoffDone(hook.base, spoke=hook.spoke))
        hook.base = NOBODY
    if hook.opening and not hook.spoke and state.current is not None and hook.agent == state.current.key:
        out.signal(OpeningAsked())
    hook.opening = False


def _over(state: AgentsState, hook: Hook, event: HookReturned | None, view: KernelState, out: Out) -> None:
    forget(state, hook, out)
    if hook.name == "on_enter":
        greeted(state, hook, out)
    elif hook.name == "on_exit":
        if not hook.awaited:
            return
        if state.phase == "gone":
            out.signal(ExitDone())
        elif state.phase == "leaving":  # else the sub-dialogue that it awaited is still on top of it
            left(state, view, out)
    elif hook.op[1] == state.in_hook:
        state.in_hook = 0
        ended = state.turns.pop(0)
        if event is None or event.error:
            out.signal(TurnReady(ended, ended.text))
        else:
            out.signal(TurnReady(ended, event.text or ended.text, event.stop, event.context_changed, event.media))
        next_turn(state, view, out)


def on_spoken(state: AgentsState, event: SayAsked | ReplyAsked, view: KernelState, out: Out) -> None:
    if event.hook is not None and event.hook[1] in state.hooks:
        state.hooks[event.hook[1]].spoke = True


def on_resumed(state: AgentsState, event: Resumed, view: KernelState, out: Out) -> None:
    """The new shell has no agent bound and no hook running. A greeting that was begun is not begun again, unless its
    code awaits a sub-dialogue: then it has to take up its thread."""
    if event.agent is not None:
        _take_up(state, event.agent, view, out)
    if state.current is None:
        return
    out.effect(Rebind(agent=state.current))
    if view.conversation.agent != state.current.key:
        becomes(state, state.current, view.conversation.agent, view, out)
    old, state.hooks = list(state.hooks.values()), {}
    for hook in old:
        out.cancel_timer(f"agents.hook:{hook.op[1]}")
        if hook.name == "on_enter" and (hook.spoke or not hook.awaited) and not hook.tasks:
            greeted(state, hook, out)
            continue
        whose = "" if hook.op[1] == state.in_hook else hook.agent
        again = call(
            state, hook.name, view, out, turn=hook.turn, text=hook.text, base=hook.base, agent=whose, behind=hook.behind
        )
        again.awaited, again.opening, again.id, again.behalf = hook.awaited, hook.opening, hook.id, hook.behalf
        if hook.op[1] == state.in_hook:
            state.in_hook = again.op[1]


def _take_up(state: AgentsState, agent: AgentRef, view: KernelState, out: Out) -> None:
    """Only the conversation is known: sub-dialogues have ended with the code that awaited them, nobody is greeted again."""
    for name, task in reversed(view.conversation.tasks.items()):
        if not task.over:
            out.fact(ft.TaskResult(at=out.now, task=name, result="cancelled", is_error=True))
    move(state, "Start")
    state.current = agent
    if agent.key not in state.entered:
        state.entered.append(agent.key)


HANDLERS: dict[type, Any] = {
    TurnEnded: on_turn_ended,
    TurnExceeded: on_exceeded,
    HookReturned: on_returned,
    Timer: on_timer,
    SayAsked: on_spoken,
    ReplyAsked: on_spoken,
    Resumed: on_resumed,
}
