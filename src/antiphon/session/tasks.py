"""Sub-dialogues on the user's lane: from the code that awaits one to the kernel's stack, and back with the result."""

from __future__ import annotations

import asyncio
import json
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from antiphon.agents.handoff import ContextPolicy, Handoff
from antiphon.agents.task import AgentTask, Outcome, TaskLeft, result_type, task_host
from antiphon.chat.context import ChatContext
from antiphon.errors import SessionClosedError, TaskCancelledError, TaskDeclinedError, TaskError
from antiphon.kernel import events as ev
from antiphon.session.saved_state import as_json

if TYPE_CHECKING:
    from antiphon.session.live_session import LiveSession

CLOSED = "The session ended before this task had its result."
CANCELLED = "This task ended without a result: the conversation was handed over, or what awaited it has ended."
AWAITS = ("on_enter", "on_exit", "tool")
"""User code that may await tasks."""


@dataclass
class Awaited:
    """``future``: how it ended, and the recorded result with it."""

    task: AgentTask[Any]
    future: asyncio.Future[dict[str, Any]]


class Tasks:
    """``speaking``: the objects behind the tasks under way, by the kernel's id: they have the result itself, where the
    record has it as text."""

    def __init__(self, session: LiveSession) -> None:
        self._session = session
        self._awaited: dict[str, Awaited] = {}
        self.speaking: dict[str, AgentTask[Any]] = {}
        self._of_before: dict[type, str] = {}

    def goes_on(self, id: str, task: AgentTask[Any], ask: str) -> None:
        """A former process began it. ``ask``: the application awaited it there; its next task of this class takes it up."""
        self.speaking[id] = task
        task._begin()
        task._tell = lambda: self._completed(id, task)
        if ask:
            self._of_before[type(task)] = ask

    def host(self, op: ev.Op, code: str) -> Host:
        """For one tool call or hook; ``code``: the hook's name, or ``tool``."""
        return Host(self, op, code)

    async def run(self, task: AgentTask[Any]) -> Any:
        """For application code; in a tool or hook that still runs it is as the await of the task is."""
        host = task_host.get()
        if isinstance(host, Host) and host.serves(self):
            return await host.perform(task)
        return await self.perform(task)

    async def perform(self, task: AgentTask[Any], op: ev.Op | None = None, number: int = 1) -> Any:
        """Let ``task`` speak until it is done; returns its result or raises."""
        shell, _ = self._session.running()
        task._begin()
        if task._outcome is not None:
            return task._outcome.get()
        ref, terms = await self._session.handing_over.terms(Handoff(task))
        ask = self._of_before.pop(type(task), "") if op is None else ""
        ask, future = ask or uuid.uuid4().hex, asyncio.get_running_loop().create_future()
        self._awaited[ask] = Awaited(task, future)
        shell.post(ev.TaskAsked(ask=ask, agent=ref, op=op, number=number, terms=terms))
        try:
            return self._outcome(task, await future)
        except asyncio.CancelledError:
            if shell is self._session._shell:  # else a new owner goes on with the task
                task._cancelled = True
                self.speaking = {id: speaks for id, speaks in self.speaking.items() if speaks is not task}
                shell.post(ev.TaskCancelled(ask=ask))
            raise
        finally:
            del self._awaited[ask]

    def _outcome(self, task: AgentTask[Any], end: dict[str, Any]) -> Any:
        if end["state"] == "done":
            spoke = self.speaking.pop(end["task"], task)
            if spoke._outcome is None:
                spoke._outcome = Outcome(_recorded(task, end["result"], end["is_error"]))
            task._outcome = spoke._outcome
            return task._outcome.get()
        task._cancelled = True
        spoke = self.speaking.pop(end["task"], task)
        spoke._cancelled = True
        if end["state"] == "closed":
            raise SessionClosedError(CLOSED)
        if end["state"] == "too deep":
            raise TaskError(f"Task {task.id!r} is nested too deep in other tasks.")
        raise TaskCancelledError(CANCELLED)

    # --- what the kernel tells -----------------------------------------------------------------------------------

    def notice(self, body: dict[str, Any], at: float) -> None:
        awaited = self._awaited.get(body["ask"])
        if body["state"] == "entered":
            if awaited is not None:
                self._entered(body["task"], awaited.task)
        elif awaited is not None and not awaited.future.done():
            awaited.future.set_result(body)

    def _entered(self, id: str, task: AgentTask[Any]) -> None:
        """``task`` speaks, or one like it does since before a new owner came."""
        self._replace(id, task)
        speaks = self.speaking.setdefault(id, task)
        task._tell = speaks._tell = lambda: self._completed(id, speaks, task)
        if speaks._outcome is not None or task._outcome is not None:
            self._completed(id, speaks, task)

    def _replace(self, id: str, task: AgentTask[Any]) -> None:
        """``task`` is the sub-dialogue that a former process began and this one could not make."""
        shell, directory = self._session.running()
        key = self._session._ensure_side().conversation.tasks[id].agent
        waiting = directory.missing.pop(key, None)
        if waiting is not None:
            task.id = key
            directory.agents[key] = task
            shell.lane.run(shell.rebound)
            for hook in waiting:
                shell.lane.run(shell.call_hook, hook)

    def _completed(self, id: str, *tasks: AgentTask[Any]) -> None:
        outcome = next(task._outcome for task in tasks if task._outcome is not None)
        for task in tasks:
            task._outcome = outcome
        value, is_error = outcome.value, isinstance(outcome.value, Exception)
        if is_error:
            way = {"to": value.to, "said": value.said} if isinstance(value, TaskLeft) else {}
            value = {"error": type(value).__name__, "message": str(value), **way}
        done = ev.TaskDone(task=id, result=as_json(value) or "null", is_error=is_error)
        returns = tasks[0].returns
        if returns is not None and returns.kind == "summary":
            post = self._session._running().post
            self._session.handing_over.begin(lambda: self._sum_up(done, returns), otherwise=lambda: post(done))
        else:
            hidden, note = (False, "") if returns is None else self._session.handing_over.returned(returns, value)
            self._session._running().post(msgspec.structs.replace(done, hidden=hidden, note=note))

    async def _sum_up(self, done: ev.TaskDone, returns: ContextPolicy) -> None:
        """Sum the dialogue up for the agent below, which goes on then."""
        items = self._session.history.items
        task = self._session._ensure_side().conversation.tasks[done.task]
        note = await self._session.handing_over.summed_up(ChatContext(items[task.first :]), returns)
        self._session._running().post(msgspec.structs.replace(done, hidden=bool(note), note=note))

    def close(self) -> None:
        """The session has ended."""
        for ask in list(self._awaited):
            self.notice({"ask": ask, "task": "", "state": "closed"}, 0.0)


