"""Agents, fourth part: sub-dialogues. An agent speaks on top of another until it has what it was sent for.

Theory. Whoever awaits a sub-dialogue waits for its words, not for time: the tool or hook has no deadline meanwhile, and
nobody says for it that it takes long. Its agent is the current one; the one below neither leaves nor enters again.
A sub-dialogue that is awaited from below the innermost one waits for that: an agent has one at a time. Where the agent
has left meanwhile it does not come about: the conversation is another's. When the code that awaits it ends first, it ends
with it, and so do those on top of it. A new owner goes on in the innermost; the code that runs again and awaits the same
one joins it, or gets the result that is on record.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from antiphon.kernel import facts as ft
from antiphon.kernel import gates
from antiphon.kernel.agent_hooks import greeted
from antiphon.kernel.agent_switch import resume_leaving
from antiphon.kernel.agents import (
    AgentsState,
    Frame,
    Hook,
    Wish,
    awaiting,
    becomes,
    call,
    end_tasks,
    move,
    next_turn,
    pop_task,
    unwish,
)
from antiphon.kernel.events import TaskAsked, TaskCancelled, TaskDone
from antiphon.kernel.signals import OpeningAsked, Review, TaskBegan, TaskOver

if TYPE_CHECKING:
    from antiphon.kernel.out import Out
    from antiphon.kernel.state import KernelState

MAX_DEPTH = 8
"""Sub-dialogues within each other."""


def on_asked(state: AgentsState, event: TaskAsked, view: KernelState, out: Out) -> None:
    wish = _wish(state, event, view)
    if wish is None or view.lifecycle.phase != "running":
        out.notify("task", ask=event.ask, task="", state="cancelled" if wish is None else "closed")
        return
    task = view.conversation.tasks.get(wish.id)
    if task is not None and task.over:  # a new owner ran the code again
        out.notify("task", ask=wish.ask, task=wish.id, state="done", result=task.result, is_error=task.is_error)
        return
    wishes = [*state.wishes, *(frame.wish for frame in state.tasks)]
    known = next((one for one in wishes if one.id == wish.id), None)
    if known is None:
        state.wishes.append(wish)
    else:
        if known.ask != wish.ask:
            out.notify("task", ask=known.ask, task=wish.id, state="cancelled")
        known.ask = wish.ask
        if any(frame.wish is known for frame in state.tasks):
            out.notify("task", ask=wish.ask, task=wish.id, state="entered")
    if event.op is not None:
        out.signal(TaskBegan(event.op))
        _waits(state, event.op[1], out)


def _wish(state: AgentsState, event: TaskAsked, view: KernelState) -> Wish | None:
    """Who awaits it; nobody where the tool or hook that did has ended, or cannot."""
    if event.op is None:
        return Wish(event.ask, f"app/{event.ask}", event.agent, terms=event.terms)
    if event.op[0] != view.epoch or event.op[1] not in view.ops:
        return None
    hook = state.hooks.get(event.op[1])
    if hook is not None:
        if hook.name not in ("on_enter", "on_exit"):
            return None
        return Wish(
            event.ask,
            f"{hook.id}/{event.number}",
            event.agent,
            by=hook.behalf or hook.agent,
            hook=hook.id,
            terms=event.terms,
        )
    run = next((run for run in view.tools.runs.values() if run.op == event.op), None)
    if run is None:
        return None
    return Wish(
        event.ask, f"{run.call_id}/{event.number}", event.agent, by=run.by, call_id=run.call_id, terms=event.terms
    )


def _waits(state: AgentsState, op: int, out: Out) -> None:
    """A hook that awaits a sub-dialogue has no time of its own meanwhile, and says something by it."""
    hook = state.hooks.get(op)
    if hook is not None:
        hook.tasks += 1
        hook.spoke = True
        out.cancel_timer(f"agents.hook:{op}")
        greeted(state, hook, out)


def on_review(state: AgentsState, signal: Review, view: KernelState, out: Out) -> None:
    """End what nobody awaits any more, begin what may begin."""
    for place, frame in enumerate(state.tasks):
        if not _awaited(state, frame.wish, view):
            _end(state, place, "cancelled", view, out)
            return
    for wish in list(state.wishes):
        if not _awaited(state, wish, view) or _gone(state, wish):
            _refuse(state, wish, "cancelled", view, out)
    wish_ = next((wish for wish in state.wishes if _may_begin(state, wish, view)), None)
    if wish_ is None:
        return
    if len(state.tasks) >= MAX_DEPTH:
        _refuse(state, wish_, "too deep", view, out)
    else:
        state.wishes.remove(wish_)
        _begin(state, wish_, view, out)


def _refuse(state: AgentsState, wish: Wish, outcome: str, view: KernelState, out: Out) -> None:
    """It will not be, and whoever awaits it is told."""
    state.wishes.remove(wish)
    out.signal(TaskOver(wish.agent.key, unwish(state, wish, outcome, view, out)))


def _awaited(state: AgentsState, wish: Wish, view: KernelState) -> bool:
    if wish.hook:
        return _hook(state, wish) is not None
    return not wish.call_id or awaiting(wish, view) is not None


def _gone(state: AgentsState, wish: Wish) -> bool:
    """Whether the agent for which it is awaited has left: the conversation is another's."""
    here = state.current is not None and state.current.key == wish.by
    return bool(wish.by) and not here and not state.below(wish.by)


