"""Hand-off: which agent takes over, what of the conversation goes along with it, and how it begins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

from antiphon.errors import ConfigurationError

if TYPE_CHECKING:
    from antiphon.agents.agent import Agent
    from antiphon.models.llm import LLM

EntryMode = Literal["greet", "continue", "silent"]
"""``greet``: ``on_enter``, or a reply where it says nothing; ``continue``: what the caller said last is answered, ``on_enter`` is not
called; ``silent``: it waits for the caller."""

ContextKind = Literal["all", "last", "summary", "brief", "none"]
HOW_TO_CHOOSE = "Use ContextPolicy.all(), .last(turns), .summary(...), .brief(data) or .none()."


@dataclass(frozen=True)
class ContextPolicy:
    """What an agent reads of the conversation before it. Made by its class methods, which raise ``ConfigurationError`` for
    numbers that mean nothing.

    History keeps everything, whatever an agent reads. What is said from the hand-off on every agent reads."""

    kind: ContextKind
    turns: int = 0
    data: Any = None
    llm: LLM | None = None
    timeout: float = 5.0

    def __post_init__(self) -> None:
        if self.kind not in get_args(ContextKind):
            raise ConfigurationError(f"There is no context policy {self.kind!r}.", hint=HOW_TO_CHOOSE)
        if self.kind == "last" and self.turns < 1:
            raise ConfigurationError(
                f"ContextPolicy.last({self.turns!r}) takes nothing along.", hint="Pass one turn or more, or use none()."
            )
        if self.kind == "summary" and not (self.turns >= 0 and self.timeout > 0):
            raise ConfigurationError(
                f"ContextPolicy.summary(keep_last_turns={self.turns!r}, timeout={self.timeout!r}) means nothing.",
                hint="keep_last_turns is 0 or more turns, timeout more than 0 s.",
            )

    @classmethod
    def all(cls) -> ContextPolicy:
        """Everything: the default."""
        return cls("all")

    @classmethod
    def last(cls, turns: int) -> ContextPolicy:
        """The last ``turns`` turns, one or more; a turn begins with what the caller says."""
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
    that goes on (unset: that it was handed over). Raises ``ConfigurationError`` for terms that mean nothing."""

    agent: Agent
    context: ContextPolicy | None = None
    entry: EntryMode | None = None
    reason: str = ""
    result: Any = None

    def __post_init__(self) -> None:
        check_agent(self.agent)
        check_terms(self.context, self.entry)


def check_agent(agent: Any) -> None:
    """Raises ``ConfigurationError`` for what is not an agent."""
    from antiphon.agents.agent import Agent

    if isinstance(agent, Agent):
        return
    if isinstance(agent, type) and issubclass(agent, Agent):
        raise ConfigurationError(
            f"{agent.__name__} is a class, and an agent is wanted.", hint=f"Write {agent.__name__}(...) to make one."
        )
    raise ConfigurationError(f"{agent!r} is not an agent.", hint="Pass an object of a class made of Agent.")


def check_terms(context: Any, entry: Any) -> None:
    """Raises ``ConfigurationError`` for terms of a hand-off that mean nothing."""
    if context is not None and not isinstance(context, ContextPolicy):
        raise ConfigurationError(f"context={context!r} is no ContextPolicy.", hint=HOW_TO_CHOOSE)
    if entry is not None and entry not in get_args(EntryMode):
        raise ConfigurationError(
            f"entry={entry!r} is not known.", hint=f"Use {', '.join(map(repr, get_args(EntryMode)))}, or leave it out."
        )
