"""TaskGroup: tasks one after another, with going back to one that is done, and leaving out what is optional.

Owns the order and the results. What each task says is its own business; here it is only told, by two more tools, how to
leave: back to another task, or on to the next.
"""

from __future__ import annotations

import inspect
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec

from antiphon.agents.fields.texts import texts
from antiphon.agents.handoff import ContextPolicy
from antiphon.agents.ready.field_task import FieldTask
from antiphon.agents.task import AgentTask
from antiphon.errors import ConfigurationError, TaskDeclinedError, TaskError, ToolError
from antiphon.tools.function_tool import FunctionTool, function_tool
from antiphon.turns.words import words_of

GO_BACK, SKIP = "go_back", "skip"
INSTRUCTIONS = "The caller answers a few questions, one after another. Say nothing that was not asked of you."


class TaskGroupResult(msgspec.Struct):
    """``task_results``: what each task gave, by its id, in order. ``skipped``: ids of those that were left out."""

    task_results: dict[str, Any] = {}
    skipped: list[str] = []

    def summary(self) -> str:
        """One line for each result, for a model to read."""
        lines = [f"{id}: {result}" for id, result in self.task_results.items()]
        return "\n".join([*lines, *(f"{id}: not given" for id in self.skipped)])


class TaskCompletedEvent(msgspec.Struct, frozen=True):
    """One task of a group has its result. ``task``: the task; a later one of the same id replaces its result."""

    task_id: str
    result: Any
    task: AgentTask[Any]


class Entry(msgspec.Struct, frozen=True):
    """One place in the group; see ``TaskGroup.add``."""

    id: str
    factory: Callable[[], AgentTask[Any]]
    description: str
    optional: bool
    when: Callable[[dict[str, Any]], bool] | None
    names: tuple[str, ...]


class _Left(Exception):  # noqa: N818  (a way out, not a failure)
    """The caller leaves a task: to another one, with words that may answer it, or (``to`` empty) on to the next."""

    def __init__(self, to: str = "", said: str = "") -> None:
        self.to, self.said = to, said


