"""The conversation: the fold of the facts, and nothing else.

The kernel applies each fact it records through ``apply``; a reader of the log applies the same facts and has the same
conversation. Items map one to one to those of a chat context. Messages of the agent stand where they began to sound,
everything else where it happened.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

import msgspec

from antiphon.kernel.facts import (
    AgentConfigured,
    AgentEntered,
    AgentState,
    Fact,
    SessionEnded,
    SessionUserdata,
    SpeechHeard,
    StepResult,
    TaskEntered,
    TaskResult,
    ToolInDoubt,
    ToolIntent,
    ToolResult,
    TurnCommitted,
)
from antiphon.kernel.readings import Reading, Task

IN_DOUBT = "It is not known whether this took effect: the process that ran it is gone. Check before doing it again."


class Message(msgspec.Struct, tag="message", tag_field="type", kw_only=True):
    """``in_flight``: the agent is saying it right now (prompt view only). ``modality``: how the user put it. ``speaker``: who of
    several did, where that is known."""

    id: str
    role: Literal["user", "assistant"]
    text: str
    interrupted: bool = False
    estimated: bool = False
    created_at: float = 0.0
    confidence: float | None = None
    in_flight: bool = False
    media: tuple[str, ...] = ()
    modality: Literal["audio", "text"] = "audio"
    speaker: str = ""


class Call(msgspec.Struct, tag="function_call", tag_field="type", kw_only=True):
    """``speech``: the step of a reply that asked for it. ``extra``: JSON that its model's service wants back."""

    id: str
    call_id: str
    name: str
    arguments: str
    speech: str = ""
    created_at: float = 0.0
    extra: str = ""


class CallOutput(msgspec.Struct, tag="function_call_output", tag_field="type", kw_only=True):
    """``pending``: a placeholder, the call still runs (prompt view only)."""

    id: str
    call_id: str
    name: str
    output: str
    is_error: bool = False
    created_at: float = 0.0
    pending: bool = False
    media: tuple[str, ...] = ()


class Handoff(msgspec.Struct, tag="agent_handoff", tag_field="type", kw_only=True):
    id: str
    old_agent: str
    new_agent: str
    reason: str = ""
    created_at: float = 0.0


class ConfigUpdate(msgspec.Struct, tag="agent_config_update", tag_field="type", kw_only=True):
    """Instructions (``None``: the same) or tools of the current agent changed."""

    id: str
    instructions: str | None = None
    tools_added: tuple[str, ...] = ()
    tools_removed: tuple[str, ...] = ()
    created_at: float = 0.0


Item = Message | Call | CallOutput | Handoff | ConfigUpdate


class Conversation(msgspec.Struct):
    """``version`` counts changes. ``open_calls``: calls without an output yet, by call id. ``states``: what agents
    saved, by agent; ``steps``: finished steps of open calls, by call id. ``tasks``: sub-dialogues, by id, the outermost
    first; those of a call are forgotten when it has its output. ``readings``: of agents that do not read all of it."""

    items: list[Item] = []
    version: int = 0
    agent: str = ""
    open_calls: dict[str, str] = {}
    states: dict[str, str] = {}
    userdata: str = ""
    steps: dict[str, dict[str, str]] = {}
    tasks: dict[str, Task] = {}
    readings: dict[str, Reading] = {}
    ended: str = ""

    def apply(self, fact: Fact) -> None:
        """Fold one fact in."""
        fold = _FOLD.get(type(fact))
        if fold is not None:
            fold(self, fact)

    def _place(self, item: Item) -> None:
        """Behind everything that is not younger; what a step said goes before what it called, unless other words of
        the agent sounded in between."""
        items, at = self.items, len(self.items)
        while at > 0 and items[at - 1].created_at > item.created_at:
            at -= 1
        called = next((n for n, i in enumerate(items) if isinstance(i, Call) and i.speech == item.id), at)
        if called < at and not any(isinstance(i, Message) and i.role == "assistant" for i in items[called:at]):
            at = called
        items.insert(at, item)
        self.version += 1


def _turn(to: Conversation, fact: TurnCommitted) -> None:
    for item in reversed(to.items):
        if item.id == fact.item and isinstance(item, Message):  # the caller went on: the same turn, longer
            item.text, item.confidence, item.media = fact.text, fact.confidence, item.media + fact.media
            item.modality, item.speaker = fact.modality, item.speaker or fact.speaker
            to.version += 1
            return
    to._place(
        Message(
            id=fact.item,
            role="user",
            text=fact.text,
            created_at=fact.at,
            confidence=fact.confidence,
            media=fact.media,
            modality=fact.modality,
            speaker=fact.speaker,
        )
    )


