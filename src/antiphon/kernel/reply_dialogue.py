"""Reply, third part: what sub-dialogues make of replies.

Theory. A reply whose tools await a sub-dialogue stands still while that is under way: nothing that is said in it ends or
replaces that reply, which goes on behind it, in answer to all that was said meanwhile. What the agent of a sub-dialogue
had not said when it was over is not said; a turn that loses its answer so is answered by whoever goes on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from antiphon.kernel.conversation import Message
from antiphon.kernel.gates import FREE
from antiphon.kernel.reply import Reply, ReplyState, begin, below, end, new_base
from antiphon.kernel.reply_turns import go_on
from antiphon.kernel.signals import OpeningAsked, Review, TaskOver

if TYPE_CHECKING:
    from antiphon.kernel.out import Out
    from antiphon.kernel.state import KernelState


def on_opening(state: ReplyState, signal: OpeningAsked | Review, view: KernelState, out: Out) -> None:
    if isinstance(signal, OpeningAsked) and signal.open_turn and not _waits(state, view):
        return
    base = new_base(state, view)
    reply = state.replies[base] = Reply(base, floor=FREE)
    begin(state, reply, view, out)


def _waits(state: ReplyState, view: KernelState) -> bool:
    """Whether the caller's last words have no answer, and none is under way."""
    if any(reply.phase != "speculating" for reply in state.replies.values()) or view.speech.speeches:
        return False
    said = [item for item in view.conversation.items if isinstance(item, Message)]
    return bool(said) and said[-1].role == "user" and not view.agents.turns


def on_task_over(state: ReplyState, signal: TaskOver, view: KernelState, out: Out) -> None:
    """What its agent has not said is not said; who was below it goes on, in answer to all that was said meanwhile."""
    assert view.agents.current is not None
    for reply in list(state.replies.values()):
        if reply.agent == signal.agent and reply.phase not in ("speculating", "handoff"):
            if _answers_nothing_yet(reply, view):
                state.unanswered = state.unanswered or reply.turn > 0
                end(state, reply, "cancelled", view, out)
            else:
                reply.last = True
        elif reply.agent == view.agents.current.key and reply.phase in ("tools", "handoff"):
            reply.turn = reply.turn and state.turn
            if reply.settled is not None:
                settled, reply.settled = reply.settled, None
                go_on(state, reply, settled, view, out)


def _answers_nothing_yet(reply: Reply, view: KernelState) -> bool:
    if reply.phase not in ("generating", "retrying", "held", "rendering") or reply.calls:
        return False
    return not view.speech.sounding_of(reply.base) and not view.speech.heard_of(reply.base)


def _left_open(state: ReplyState, view: KernelState) -> bool:
    """Whether a turn lost its answer and nobody will speak."""
    if not state.unanswered or view.turn.phase != "idle" or view.agents.turns or view.lifecycle.phase != "running":
        return False
    agents_act = any(hook.awaited and not hook.tasks for hook in view.agents.hooks.values())
    replies = any(r.phase != "speculating" and not below(r, view) for r in state.replies.values())
    return not (agents_act or replies or view.tools.busy(view))


def on_review(state: ReplyState, signal: Review, view: KernelState, out: Out) -> None:
    if _left_open(state, view):
        on_opening(state, signal, view, out)


HANDLERS: dict[type, Any] = {OpeningAsked: on_opening, TaskOver: on_task_over, Review: on_review}
