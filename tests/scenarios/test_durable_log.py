"""Barriers: what a call may do only when what it rests on is on the disk, on disks that are slow, stuck, or somebody else's."""

from __future__ import annotations

from typing import Any

import pytest

from antiphon import Agent, function_tool
from antiphon.kernel import facts as ft
from antiphon.testing import Caller, CallResult, calls, simulate
from antiphon.testing.durable_log import ScriptedDurableLog


class Desk(Agent):
    def __init__(self) -> None:
        super().__init__(instructions="Take bookings.")
        self.acted: list[float] = []

    @function_tool
    async def book(self, day: str) -> str:
        """Book a day."""
        self.acted.append(self.session.now())
        return f"{day} is booked"

    @function_tool(effect="read")
    async def look(self, day: str) -> str:
        """Look a day up."""
        self.acted.append(self.session.now())
        return f"{day} is free"


def call(
    disk: dict[str, Any], *, agent: Agent | None = None, llm: Any = "All right."
) -> tuple[CallResult, ScriptedDurableLog]:
    made: list[ScriptedDurableLog] = []

    class Disk(ScriptedDurableLog):
        def __init__(self) -> None:
            super().__init__(**disk)
            made.append(self)

    log = Disk()
    caller = Caller().says("Please book Monday", at=1.0).waits_for_agent(quiet=2.0, patience=8.0)
    result = simulate(lambda: agent or Desk(), caller, llm=llm, log=log)
    return result, log


def position(log: ScriptedDurableLog, kind: type) -> int:
    return next(n for n, fact in enumerate(log.facts, start=1) if isinstance(fact, kind))


def first_sound(result: CallResult) -> float:
    return result.agent_sounds[0].start


@pytest.mark.parametrize("delay", [0.0, 0.01, 0.1, 0.25])
def test_an_answer_sounds_only_when_its_turn_is_durable(delay: float) -> None:
    result, log = call({"delay": delay})
    turn = log.facts[position(log, ft.TurnCommitted) - 1]
    assert first_sound(result) >= turn.at + delay - 1e-6
    assert result.heard == "All right." and not result.errors and not result.left


def test_a_stuck_disk_delays_an_answer_by_a_third_of_a_second_and_is_told_once() -> None:
    quick, _ = call({"delay": 0.0})
    result, _ = call({"stuck_at": 0.5})
    assert result.heard == "All right."
    late = first_sound(result) - first_sound(quick)
    assert 0.0 < late <= 0.35
    assert [error for error in result.errors if "without being stored" in error] == result.errors
    assert len(result.errors) == 1 and not result.left


def test_a_write_acts_only_when_its_intent_is_durable() -> None:
    desk = Desk()
    result, log = call({"delay": 0.2}, agent=desk, llm=[calls("book", day="Monday"), "Monday is yours."])
    intent = log.facts[position(log, ft.ToolIntent) - 1]
    assert len(desk.acted) == 1 and desk.acted[0] >= intent.at + 0.2 - 1e-6
    assert result.heard.endswith("Monday is yours.") and not result.left


def test_on_a_stuck_disk_a_write_does_not_act_and_a_read_does() -> None:
    desk = Desk()
    script = [calls("look", day="Monday"), calls("book", day="Monday"), "Done."]
    result, _ = call({"stuck_at": 0.5}, agent=desk, llm=script)
    outputs = {tool.name: tool.output for tool in result.tools}
    assert len(desk.acted) == 1 and outputs["look"] == "Monday is free"
    assert outputs["book"] == "The call was cancelled before it had begun." and not result.left


def test_where_nothing_can_be_stored_any_more_the_call_goes_on() -> None:
    desk = Desk()
    result, _ = call({"lost_at": 0.5}, agent=desk, llm=[calls("book", day="Monday"), "Monday is yours."])
    assert result.heard.endswith("Monday is yours.") and len(desk.acted) == 1
    assert any("The disk is gone" in error for error in result.errors) and not result.left


def test_a_session_that_has_another_owner_says_and_does_nothing_more() -> None:
    desk = Desk()
    result, _ = call({"fenced_at": 0.5}, agent=desk, llm=[calls("book", day="Monday"), "Monday is yours."])
    assert result.close_reason == "fenced" and result.heard == "" and desk.acted == [] and not result.left
