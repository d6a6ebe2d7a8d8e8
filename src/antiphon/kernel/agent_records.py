"""Agents, fifth part: what they and their tools give us to keep."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from antiphon.kernel import facts as ft
from antiphon.kernel.agents import AgentsState
from antiphon.kernel.events import (
    AgentReconfigured,
    PolicyChanged,
    StateSaved,
    StepDone,
)

if TYPE_CHECKING:
    from antiphon.kernel.out import Out
    from antiphon.kernel.state import KernelState


# --- what is kept ------------------------------------------------------------------------------------------------


def on_policy(state: AgentsState, event: PolicyChanged, view: KernelState, out: Out) -> None:
    if state.current is not None and event.agent in ("", state.current.key):
        state.current = msgspec.structs.replace(state.current, policy=event.policy)
    for frame in state.tasks:
        if frame.left.key == event.agent:
            frame.left = msgspec.structs.replace(frame.left, policy=event.policy)


def on_reconfigured(state: AgentsState, event: AgentReconfigured, view: KernelState, out: Out) -> None:
    out.fact(
        ft.AgentConfigured(
            at=out.now,
            item=f"agent.{view.position + 1}",
            agent=event.agent,
            instructions=event.instructions,
            tools_added=event.tools_added,
            tools_removed=event.tools_removed,
        )
    )


def on_saved(state: AgentsState, event: StateSaved, view: KernelState, out: Out) -> None:
    if event.agent:
        out.fact(ft.AgentState(at=out.now, agent=event.agent, state=event.state))
    else:
        out.fact(ft.SessionUserdata(at=out.now, state=event.state))


def on_step(state: AgentsState, event: StepDone, view: KernelState, out: Out) -> None:
    call = view.tools.running(event.op)
    out.fact(ft.StepResult(at=out.now, call_id=call.call_id, name=event.name, result=event.result))


HANDLERS: dict[type, Any] = {
    AgentReconfigured: on_reconfigured,
    PolicyChanged: on_policy,
    StateSaved: on_saved,
    StepDone: on_step,
}
