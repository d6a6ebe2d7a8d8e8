"""User code on the user's lane: hooks and tools, each a task with a name, an answer and an end.

Nothing here decides anything: it runs what the kernel asked for and posts what came of it. A task that swallows its
cancellation is abandoned, named and counted.
"""

from __future__ import annotations

import asyncio
import contextvars
import traceback
from collections.abc import Callable, Coroutine, Sequence, Set
from typing import Any

import msgspec

from antiphon.agents.agent import Agent
from antiphon.agents.task import task_host
from antiphon.chat.context import ChatContext
from antiphon.chat.items import ChatMessage, FunctionCall
from antiphon.chat.media import Media
from antiphon.errors import SessionClosedError, StopResponse, TaskCancelledError, TaskDeclinedError, ToolError
from antiphon.kernel.effects import CallHook, RunTool
from antiphon.kernel.events import Event, HookReturned, Op, ToolReturned
from antiphon.session.lanes import Lane
from antiphon.session.media_shelf import MediaShelf
from antiphon.session.tasks import Tasks
from antiphon.session.tool_gate import ToolGate
from antiphon.session.tool_running import HandOver, answer_of, run
from antiphon.tools.function_tool import FunctionTool
from antiphon.tools.run_context import RunContext

current_hook: contextvars.ContextVar[Op | None] = contextvars.ContextVar("antiphon_hook", default=None)
"""The hook that the running code is part of: calls made inside it carry its op."""

current_tool: contextvars.ContextVar[Op | None] = contextvars.ContextVar("antiphon_tool", default=None)
"""The tool call that the running code is part of: what it says carries its op."""

current_floor: contextvars.ContextVar[str] = contextvars.ContextVar("antiphon_floor", default="")
"""The floor that the running tool holds: what it says meanwhile carries its id."""

Report = Callable[[str, str], None]
"""(source, traceback text): something of the user's went wrong; the call goes on."""


