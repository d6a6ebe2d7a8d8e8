"""Mocked tools: other functions run instead of an agent's tools, and every call is kept.

``with mock_tools(Shop, {"price": lambda item: 3}) as tools:`` holds for every agent of the class, in sessions made before and
behind it. All else of a call stays real: its schema and checks, effects, confirmation, policy, history.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from antiphon.agents.agent import Agent
from antiphon.errors import ConfigurationError
from antiphon.tools import stand_ins
from antiphon.tools.run_context import RunContext


@dataclass
class MockedCall:
    """One call of a mocked tool. ``result`` or ``error``: what the mock made of it; ``done``: whether it has ended."""

    name: str
    arguments: dict[str, Any]
    result: Any = None
    error: BaseException | None = None
    done: bool = False


class MockedTools:
    """What ``mock_tools`` gives. ``calls``: every call, oldest first."""

    def __init__(self, agent: type[Agent] | Agent, mocks: Mapping[str, Any]) -> None:
        self.calls: list[MockedCall] = []
        self._agent, self._mocks = agent, dict(mocks)
        self._offered: set[str] = set()

    def calls_of(self, name: str) -> list[MockedCall]:
        """The calls of one tool. Raises ``ConfigurationError`` for a tool that is not mocked."""
        if name not in self._mocks:
            raise ConfigurationError(
                f"{name!r} is not mocked.", hint=f"Mocked are: {', '.join(sorted(self._mocks)) or 'none'}."
            )
        return [call for call in self.calls if call.name == name]

    def _mocks_for(self, agent: Any) -> bool:
        return isinstance(agent, self._agent) if isinstance(self._agent, type) else agent is self._agent

    def offered(self, agent: Any, tools: Collection[str]) -> None:
        if self._mocks_for(agent):
            self._offered.update(tools)

    def check_offered(self) -> None:
        """Raises ``ConfigurationError`` for a mock of a tool that no agent had. Where none of them was asked nothing is known."""
        kind = self._agent if isinstance(self._agent, type) else type(self._agent)
        known = self._offered | {tool.name for tool in _own_tools(kind)}
        unknown = sorted(self._mocks.keys() - known)
        if unknown and self._offered:
            raise ConfigurationError(
                f"mock_tools mocks {', '.join(map(repr, unknown))}, which {kind.__name__} did not have.",
                hint=f"Its tools were: {', '.join(sorted(known))}.",
            )

    def stand_in(self, agent: Any, tool: str) -> stand_ins.StandIn | None:
        if tool not in self._mocks or not self._mocks_for(agent):
            return None

        async def mocked(arguments: dict[str, Any], context: RunContext[Any]) -> Any:
            call = MockedCall(tool, dict(arguments))
            self.calls.append(call)
            try:
                call.result = await _made(self._mocks[tool], arguments, context)
            except BaseException as exc:
                call.error = exc
                raise
            finally:
                call.done = True
            return call.result

        return mocked


@contextmanager
def mock_tools(agent: type[Agent] | Agent, mocks: Mapping[str, Any]) -> Iterator[MockedTools]:
    """Run ``mocks`` instead of the tools of these names.

    ``agent``: an agent, or a class of agents; also for tools of the session, toolsets and MCP servers that they use. A mock is
    a function (sync, then in a thread, or async) of those of the tool's arguments that it names, and of ``ctx`` where it
    wants the ``RunContext``; an exception to raise; or a value to return. The innermost one counts. Raises
    ``ConfigurationError`` for a function that asks for an argument the tool does not have; and at the end of the block for a
    tool that none of the agents was offered, where any was offered tools at all."""
    kind = agent if isinstance(agent, type) else type(agent)
    if not issubclass(kind, Agent):
        raise ConfigurationError(
            f"mock_tools got {agent!r}.", hint="Pass the agent's class, or the agent, then the mocks by tool name."
        )
    for name, mock in mocks.items():
        _check(kind, name, mock)
    made = MockedTools(agent, mocks)
    with stand_ins.registered(made):
        yield made
    made.check_offered()


def _is_exception(mock: Any) -> bool:
    return isinstance(mock, BaseException) or (isinstance(mock, type) and issubclass(mock, BaseException))


def _check(kind: type[Agent], name: str, mock: Any) -> None:
    """A mock of one of the class's own tools takes what the tool takes."""
    own = next((tool for tool in _own_tools(kind) if tool.name == name), None)
    if own is None or not callable(mock) or _is_exception(mock):
        return
    known = set(own.spec.parameters.get("properties") or ())
    for parameter in _parameters(mock):
        if parameter.name not in known and parameter.default is parameter.empty and parameter.name not in _CONTEXT:
            raise ConfigurationError(
                f"The mock of {name!r} takes {parameter.name!r}, which the tool has not.",
                hint=f"Take some of: {', '.join(sorted(known)) or 'nothing'}; or ctx.",
            )


_CONTEXT = ("ctx", "context")


def _own_tools(kind: type[Agent]) -> list[Any]:
    from antiphon.tools.function_tool import FunctionTool

    found = {name: value for base in reversed(kind.__mro__) for name, value in vars(base).items()}
    return [value for value in found.values() if isinstance(value, FunctionTool)]


def _parameters(mock: Callable[..., Any]) -> list[inspect.Parameter]:
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return [one for one in inspect.signature(mock).parameters.values() if one.kind in named]


async def _made(mock: Any, arguments: dict[str, Any], context: RunContext[Any]) -> Any:
    if _is_exception(mock):
        raise mock
    if not callable(mock):
        return mock
    given = dict.fromkeys(_CONTEXT, context) | arguments
    takes_all = any(one.kind is one.VAR_KEYWORD for one in inspect.signature(mock).parameters.values())
    named = {one.name for one in _parameters(mock)}
    chosen = {name: value for name, value in given.items() if name in named or (takes_all and name in arguments)}
    if inspect.iscoroutinefunction(mock):
        return await mock(**chosen)
    value = await asyncio.to_thread(mock, **chosen)
    return await value if inspect.isawaitable(value) else value