class TaskGroup(AgentTask[TaskGroupResult]):
    """Tasks one after another: ``results = await TaskGroup().add(...).add(...)``.

    The agent that awaited it reads the results afterwards instead of the dialogue; history keeps that. ``returns`` of a
    subclass says otherwise (``ContextPolicy.all()``).

    ``on_task_completed``: called with each ``TaskCompletedEvent`` (a function or a coroutine). ``return_exceptions``: what a task
    raises is its result, and the group goes on; else it ends the group, unless the task is optional and was declined.
    ``options``: as for ``Agent``; models, voice and turn handling are those of the agent between two tasks.
    """

    returns = ContextPolicy.brief(None)

    def __init__(
        self,
        *,
        on_task_completed: Callable[[TaskCompletedEvent], Awaitable[None] | None] | None = None,
        return_exceptions: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(instructions=INSTRUCTIONS, **options)
        self._entries: dict[str, Entry] = {}
        self._on_completed, self._keeps_errors = on_task_completed, return_exceptions
        self._results: dict[str, Any] = {}
        self._skipped: list[str] = []
        self._names: dict[str, tuple[str, ...]] = {}
        self._current: AgentTask[Any] | None = None

    def add(
        self,
        factory: Callable[[], AgentTask[Any]],
        *,
        id: str,
        description: str = "",
        optional: bool = False,
        when: Callable[[dict[str, Any]], bool] | None = None,
        names: Sequence[str] = (),
    ) -> TaskGroup:
        """Append a task; returns the group. ``factory`` makes it, anew each time it is visited (a class, a lambda).

        ``id``: of its result. ``description``: what the model reads when it chooses where to go back to. ``optional``: the
        caller may leave it out. ``when``: looks at the results so far and says whether it is asked at all. ``names``: what
        callers may call it ("my address was wrong"); the ready tasks know their own.
        """
        if id in self._entries:
            raise ConfigurationError(f"Two tasks of the group are called {id!r}.", hint="Give each an id of its own.")
        if isinstance(factory, AgentTask):
            raise ConfigurationError("A group makes its tasks itself.", hint="Pass the class, or lambda: Task(...).")
        self._entries[id] = Entry(id, factory, description or id, optional, when, tuple(names))
        return self

    @property
    def results(self) -> dict[str, Any]:
        """What the tasks have given so far."""
        return dict(self._results)

    async def on_enter(self) -> None:
        try:
            await self._visit_all()
        except Exception as exc:
            if not self.done():
                self._end(exc, f"Not finished: {exc}\n")
        else:
            self._end(self._result_so_far())

    def _result_so_far(self) -> TaskGroupResult:
        results = {id: self._results[id] for id in self._entries if id in self._results}
        return TaskGroupResult(results, list(self._skipped))

    def _end(self, outcome: TaskGroupResult | Exception, heading: str = "") -> None:
        if self.returns == ContextPolicy.brief(None):
            self.returns = ContextPolicy.brief(heading + self._result_so_far().summary())
        self.complete(outcome)

    async def _visit_all(self) -> None:
        if not self._entries:
            raise TaskError("The group has no tasks.", hint="Call add() before you await it.")
        to_visit = deque((id, "") for id in self._entries)
        while to_visit:
            id, said = to_visit.popleft()
            entry = self._entries[id]
            if entry.when is not None and id not in self._results and not entry.when(self.results):
                self._leave_out(id)
                continue
            try:
                await self._visit(entry, said)
            except _Left as left:
                if left.to:
                    to_visit.extendleft([(id, ""), (left.to, left.said)])
                else:
                    self._leave_out(id)

    async def _visit(self, entry: Entry, said: str) -> None:
        task = entry.factory()
        if not isinstance(task, AgentTask):
            raise ConfigurationError(f"The factory of {entry.id!r} made {type(task).__name__}, which is no AgentTask.")
        if isinstance(task, FieldTask):
            task.begin_with(said, self._way_out)
        words = texts(self.language or self._spoken or self.session.language)
        known = words.names.get(task.field, ()) if words and isinstance(task, FieldTask) else ()
        self._names[entry.id] = (*entry.names, *known, *words_of(entry.id.replace("_", " "))[-1:])
        await task.update_tools([*task.tools, *self._ways_out(entry)])
        self._current = task
        try:
            result: Any = await task
        except TaskDeclinedError as declined:
            if entry.id in self._results:
                return  # what it gave before stands
            if entry.optional:
                self._leave_out(entry.id)
                return
            if not self._keeps_errors:
                raise
            result = declined
        except (_Left, TaskError):
            raise
        except Exception as exc:
            if not self._keeps_errors:
                raise
            result = exc
        self._results[entry.id] = result
        if entry.id in self._skipped:
            self._skipped.remove(entry.id)
        if self._on_completed is not None:
            told = self._on_completed(TaskCompletedEvent(entry.id, result, task))
            if inspect.isawaitable(told):
                await told

    def _leave_out(self, id: str) -> None:
        if id not in self._results and id not in self._skipped:
            self._skipped.append(id)

    # --- ways out of a task --------------------------------------------------------------------------------------

    def _ways_out(self, entry: Entry) -> list[FunctionTool]:
        visited = [one for one in self._visited() if one != entry.id]
        made = []
        if visited:
            known = "; ".join(f"{id}: {self._entries[id].description}" for id in visited)
            text = (
                f"The caller wants to change an earlier answer. task_id is one of: {known}. said: the caller's words."
            )
            made.append(function_tool(name=GO_BACK, description=text)(self._go_back))
        if entry.optional:
            text = f"The caller does not want to answer this: {entry.description}."
            made.append(function_tool(name=SKIP, description=text)(self._skip))
        return made

    def _visited(self) -> list[str]:
        return [id for id in self._entries if id in self._results or id in self._skipped]

    async def _go_back(self, task_id: str, said: str = "") -> None:
        if task_id not in self._visited():
            raise ToolError(f"{task_id!r} was not asked yet.", hint=f"Use one of: {', '.join(self._visited())}.")
        self._leave(_Left(task_id, said))

    async def _skip(self) -> None:
        self._leave(_Left())

    def _leave(self, left: _Left) -> None:
        assert self._current is not None
        self._current.complete(left)

    def _way_out(self, text: str, field: str) -> tuple[str, dict[str, str]] | None:
        """The tool call that a caller's words mean who wants to go back, where they surely do."""
        words = texts(self.language or self._spoken or self.session.language)
        if words is None:
            return None
        visited = [id for id in self._visited() if self._current is not None]
        said = f" {' '.join(words_of(text))} "
        own = words.names.get(field, ())
        if words.matches(words.returns, text):
            named = [
                id for id in visited if any(f" {' '.join(words_of(name))} " in said for name in self._names.get(id, ()))
            ]
            if len(named) == 1 and not any(name in own for name in self._names[named[0]]):
                return GO_BACK, {"task_id": named[0], "said": text}
        if visited and words.matches(words.goes_back, text):
            return GO_BACK, {"task_id": visited[-1]}
        return None
