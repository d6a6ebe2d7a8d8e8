"""Restoring: an agent that another process had, made anew by the path of its class and the state that it had saved."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib import import_module

from antiphon.agents.agent import Agent
from antiphon.agents.task import AgentTask
from antiphon.errors import ConfigurationError


def path_of(agent: Agent) -> str:
    """``module:QualName`` of its class; empty for a plain ``Agent(...)``, which only its own program can make."""
    kind = type(agent)
    return "" if kind in (Agent, AgentTask) else f"{kind.__module__}:{kind.__qualname__}"


def restored(path: str, state: str) -> Agent:
    """``state``: JSON text as it was saved, empty where none was. Raises ``ConfigurationError`` where it cannot be made."""
    kind = _class(path)
    if kind is None:
        what = path or "a plain Agent(...)"
        raise ConfigurationError(
            f"{what} cannot be made anew in this process.",
            hint="Give the agent a class at the top of a module; its id is the class's name, or what it sets.",
        )
    try:
        made = kind.restore(json.loads(state) if state else None)
    except Exception as exc:
        raise ConfigurationError(
            f"{path} cannot be made anew: {type(exc).__name__}: {exc}.",
            hint="Make its constructor work without arguments, or override the classmethod restore(state).",
        ) from exc
    if not isinstance(made, Agent):
        raise ConfigurationError(f"{path}.restore returned {type(made).__name__}.", hint="Return the agent.")
    return made


def _class(path: str) -> type[Agent] | None:
    """Where several have this path (a class made in a function), the newest."""
    module, _, name = path.partition(":")
    if not name:
        return None
    known = _known(path)
    if known is None:
        try:
            import_module(module)
        except ImportError:
            return None
        known = _known(path)
    return known


def _known(path: str) -> type[Agent] | None:
    found = [kind for kind in _subclasses(Agent) if f"{kind.__module__}:{kind.__qualname__}" == path]
    return found[-1] if found else None


def _subclasses(kind: type[Agent]) -> Iterator[type[Agent]]:
    for below in kind.__subclasses__():
        yield below
        yield from _subclasses(below)