def _hook(state: AgentsState, wish: Wish) -> Hook | None:
    return next((hook for hook in state.hooks.values() if hook.id == wish.hook), None)


def _may_begin(state: AgentsState, wish: Wish, view: KernelState) -> bool:
    """A speculation has no dialogues, and an agent has one at a time."""
    if any(run.call_id == wish.call_id and not run.logged for run in view.tools.runs.values()):
        return False
    hook = _hook(state, wish)
    if state.phase == "leaving":
        return hook is not None and hook.name == "on_exit" and hook.awaited
    return state.phase == "here" and not state.below(wish.by)


def _begin(state: AgentsState, wish: Wish, view: KernelState, out: Out) -> None:
    assert state.current is not None
    below = state.current
    state.tasks.append(Frame(wish, below, state.to))
    if move(state, "task"):
        out.ungate(gates.SWITCHING)
    state.to = None
    out.fact(ft.TaskEntered(at=out.now, task=wish.id, agent=wish.agent.key, call_id=wish.call_id))
    becomes(state, wish.agent, below.key, view, out, wish.terms)
    out.notify("task", ask=wish.ask, task=wish.id, state="entered")
    if wish.terms.entry == "silent":
        pass
    elif wish.agent.has_on_enter and wish.terms.entry != "continue":
        call(state, "on_enter", view, out, behind=_step(state, wish, view)).opening = True
    else:
        out.signal(OpeningAsked())
    next_turn(state, view, out)


def _step(state: AgentsState, wish: Wish, view: KernelState) -> str:
    """The step of whoever awaits it, whose words come first."""
    hook = _hook(state, wish)
    if hook is not None:
        return hook.behind
    return next((run.speech for run in view.tools.runs.values() if run.call_id == wish.call_id), "")


def on_done(state: AgentsState, event: TaskDone, view: KernelState, out: Out) -> None:
    for place, frame in enumerate(state.tasks):
        if frame.wish.id == event.task:
            _end(state, place, "done", view, out, event)
            return


def on_cancelled(state: AgentsState, event: TaskCancelled, view: KernelState, out: Out) -> None:
    for wish in state.wishes:
        if wish.ask == event.ask:
            _refuse(state, wish, "cancelled", view, out)
            return
    for place, frame in enumerate(state.tasks):
        if frame.wish.ask == event.ask:
            _end(state, place, "cancelled", view, out)
            return


def _end(
    state: AgentsState, place: int, outcome: str, view: KernelState, out: Out, done: TaskDone | None = None
) -> None:
    """The sub-dialogue at this place of the stack is over, with those on top of it; who was below it goes on."""
    assert state.current is not None
    previous = state.current.key
    end_tasks(state, place + 1, "cancelled", view, out)
    frame = pop_task(state, outcome, view, out, done)
    becomes(state, frame.left, previous, view, out)
    if frame.to is not None:
        resume_leaving(state, frame.to, view, out)
    next_turn(state, view, out)


HANDLERS: dict[type, Any] = {
    TaskAsked: on_asked,
    TaskDone: on_done,
    TaskCancelled: on_cancelled,
    Review: on_review,
}
