"""Functions that stand in for tools under test: what is registered here runs instead of a tool's own function.

All else of the call stays as it is: its schema, its effect, confirmation, policy, time limit, its place in the history.
Outside tests nothing is registered. Each scope has its own stand-ins, so that tests that run at once do not mix; a session
belongs to the scope it was made in.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Protocol

from antiphon.tools.run_context import RunContext

StandIn = Callable[[dict[str, Any], RunContext[Any]], Any]
"""Called with the checked arguments and the call's context; may be a coroutine function."""


class Source(Protocol):
    """Knows stand-ins by the agent whose model makes the call, and the tool's name."""

    def stand_in(self, agent: Any, tool: str) -> StandIn | None: ...

    def offered(self, agent: Any, tools: Collection[str]) -> None:
        """These are the tools that the agent's model has."""


_scope: ContextVar[str] = ContextVar("antiphon_stand_ins", default="")
_sources: dict[str, list[Source]] = {}


def scope() -> str:
    """The scope of the code that asks."""
    return _scope.get()


@contextmanager
def scoped(name: str) -> Iterator[None]:
    """A scope of one's own."""
    token = _scope.set(name)
    try:
        yield
    finally:
        _scope.reset(token)


@contextmanager
def registered(source: Source) -> Iterator[None]:
    """``source`` holds in this scope; the newest comes first."""
    name = scope()
    _sources.setdefault(name, []).insert(0, source)
    try:
        yield
    finally:
        _sources[name].remove(source)
        if not _sources[name]:
            del _sources[name]


def find(scope: str, agent: Any, tool: str) -> StandIn | None:
    """What stands in for the tool in this scope, if anything does."""
    for source in _sources.get(scope, ()):
        found = source.stand_in(agent, tool)
        if found is not None:
            return found
    return None


def offered(scope: str, agent: Any, tools: Iterable[str]) -> None:
    """Tell what the agent's model is offered."""
    if sources := _sources.get(scope):
        names = set(tools)
        for source in sources:
            source.offered(agent, names)
