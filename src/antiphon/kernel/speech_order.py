"""The order of the queue. A part of the speech machine; it owns no state.

Theory. Priority comes first, and inside one the order in which they were asked for. What a tool or hook asks for comes
behind the words of the step that it came of, for as long as those may sound: a caller hears "I will put you through"
before who they are put through to. Those words are the ones of the step whose tool it is, those of the reply that
handed over for ``on_enter`` and ``on_exit``, and the last ones of a sub-dialogue that was awaited.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from antiphon.kernel import floor

if TYPE_CHECKING:
    from antiphon.kernel.events import ReplyAsked, SayAsked
    from antiphon.kernel.speech import Speech, SpeechState
    from antiphon.kernel.state import KernelState

RANK: dict[str, int] = {"ladder": 0, "app": 1, "reply": 2, "background": 3}


def first(state: SpeechState, view: KernelState) -> Speech | None:
    """The speech whose turn it is to go on air."""
    waiting = [s for s in state.speeches.values() if s.phase == "authorised" and not floor.kept_back(s.floor, view)]
    return min(waiting, key=lambda s: (rank(s, waiting, view), s.number), default=None)


def rank(speech: Speech, waiting: list[Speech], view: KernelState) -> int:
    """Its priority's, or that of the words that it is behind."""
    own = RANK[speech.priority]
    if not speech.behind or view.agents.turns:  # a newer turn: what was to be said before may never be
        return own
    return max([own, *(RANK[words.priority] for words in waiting if is_behind(speech, words))])


def is_behind(speech: Speech, words: Speech) -> bool:
    """Whether ``words`` are of a step, or of one before it, that the speech came of."""
    return any(words.base == _base(step) and _number(words.id) <= _number(step) for step in speech.behind)


def came_of(event: SayAsked | ReplyAsked, view: KernelState) -> tuple[str, ...]:
    """The steps whose words come before what a tool or hook asks for; none for the application."""
    run = next((run for run in view.tools.runs.values() if run.op is not None and run.op == event.tool), None)
    hook = view.agents.hooks.get(event.hook[1]) if event.hook is not None else None
    steps = [run.speech] if run is not None else [hook.behind] if hook is not None and hook.behind else []
    if run is not None or hook is not None:
        steps += [reply.speech for reply in view.reply.replies.values() if reply.last]
    return tuple(steps)


def _base(step: str) -> str:
    return step.partition("#")[0]


def _number(step: str) -> int:
    return int(step.partition("#")[2] or 1)
