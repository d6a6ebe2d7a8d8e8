"""TaskGroup: tasks one after another, with going back to one that is done, and leaving out what is optional.

Owns the order and the results. What each task says is its own business; here it is only told, by two more tools, how to
leave: back to another task, or on to the next.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec

from antiphon.agents.fields.texts import texts
from antiphon.agents.handoff import ContextPolicy
from antiphon.agents.ready.field_task import FieldTask
from antiphon.agents.task import AgentTask, TaskLeft
from antiphon.errors import ConfigurationError, TaskDeclinedError, TaskError, ToolError
from antiphon.tools.function_tool import FunctionTool, function_tool
from antiphon.turns.words import words_of

GO_BACK, SKIP = "go_back", "skip"
FEW = 3
"""Words beside a "go back" that do not say where to: "can we go back please"."""
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


class TaskGroup(AgentTask[TaskGroupResult]):
    """Tasks one after another: ``results = await TaskGroup().add(...).add(...)``.

    The agent that awaited it reads the results afterwards instead of the dialogue; history keeps that. ``returns`` of a
    subclass says otherwise (``ContextPolicy.all()``).

    ``on_task_completed``: called with each ``TaskCompletedEvent`` (a function or a coroutine); again for each task that is
    done already where a new owner takes the session over, so let it do no harm twice. ``return_exceptions``: what a task
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
        self._skipped: set[str] = set()
        self._inapplicable: set[str] = set()
        self._names: dict[str, tuple[str, ...]] = {}

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
        caller may leave it out. ``when``: looks at the results so far and says whether it is asked at all; it is asked
        again after each answer, and what no longer applies is taken out of the results. ``names``: what callers may call it
        ("my address was wrong"); the ready tasks know their own.
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
            self._end(exc, f"Not finished: {exc}\n")
        else:
            self._end(self._result_so_far())

    def _result_so_far(self) -> TaskGroupResult:
        results = {id: self._results[id] for id in self._entries if id in self._results}
        return TaskGroupResult(results, [id for id in self._entries if id in self._skipped | self._inapplicable])

    def _end(self, outcome: TaskGroupResult | Exception, heading: str = "") -> None:
        if self.done():  # cancelled, or a new owner found it done
            return
        if self.returns == ContextPolicy.brief(None):
            self.returns = ContextPolicy.brief(heading + self._result_so_far().summary())
        self.complete(outcome)

    async def _visit_all(self) -> None:
        if not self._entries:
            raise TaskError("The group has no tasks.", hint="Call add() before you await it.")
        self._results.clear()  # a new owner of the session begins anew, with what is on record
        self._skipped.clear()
        self._inapplicable.clear()
        left_again: set[str] = set()  # answered before, and left in the midst of being asked again
        to, said = "", ""
        while id := to or self._next(left_again):
            left_again.discard(id)
            to, text = "", said
            said = ""
            try:
                await self._visit(self._entries[id], text)
            except TaskLeft as left:
                to, said = left.to, left.said
                if to and id in self._settled():
                    left_again.add(id)
                elif not to:
                    self._leave_out(id)

    def _next(self, left_again: set[str]) -> str:
        """The first place that applies and is not settled, empty where there is none. What the answers so far make not
        apply loses its result: a later answer may have changed an earlier one that it hangs on."""
        for id, entry in self._entries.items():
            if entry.when is not None and not entry.when(self.results):
                self._results.pop(id, None)
                self._inapplicable.add(id)
                continue
            self._inapplicable.discard(id)
            if id in left_again or id not in self._settled():
                return id
        return ""

    async def _visit(self, entry: Entry, said: str) -> None:
        task = entry.factory()
        if not isinstance(task, AgentTask):
            raise ConfigurationError(f"The factory of {entry.id!r} made {type(task).__name__}, which is no AgentTask.")
        if isinstance(task, FieldTask):
            task.begin_with(said, lambda text, field: self._way_out(entry, text, field))
        words = texts(self.language or self._spoken or self.session.language)
        known = words.names.get(task.field, ()) if words and isinstance(task, FieldTask) else ()
        self._names[entry.id] = (*entry.names, *known, *words_of(entry.id.replace("_", " "))[-1:])
        await task.update_tools([*task.tools, *self._ways_out(entry, task)])
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
        except (TaskLeft, TaskError):
            raise
        except Exception as exc:
            if not self._keeps_errors:
                raise
            result = exc
        self._results[entry.id] = result
        self._skipped.discard(entry.id)
        if self._on_completed is not None:
            told = self._on_completed(TaskCompletedEvent(entry.id, result, task))
            if inspect.isawaitable(told):
                await told

    def _leave_out(self, id: str) -> None:
        if id not in self._results:
            self._skipped.add(id)

    # --- ways out of a task --------------------------------------------------------------------------------------

    def _ways_out(self, entry: Entry, task: AgentTask[Any]) -> list[FunctionTool]:
        settled = [one for one in self._settled() if one != entry.id]

        async def go_back(task_id: str, said: str = "") -> None:
            if task_id not in settled:
                raise ToolError(f"{task_id!r} was not asked yet.", hint=f"Use one of: {', '.join(settled)}.")
            task.complete(TaskLeft(task_id, said))

        async def skip() -> None:
            task.complete(TaskLeft())

        made = []
        if settled:
            known = "; ".join(f"{id}: {self._entries[id].description}" for id in settled)
            text = (
                f"The caller wants to change an earlier answer. task_id is one of: {known}. said: the caller's words."
            )
            made.append(function_tool(name=GO_BACK, description=text, retry="replay")(go_back))
        if entry.optional:
            text = f"The caller does not want to answer this: {entry.description}."
            made.append(function_tool(name=SKIP, description=text, retry="replay")(skip))
        return made

    def _settled(self) -> list[str]:
        """What was answered or left out by the caller, of what applies; in order."""
        settled = (self._results.keys() | self._skipped) - self._inapplicable
        return [id for id in self._entries if id in settled]

    def _way_out(self, entry: Entry, text: str, field: str) -> tuple[str, dict[str, str]] | None:
        """The tool call that a caller's words mean who wants to go back, where they surely do."""
        words = texts(self.language or self._spoken or self.session.language)
        if words is None:
            return None
        visited = self._settled()
        said = f" {' '.join(words_of(text))} "
        own = words.names.get(field, ())
        if words.matches(words.returns, text):
            named = [
                id for id in visited if any(f" {' '.join(words_of(name))} " in said for name in self._names.get(id, ()))
            ]
            if len(named) == 1 and not any(name in own for name in self._names[named[0]]):
                return GO_BACK, {"task_id": named[0], "said": text}
        order = list(self._entries)
        before = [id for id in visited if order.index(id) < order.index(entry.id)]
        rest = re.sub(words.goes_back, "", said.strip()).split()
        if before and len(rest) <= FEW and words.matches(words.goes_back, text):
            return GO_BACK, {"task_id": before[-1]}
        return None