class UserCode:
    """Runs on ``lane``; ``post`` takes events to the core from any lane.
    Tasks carry the name of the tool or hook they run: stall reports read it."""

    def __init__(
        self,
        lane: Lane,
        *,
        post: Callable[[Event], None],
        report: Report,
        core: Lane,
        gate: ToolGate,
        on_edited: Callable[[ChatContext], None],
        on_end: Callable[[], None],
        shelf: MediaShelf,
        tasks: Tasks,
    ) -> None:
        self.lane, self._core, self._post, self._report = lane, core, post, report
        self._gate = gate
        self._on_edited, self._on_end = on_edited, on_end
        self._shelf = shelf
        self._dialogues = tasks
        self._tasks: dict[Op, asyncio.Task[None]] = {}
        self._names: dict[Op, str] = {}
        self._lanes: dict[Op, Lane] = {}

    # --- from the core -------------------------------------------------------------------------------------------

    def call_hook(
        self, effect: CallHook, agent: Agent, turn_ctx: ChatContext | None, media: Sequence[Media] = ()
    ) -> None:
        """``media``: of the message that the hook looks at."""
        self._start(
            self.lane,
            effect.op,
            f"hook {agent.id}.{effect.hook}",
            lambda: self._hook(effect, agent, turn_ctx, media),
        )

    def run_tool(self, effect: RunTool, tool: FunctionTool, context: RunContext[Any], hand_over: HandOver) -> None:
        """``hand_over``: what a hand-off that the tool returns means to the kernel."""
        lane = self._core if tool.on_core and not self._gate.concerns(tool) else self.lane
        self._start(lane, effect.op, f"tool {effect.name}", lambda: self._tool(effect, tool, context, hand_over))

    def _start(self, lane: Lane, op: Op, name: str, make: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._names[op], self._lanes[op] = name, lane
        lane.post(self._begin, lane, op, name, make)

    def cancel(self, op: Op) -> None:
        self._lanes.get(op, self.lane).post(self._cancel, op)

    def close(self, keep: Set[Op]) -> None:
        """Cancel everything but ``keep``."""
        for op in list(self._names):
            if op not in keep:
                self.cancel(op)

    def running(self, besides: Set[Op] = frozenset()) -> list[str]:
        """Names of what has not ended."""
        return [name for op, name in list(self._names.items()) if op not in besides]

    def runs(self, op: Op) -> bool:
        return op in self._names

    # --- on the lane of the task ---------------------------------------------------------------------------------

    def _begin(self, lane: Lane, op: Op, name: str, make: Callable[[], Coroutine[Any, Any, None]]) -> None:
        task = lane.loop.create_task(make(), name=name)
        self._tasks[op] = task
        task.add_done_callback(lambda _: self._forget(op))

    def _forget(self, op: Op) -> None:
        self._tasks.pop(op, None)
        self._names.pop(op, None)
        self._lanes.pop(op, None)
        self._on_end()

    def _cancel(self, op: Op) -> None:
        task = self._tasks.get(op)
        if task is not None:
            task.cancel()

    async def _hook(self, effect: CallHook, agent: Agent, turn_ctx: ChatContext | None, media: Sequence[Media]) -> None:
        token = current_hook.set(effect.op)
        host = self._dialogues.host(effect.op, effect.hook)
        task_host.set(host)
        text, stop, error, changed = effect.text, False, "", False
        added: tuple[str, ...] = ()
        try:
            if effect.hook == "on_user_turn_completed" and turn_ctx is not None:
                message = ChatMessage(id=f"turn_{effect.turn}", role="user", text=effect.text, media=[*media])
                before = ChatContext(msgspec.structs.replace(item) for item in turn_ctx)
                await agent.on_user_turn_completed(turn_ctx, message)
                added = self._shelf.put(part for part in message.media if part not in media)
                text, changed = message.text, bool(added) or not before.is_equivalent(turn_ctx)
                if not before.is_equivalent(turn_ctx):
                    self._on_edited(turn_ctx)
            else:
                await getattr(agent, effect.hook)()
        except StopResponse:
            stop = True
        except (TaskCancelledError, SessionClosedError) as exc:
            error = "" if isinstance(exc, TaskCancelledError) else str(exc)
        except asyncio.CancelledError:
            error = "cancelled"
        except Exception as exc:
            error = f"{type(exc).__name__}: {exc}"
            self._report(f"hook {agent.id}.{effect.hook}", traceback.format_exc())
        finally:
            current_hook.reset(token)
            host.over = True
        self._post(HookReturned(op=effect.op, text=text, stop=stop, error=error, context_changed=changed, media=added))

    async def _tool(self, effect: RunTool, tool: FunctionTool, context: RunContext[Any], hand_over: HandOver) -> None:
        answer: dict[str, Any]
        host = self._dialogues.host(effect.op, "tool")
        task_host.set(host)
        current_tool.set(effect.op)
        try:
            arguments = tool.parse(effect.arguments)
            if self._gate.concerns(tool):
                await self._gate.pass_through(tool, context)
            returned = await run(tool, arguments, context)
            answer = await answer_of(returned, tool.options.result_limit, hand_over)
        except StopResponse:
            answer = {"output": "", "reply": False}
        except TaskCancelledError as exc:
            answer = {"output": str(exc), "is_error": True, "reply": False}
        except (ToolError, TaskDeclinedError, SessionClosedError) as exc:
            answer = {"output": str(exc), "is_error": True}
        except asyncio.CancelledError:
            answer = {"output": "The call was cancelled.", "is_error": True, "cancelled": True}
        except Exception as exc:
            self._report(f"tool {effect.name}", traceback.format_exc())
            answer = {"output": f"The tool {effect.name} failed with an internal error.", "is_error": True}
            del exc
        host.over = True
        answer["media"] = self._shelf.put(answer.get("media", ()))
        self._post(ToolReturned(op=effect.op, **answer))


def new_function_call(effect: RunTool) -> FunctionCall:
    """The call as a chat item, for the tool's context."""
    return FunctionCall(
        id=f"call_{effect.call_id}", call_id=effect.call_id, name=effect.name, arguments=effect.arguments
    )
