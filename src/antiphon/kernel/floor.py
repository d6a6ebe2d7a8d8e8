"""The floor: one tool at a time may hold it, so that nothing comes between what it says. A part of the speech machine.

Theory. A tool asks; when nobody speaks and nothing is queued the first that asked gets the floor, as the gate
``foreground``. While it is held there sounds: what the holder asks for, answers to the caller, what a hook says, the
ladder. Everything else waits in the queue. The floor falls when the holder lets go, when its tool ends, and at its
tool's deadline; a tool that ends before its turn loses its place. The caller may always speak and interrupt.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from antiphon.kernel import gates
from antiphon.kernel.events import FloorAsked, FloorReleased, Op, ReplyAsked, SayAsked
from antiphon.kernel.liveness import callers_voice
from antiphon.kernel.signals import Closing, Review

if TYPE_CHECKING:
    from antiphon.kernel.out import Out
    from antiphon.kernel.speech import SpeechState
    from antiphon.kernel.state import KernelState
    from antiphon.kernel.tools import ToolRun

BUSY = gates.SPEECH | {gates.FLOOR, gates.SWITCHING, gates.FOREGROUND}
"""Gates under which nobody gets the floor."""


class Claim(msgspec.Struct, frozen=True):
    """``ask``: its id. ``op``: of the tool that asks."""

    ask: str
    op: Op


class Floor(msgspec.Struct):
    """``waiting``: who asked and has not got it, oldest first."""

    holder: Claim | None = None
    waiting: list[Claim] = []


def floor_of(event: SayAsked | ReplyAsked) -> str:
    """The floor that a speech belongs to: the holder's under which it was asked for, anybody's inside a hook."""
    return gates.FREE if event.hook is not None else event.floor


def kept_back(floor: str, view: KernelState) -> bool:
    """Whether a speech of this floor has to wait for the one who holds it."""
    gate = view.gates.get(gates.FOREGROUND)
    return gate is not None and floor not in (gates.FREE, gate.owner)


def on_asked(state: SpeechState, event: FloorAsked, view: KernelState, out: Out) -> None:
    state.floor.waiting.append(Claim(event.ask, event.op))


def on_released(state: SpeechState, event: FloorReleased, view: KernelState, out: Out) -> None:
    floor = state.floor
    floor.waiting = [claim for claim in floor.waiting if claim.ask != event.ask]
    if floor.holder is not None and floor.holder.ask == event.ask:
        _fall(floor, out)


def on_review(state: SpeechState, signal: Review, view: KernelState, out: Out) -> None:
    """Take the floor from who has no tool any more, and give it to the next when all are silent."""
    floor = state.floor
    if view.lifecycle.phase not in ("running", "draining"):
        return
    if floor.holder is not None and (gates.FOREGROUND not in view.gates or _run(floor.holder, view) is None):
        _fall(floor, out)
    for claim in list(floor.waiting):
        run = _run(claim, view)
        if run is None:
            floor.waiting.remove(claim)
            out.notify("floor", ask=claim.ask, granted=False)
        elif run.logged and not run.tasks and floor.holder is None and _silent(view):
            floor.waiting.remove(claim)
            floor.holder = claim
            out.gate(gates.FOREGROUND, claim.ask, view.timers[f"tools.deadline:{run.number}"])
            out.notify("floor", ask=claim.ask, granted=True)


def on_closing(state: SpeechState, signal: Closing, view: KernelState, out: Out) -> None:
    floor = state.floor
    _fall(floor, out)
    for claim in floor.waiting:
        out.notify("floor", ask=claim.ask, granted=False)
    floor.waiting = []


def _fall(floor: Floor, out: Out) -> None:
    floor.holder = None
    out.ungate(gates.FOREGROUND)


def _run(claim: Claim, view: KernelState) -> ToolRun | None:
    """The claim's tool, while it runs."""
    return next((run for run in view.tools.runs.values() if run.op == claim.op and run.phase == "running"), None)


def _silent(view: KernelState) -> bool:
    """Nobody speaks, decides or waits to speak; of the agent's replies, some may wait for their tools."""
    return not (
        callers_voice(view)
        or view.turn.phase == "pause"
        or view.agents.turns
        or view.agents.phase != "here"
        or BUSY & view.gates.keys()
        or any(speech.phase != "queued" for speech in view.speech.speeches.values())
        or any(reply.phase in ("generating", "held", "rendering", "retrying") for reply in view.reply.replies.values())
    )


HANDLERS: dict[type, Any] = {
    FloorAsked: on_asked,
    FloorReleased: on_released,
    Review: on_review,
    Closing: on_closing,
}
