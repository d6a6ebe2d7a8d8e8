"""Folding: a kernel of which only the conversation is known, because another build wrote the log or its inputs are not all there.

It has the history, who spoke, what was saved, and which calls are open. Sound, turns that were not over and replies under way are
not known: ``Resumed`` with an agent takes it up from here.
"""

from __future__ import annotations

from collections.abc import Iterable

from antiphon.kernel import facts as ft
from antiphon.kernel.conversation import Conversation
from antiphon.kernel.state import KernelState
from antiphon.kernel.tools import ToolRun


def folded(facts: Iterable[ft.AnyFact]) -> KernelState:
    """The state behind these facts, all there are."""
    state = KernelState()
    intents: dict[str, tuple[ft.ToolIntent, str, int]] = {}
    waits = 0
    for state.position, fact in enumerate(facts, start=1):
        if isinstance(fact, ft.ToolIntent):
            intents[fact.call_id] = (fact, state.conversation.agent, state.position)
        elif isinstance(fact, ft.AgentEntered) and fact.agent not in state.agents.entered:
            state.agents.entered.append(fact.agent)
        elif isinstance(fact, ft.TurnCommitted | ft.TurnDropped):
            state.turn.count = max(state.turn.count, fact.turn)
            waits = fact.turn if isinstance(fact, ft.TurnCommitted) else waits
        elif isinstance(fact, ft.SilenceChosen) or (isinstance(fact, ft.SpeechHeard) and not _clip(fact.speech)):
            waits = 0
        state.conversation.apply(fact)
        state.now = max(state.now, fact.at)
    state.reply.turn, state.reply.unanswered = state.turn.count, waits > 0
    state.tools.seen = dict.fromkeys(intents, 0)
    for call_id in state.conversation.open_calls:
        _open(state, *intents[call_id])
    if state.conversation.ended:
        state.lifecycle.phase, state.lifecycle.reason = "ended", state.conversation.ended
    return state


def goes_on(conversation: Conversation) -> str:
    """Who speaks where sub-dialogues have ended with the process."""
    return next((task.below for task in conversation.tasks.values() if not task.over), conversation.agent)


def _clip(speech: str) -> bool:
    return speech.startswith("ladder.")


def _open(state: KernelState, intent: ft.ToolIntent, by: str, position: int) -> None:
    """A call without an output. One that awaited a sub-dialogue ends with it, as does the second of two of the same."""
    tools, conversation = state.tools, state.conversation
    tools.made += 1
    run = ToolRun(
        tools.made, intent.call_id, intent.name, intent.arguments, intent.effect, intent.retry, False, "",  # type: ignore[arg-type]
        intent.speech, phase="running", op=(0, 0), key=intent.key, after=position, logged=True, extra=intent.extra, by=by,
    )  # fmt: skip
    waits = any(task.call_id == intent.call_id and not task.over for task in conversation.tasks.values())
    if waits or tools.same(run) is not None:
        run.effect, run.retry = "write", "never"
    tools.runs[run.number] = run
    if intent.speech not in tools.closed:
        tools.closed.append(intent.speech)
