"""What the stories of ready tasks share: a desk that awaits a task in a tool, or as soon as it is entered."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from antiphon import Agent, AgentTask, GetDateTimeTask, function_tool
from antiphon.testing import Caller, CallResult, ScriptedLLM, calls, simulate
from antiphon.testing.llm import LLMRequest

NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
"""A Tuesday."""
IDLE = "I only book appointments."
"""What the model says to everything that is no task's."""


class Desk(Agent):
    """Awaits the task that ``make`` makes: in a tool, or ``at_once`` in ``on_enter``. ``got``: what came of it."""

    def __init__(self, make: Callable[[], AgentTask[Any]], *, at_once: bool = False) -> None:
        super().__init__(instructions="You are the front desk.")
        self.make, self.at_once = make, at_once
        self.got: Any = None

    async def on_enter(self) -> None:
        if self.at_once:
            await self.get()
            self.session.say("Thank you.")

    @function_tool(retry="replay")
    async def book(self) -> str:
        """Book an appointment."""
        await self.get()
        return f"got {self.got!r}"

    async def get(self) -> None:
        try:
            self.got = await self.make()
        except Exception as error:
            self.got = error


def _idle(request: LLMRequest) -> str:
    return "All done." if any(one.output.startswith("got") for one in request.outputs) else IDLE


class Story:
    """A call: ``got`` is what the task gave, ``result`` the call, ``llm`` the model with its requests."""

    def __init__(
        self,
        make: Callable[[], AgentTask[Any]],
        *lines: str,
        at_once: bool = True,
        model: Any = None,
        caller: Caller | None = None,
        **options: Any,
    ) -> None:
        script = {"book it": [calls("book"), "All done."], **(model or {})}
        otherwise = script.pop(..., _idle)
        self.llm = ScriptedLLM({**script, ...: otherwise})
        desk = Desk(make, at_once=at_once)
        if caller is None:
            caller = Caller() if at_once else Caller().says("Please book it", at=1.0)
            caller = caller.waits_for_agent()
            for line in lines:
                caller = caller.says(line).waits_for_agent()
        self.result: CallResult = simulate(desk, caller, llm=self.llm, **options)
        self.got = desk.got
        assert not self.result.left and not self.result.complaints, self.result.story()

    @property
    def said(self) -> list[str]:
        """What the caller heard, message by message."""
        return [message.text for message in self.result.replies]

    def __str__(self) -> str:
        return f"{self.got!r}\n{self.result.story()}"


def at_noon(**options: Any) -> GetDateTimeTask:
    """A date and time task of a morning in November."""
    return GetDateTimeTask(clock=lambda: NOW, time_zone=UTC, **options)