def _heard(to: Conversation, fact: SpeechHeard) -> None:
    if fact.in_history:
        to._place(
            Message(
                id=fact.item,
                role="assistant",
                text=fact.text,
                interrupted=fact.interrupted,
                estimated=fact.estimated,
                created_at=fact.order,
            )
        )


def _intent(to: Conversation, fact: ToolIntent) -> None:
    to.open_calls[fact.call_id] = fact.name
    to._place(
        Call(
            id=fact.item,
            call_id=fact.call_id,
            name=fact.name,
            arguments=fact.arguments,
            speech=fact.speech,
            created_at=fact.at,
            extra=fact.extra,
        )
    )


def _output(to: Conversation, fact: ToolResult | ToolInDoubt) -> None:
    if isinstance(fact, ToolResult) and fact.late:
        _late(to, fact)
        return
    if to.open_calls.pop(fact.call_id, None) is None:
        return  # one output a call
    to.steps.pop(fact.call_id, None)
    for name in [name for name, task in to.tasks.items() if task.call_id == fact.call_id and task.over]:
        del to.tasks[name]
    item = CallOutput(
        id=fact.item, call_id=fact.call_id, name=fact.name, output=IN_DOUBT, is_error=True, created_at=fact.at
    )
    if isinstance(fact, ToolResult):
        item.output, item.is_error, item.media = fact.output, fact.is_error, fact.media
    to._place(item)


def _late(to: Conversation, fact: ToolResult) -> None:
    """What came of a call after its first output stands where it came, as a pair of its own: models take one output a
    call."""
    arguments = next((i.arguments for i in to.items if isinstance(i, Call) and i.call_id == fact.call_id), "{}")
    call_id = f"{fact.call_id}-{fact.late}"
    to._place(Call(id=f"call.{call_id}", call_id=call_id, name=fact.name, arguments=arguments, created_at=fact.at))
    to._place(
        CallOutput(
            id=fact.item, call_id=call_id, name=fact.name, output=fact.output, is_error=fact.is_error,
            created_at=fact.at, media=fact.media,
        )
    )  # fmt: skip


def _hide(to: Conversation, agent: str, items: Sequence[Item], note: str, at: float) -> None:
    """``agent`` does not read these, but for calls that still run: models take no output without its call."""
    runs = {f"call.{call_id}" for call_id in to.open_calls}
    at = items[0].created_at if items else at
    to.readings.setdefault(agent, Reading()).hide(agent, [i.id for i in items if i.id not in runs], note, at)


def _entered(to: Conversation, fact: AgentEntered) -> None:
    to.agent = fact.agent
    if fact.reads:
        first = next((n for n, item in enumerate(to.items) if item.id == fact.reads), len(to.items))
        _hide(to, fact.agent, to.items[:first], fact.note, fact.at)
    elif fact.note:
        _hide(to, fact.agent, (), fact.note, fact.at)
    if fact.previous:
        to._place(
            Handoff(
                id=fact.item, old_agent=fact.previous, new_agent=fact.agent, reason=fact.reason, created_at=fact.at
            )
        )  # fmt: skip


def _configured(to: Conversation, fact: AgentConfigured) -> None:
    to._place(
        ConfigUpdate(
            id=fact.item, instructions=fact.instructions, tools_added=fact.tools_added,
            tools_removed=fact.tools_removed, created_at=fact.at,
        )
    )  # fmt: skip


def _state(to: Conversation, fact: AgentState) -> None:
    to.states[fact.agent] = fact.state


def _userdata(to: Conversation, fact: SessionUserdata) -> None:
    to.userdata = fact.state


def _step(to: Conversation, fact: StepResult) -> None:
    if fact.call_id in to.open_calls:
        to.steps.setdefault(fact.call_id, {})[fact.name] = fact.result


def _task(to: Conversation, fact: TaskEntered) -> None:
    to.tasks[fact.task] = Task(fact.agent, to.agent, len(to.items), fact.call_id)


def _task_over(to: Conversation, fact: TaskResult) -> None:
    task = to.tasks.get(fact.task)
    if task is not None:
        task.over, task.result, task.is_error = True, fact.result, fact.is_error
        if fact.hidden:
            _hide(to, task.below, to.items[task.first :], fact.note, fact.at)


def _ended(to: Conversation, fact: SessionEnded) -> None:
    to.ended = fact.reason


_FOLD: dict[type[Fact], Callable[[Conversation, Any], None]] = {
    TurnCommitted: _turn,
    SpeechHeard: _heard,
    ToolIntent: _intent,
    ToolResult: _output,
    ToolInDoubt: _output,
    AgentEntered: _entered,
    AgentConfigured: _configured,
    AgentState: _state,
    SessionUserdata: _userdata,
    StepResult: _step,
    TaskEntered: _task,
    TaskResult: _task_over,
    SessionEnded: _ended,
}
