"""Agents: who speaks for us, and their hooks. Owns the current agent, the switch to another, and hooks under way.

Theory. A switch is: leave (``on_exit``) -> enter (fact, ``Rebind``) -> greet (``on_enter``). Turns that end meanwhile
wait and go to the new agent. A sub-dialogue is a switch that comes back: its agent speaks on top of the one that was
left, which neither leaves nor enters again (``agent_tasks``). Whoever hands over ends the sub-dialogues under way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from antiphon.kernel import facts as ft
from antiphon.kernel.effects import CallHook, Rebind
from antiphon.kernel.events import Op, TaskDone
from antiphon.kernel.policy import AgentRef, Terms
from antiphon.kernel.signals import Switched, TaskOver, TurnEnded, TurnReady

if TYPE_CHECKING:
    from antiphon.kernel.out import Out
    from antiphon.kernel.state import KernelState

PLAIN = Terms()
NOBODY = "-"
"""Base of a greeting that nobody's reply waits for."""

STATES = ("none", "here", "leaving", "gone")
MOVES: dict[tuple[str, str], str] = {
    ("none", "Start"): "here",
    ("here", "HandoffAsked"): "leaving",
    ("leaving", "left"): "here",
    ("leaving", "task"): "here",
    ("here", "Closing"): "gone",
    ("leaving", "Closing"): "gone",
}


class Hook(msgspec.Struct):
    """``awaited``: somebody's move depends on it. ``base``: the reply whose hand-off it greets for; ``opening``: where it
    says nothing a reply is made. ``behind``: the step whose words come before what it says. ``id``: the same for a new owner. ``tasks``: sub-dialogues that it awaits; ``again``: a new owner
    called it again. ``behalf``: of a sub-dialogue that is over, the agent below it."""

    name: str
    op: Op
    agent: str
    turn: int = 0
    text: str = ""
    base: str = ""
    behind: str = ""
    spoke: bool = False
    awaited: bool = True
    opening: bool = False
    id: str = ""
    tasks: int = 0
    again: bool = False
    behalf: str = ""


class Next(msgspec.Struct):
    """``base``: the reply whose tool asked for it, ``behind``: the step of that tool."""

    agent: AgentRef
    base: str = ""
    terms: Terms = Terms()
    behind: str = ""


class Wish(msgspec.Struct):
    """A sub-dialogue that somebody awaits: the call ``call_id``, the hook ``hook`` of agent ``by``, or (neither) the
    application. ``id``: the same for a new owner."""

    ask: str
    id: str
    agent: AgentRef
    by: str = ""
    call_id: str = ""
    hook: str = ""
    terms: Terms = Terms()


class Frame(msgspec.Struct):
    """A sub-dialogue under way. ``left``: the agent that goes on behind it; ``to``: the switch that waits for it."""

    wish: Wish
    left: AgentRef
    to: Next | None = None


class AgentsState(msgspec.Struct):
    """``turns``: ended turns before the hook, oldest first; the first one is in it where a turn hook is under way.
    ``switches``: since the caller's last turn. ``entered``: agents that have spoken.
    ``tasks``: sub-dialogues under way, the innermost last; ``wishes``: those that wait for their agent's turn."""

    phase: str = "none"
    current: AgentRef | None = None
    hooks: dict[int, Hook] = {}
    turns: list[TurnEnded] = []
    in_hook: int = 0
    to: Next | None = None
    switches: int = 0
    entered: list[str] = []
    tasks: list[Frame] = []
    wishes: list[Wish] = []

    def below(self, agent: str) -> bool:
        """Whether a sub-dialogue is under way on top of this agent."""
        return any(frame.left.key == agent for frame in self.tasks)


def move(state: AgentsState, cause: str) -> bool:
    phase = MOVES.get((state.phase, cause))
    if phase is None:
        return False
    state.phase = phase
    return True


def call(
    state: AgentsState, name: str, view: KernelState, out: Out, *, turn: int = 0, text: str = "", base: str = NOBODY,
    agent: str = "", behind: str = "",
) -> Hook:  # fmt: skip
    """Call a hook, of the current agent where no other is named."""
    assert state.current is not None
    op = out.op("hook")
    hook = state.hooks[op[1]] = Hook(
        name, op, agent or state.current.key, turn=turn, text=text, base=base, behind=behind
    )
    hook.id = f"{op[0]}.{op[1]}"
    out.effect(CallHook(op=op, agent=hook.agent, hook=name, turn=turn, text=text))
    await_end(hook, view, out)
    return hook