class Host:
    """The ``TaskHost`` of one tool call or hook. ``over``: that has ended; what it left running is the application's."""

    def __init__(self, tasks: Tasks, op: ev.Op, code: str) -> None:
        self._tasks, self._op, self._code = tasks, op, code
        self._number = 0
        self.over = False

    def serves(self, tasks: Tasks) -> bool:
        return self._tasks is tasks and not self.over

    async def perform(self, task: AgentTask[Any]) -> Any:
        if self._code not in AWAITS:
            raise TaskError(
                f"Task {task.id!r} is awaited in {self._code}, which the caller's next turn waits for.",
                hint="Await it in a tool, on_enter or on_exit.",
            )
        self._number += 1
        return await self._tasks.perform(task, self._op, self._number)


def _recorded(task: AgentTask[Any], text: str, is_error: bool) -> Any:
    """A result out of the log, where the object that had it is gone."""
    value = json.loads(text)
    if is_error:
        if "to" in value:
            return TaskLeft(value["to"], value["said"])
        known = TaskDeclinedError if value.get("error") == "TaskDeclinedError" else TaskError
        return known(value.get("message", ""))
    kind = result_type(task)
    validate = getattr(kind, "model_validate", None)
    if validate is not None:
        return validate(value)
    try:
        return msgspec.convert(value, kind)
    except (msgspec.ValidationError, TypeError):
        return value
