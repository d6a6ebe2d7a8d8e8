"""AgentTask: a sub-dialogue that is awaited for a typed result. How it is carried out is the session's business."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextvars import ContextVar
from typing import Any, Generic, Protocol, TypeVar, get_args, get_origin

from antiphon.agents.agent import Agent
from antiphon.agents.handoff import ContextPolicy, check_agent, check_terms
from antiphon.errors import ConfigurationError, TaskError

T = TypeVar("T")


class TaskHost(Protocol):
    """What the session does for code that awaits tasks."""

    async def perform(self, task: AgentTask[Any]) -> Any: ...


task_host: ContextVar[TaskHost | None] = ContextVar("antiphon_task_host", default=None)
"""The host of the tool or hook that the running code is part of."""


class AgentTask(Agent, Generic[T]):
    """An agent that speaks until it has a result: ``result = await GetEmail()``, in a tool, in ``on_enter`` or ``on_exit``,
    in another task's; elsewhere ``await session.run_task(GetEmail())``.

    It is made as an ``Agent`` is. While it runs it is the current agent, with its instructions, tools, models, voice and turn
    handling; it reads the conversation so far. Where its ``on_enter`` says nothing it opens the dialogue with a reply. Behind
    it the agent that was left goes on as it was. The time that it takes counts for no time limit of the code that awaits it.

    The await raises what ``complete`` was given where that is an exception (``TaskDeclinedError``: the caller will not),
    ``SessionClosedError`` where the session ends or the caller hangs up first, ``TaskCancelledError`` where the conversation
    was handed over or a task around it ended first, ``TaskError`` where it cannot be awaited: twice, or nested too deep.
    """

    returns: ContextPolicy | None = None
    """What the agent that was left reads of the dialogue: all of it where unset; ``summary(keep_last_turns=0)``, ``brief(...)`` or
    ``none()`` instead. Set on the class or the object, before ``complete``."""
    _outcome: Outcome | None = None
    _awaited = False
    _cancelled = False
    _tell: Callable[[], None] | None = None

    def complete(self, result: T | Exception) -> None:
        """End the task with this result; an exception is raised from the await. Nothing more of it is said, but for what
        sounds already. Raises ``TaskError`` on a second call; does nothing where the task was cancelled meanwhile."""
        if self._outcome is not None:
            raise TaskError(f"Task {self.id!r} is complete already.", hint="Call complete() once.")
        if self._cancelled:
            return
        self._outcome = Outcome(result)
        if self._tell is not None:
            self._tell()

    def done(self) -> bool:
        """Whether it has its result, or will never have one."""
        return self._outcome is not None or self._cancelled

    def __await__(self) -> Generator[Any, Any, T]:
        return self._result().__await__()

    async def _result(self) -> T:
        host = task_host.get()
        if host is None:
            raise TaskError(
                f"Task {self.id!r} is awaited outside a tool and outside on_enter and on_exit.",
                hint="Application code writes: result = await session.run_task(task).",
            )
        result: T = await host.perform(self)
        return result

    def _begin(self) -> None:
        """Its one await begins."""
        if self._awaited:
            raise TaskError(f"Task {self.id!r} is awaited a second time.", hint="Make a new task for each await.")
        check_terms(self.returns, None)
        self._awaited = True


class TaskLeft(Exception):  # noqa: N818  (a way out, not a failure)
    """The caller leaves a task of a group: for another one (``to``; empty: on to the next), with words that may answer it."""

    def __init__(self, to: str = "", said: str = "") -> None:
        super().__init__(to, said)
        self.to, self.said = to, said


class Outcome:
    """What a task came to."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def get(self) -> Any:
        if isinstance(self.value, Exception):
            raise self.value
        return self.value


def check_takes_over(agent: Any) -> None:
    """Raises ``ConfigurationError`` for what cannot have the conversation for good: a task ends, and nobody would come behind
    it."""
    check_agent(agent)
    if isinstance(agent, AgentTask):
        raise ConfigurationError(
            f"{type(agent).__name__} is a task: when it is complete, nobody would speak behind it.",
            hint=f"Await it in a tool or in on_enter: result = await {type(agent).__name__}(...); "
            "application code writes: await session.run_task(task).",
        )


def result_type(task: AgentTask[Any]) -> Any:
    """The ``T`` that its class names, ``Any`` where it names none."""
    for base in type(task).__mro__:
        for generic in getattr(base, "__orig_bases__", ()):
            if isinstance(get_origin(generic), type) and issubclass(get_origin(generic), AgentTask):
                named = get_args(generic)[0]
                return Any if isinstance(named, TypeVar) else named
    return Any