def await_end(hook: Hook, view: KernelState, out: Out) -> None:
    """However it goes on, nobody waits for it longer than that."""
    out.timer(f"agents.hook:{hook.op[1]}", out.now + view.policy.hook_hard)


def forget(state: AgentsState, hook: Hook, out: Out) -> None:
    out.close(hook.op)
    out.cancel_timer(f"agents.hook:{hook.op[1]}")
    del state.hooks[hook.op[1]]


# --- who speaks --------------------------------------------------------------------------------------------------


def becomes(
    state: AgentsState, agent: AgentRef, previous: str, view: KernelState, out: Out, terms: Terms = PLAIN
) -> None:
    """``agent`` is the one who speaks."""
    state.current = agent
    item = f"agent.{view.position + 1}"
    out.fact(
        ft.AgentEntered(
            at=out.now, item=item, agent=agent.key, path=agent.path, previous=previous, reason=terms.reason,
            reads=terms.reads, note=terms.note,
        )
    )  # fmt: skip
    out.effect(Rebind(agent=agent))
    out.signal(Switched(agent.key))


def end_tasks(state: AgentsState, depth: int, outcome: str, view: KernelState, out: Out) -> None:
    """Every sub-dialogue above ``depth`` of them ends without a result."""
    while len(state.tasks) > depth:
        pop_task(state, outcome, view, out)


def pop_task(state: AgentsState, outcome: str, view: KernelState, out: Out, done: TaskDone | None = None) -> Frame:
    """The innermost sub-dialogue is over. Who comes back is not bound yet: more may end."""
    frame = state.tasks.pop()
    wish, agent = frame.wish, frame.wish.agent.key
    if done is None:
        out.fact(ft.TaskResult(at=out.now, task=wish.id, result=outcome, is_error=True))
    else:
        out.fact(
            ft.TaskResult(
                at=out.now, task=wish.id, result=done.result, is_error=done.is_error, hidden=done.hidden, note=done.note
            )
        )
    state.current = frame.left
    for hook in state.hooks.values():
        if hook.agent == agent and hook.name == "on_enter":
            hook.opening = hook.awaited = False
    if wish.agent.has_on_exit and outcome != "closed":
        hook = call(state, "on_exit", view, out, agent=agent)
        hook.awaited, hook.behalf = False, frame.left.key
    out.signal(TaskOver(agent, unwish(state, wish, outcome, view, out)))
    return frame


def unwish(state: AgentsState, wish: Wish, outcome: str, view: KernelState, out: Out) -> Op | None:
    """Whoever awaits the sub-dialogue is told how it ended: its own time runs again. Returns its op, if it still runs."""
    task = view.conversation.tasks.get(wish.id)
    result, is_error = (task.result, task.is_error) if task is not None else (outcome, True)
    out.notify("task", ask=wish.ask, task=wish.id, state=outcome, result=result, is_error=is_error)
    hook = next((hook for hook in state.hooks.values() if hook.id == wish.hook), None)
    if hook is None:
        return awaiting(wish, view)
    hook.tasks = max(0, hook.tasks - 1)
    if not hook.tasks:
        hook.spoke, hook.opening = False, hook.name == "on_enter"
        await_end(hook, view, out)
    return hook.op


def awaiting(wish: Wish, view: KernelState) -> Op | None:
    """Op of the tool call that awaits it."""
    return next((r.op for r in view.tools.runs.values() if r.call_id == wish.call_id and r.op is not None), None)


def next_turn(state: AgentsState, view: KernelState, out: Out) -> None:
    """Turns that have ended go to the agent, one at a time."""
    while state.turns and not state.in_hook and state.phase == "here":
        assert state.current is not None
        ended = state.turns[0]
        if state.current.has_turn_hook:
            hook = call(state, "on_user_turn_completed", view, out, turn=ended.turn, text=ended.text)
            state.in_hook = hook.op[1]
            return
        state.turns.pop(0)
        out.signal(TurnReady(ended, ended.text))
