"""Hand-off: which agent takes over, what of the conversation goes along with it, and how it begins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from antiphon.agents.agent import Agent
    from antiphon.models.llm import LLM

EntryMode = Literal["greet", "continue", "silent"]
"""``greet``: ``on_enter``, or a reply where it says nothing; ``continue``: what the caller said last is answered, ``on_enter`` is not
called; ``silent``: it waits for the caller."""


@dataclass(frozen=True)
class ContextPolicy:
    """What an agent reads of the conversation before it. Made by its class methods.

    History keeps everything, whatever an agent reads. What is said from the hand-off on every agent reads."""

    kind: Literal["all", "last", "summary", "brief", "none"]
    turns: int = 0
    data: Any = None
    llm: LLM | None = None
    timeout: float = 5.0

    @classmethod
    def all(cls) -> ContextPolicy:
        """Everything: the default."""
        return cls("all")

    @classmethod
    def last(cls, turns: int) -> ContextPolicy:
        """The last ``turns`` turns; a turn begins with what the caller says. Raises ``ValueError`` for less than one."""
        if turns < 1:
            raise ValueError("ContextPolicy.last() takes one turn or more; none() takes nothing along.")
        return cls("last", turns)

    @classmethod
    def summary(cls, *, keep_last_turns: int = 1, llm: LLM | None = None, timeout: float = 5.0) -> ContextPolicy:
        """A summary by a model (``llm``; unset: the leaving agent's), and the last turns word for word. Where the model fails
        or takes longer than ``timeout`` seconds the last turns go along alone, or everything where none are kept."""
        return cls("summary", keep_last_turns, llm=llm, timeout=timeout)

    @classmethod
    def brief(cls, data: Any) -> ContextPolicy:
        """This alone: text, a dict, dataclass, msgspec struct or pydantic model that the leaving side fills in."""
        return cls("brief", data=data)

    @classmethod
    def none(cls) -> ContextPolicy:
        """Nothing."""
        return cls("none")


@dataclass(frozen=True)
class Handoff:
    """What a tool returns to hand over on terms of its own; ``return agent`` is ``return Handoff(agent)``.

    ``context``: what goes along (unset: what the agent was made with, else everything; an agent that spoke before reads on
    from what it read). ``entry``: how it begins (unset: what the agent was made with, else ``on_enter``, or it answers
    where it has none; an agent that spoke before continues). ``reason``: for history. ``result``: the tool's result, for the model
    that goes on (unset: that it was handed over)."""

    agent: Agent
    context: ContextPolicy | None = None
    entry: EntryMode | None = None
    reason: str = ""
    result: Any = None
