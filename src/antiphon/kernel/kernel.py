"""The kernel: a router. It gives each event to the machines that take it and hands back what is to be done.

Theory of operation. An event is one cause; each timer that is due by then is another, earlier one, handled at its
own time. A cause goes to its machines in a fixed order; what they tell each other (signals) follows in the order in
which it was said; then all have a look (``Review``). Answers to closed ops stop here. The kernel never awaits, reads
no clock, draws no random number: the same events give the same effects, on any machine, in any process.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

import msgspec

from antiphon.kernel import (
    agent_hooks,
    agent_records,
    agent_switch,
    agent_tasks,
    floor,
    legs,
    lifecycle,
    liveness,
    overlap,
    question,
    reply_dialogue,
    reply_faults,
    reply_resumed,
    reply_turns,
    speech_made,
    speech_played,
    speech_resumed,
    tool_calls,
    tool_ends,
    turn_commit,
    turn_end,
    turn_evidence,
)
from antiphon.kernel.effects import AnyEffect, WakeAt
from antiphon.kernel.events import (
    AudioDone,
    Closed,
    EndScore,
    Event,
    FloorAsked,
    FloorReleased,
    Generated,
    HookReturned,
    Op,
    ReplyFailed,
    Resumed,
    Segment,
    StepDone,
    Synthesised,
    ToolCall,
    ToolProgress,
    ToolReturned,
)
from antiphon.kernel.out import KernelFault, Out
from antiphon.kernel.signals import GateChanged, Review, Signal, Timer
from antiphon.kernel.standstill import stood_still
from antiphon.kernel.state import KernelState

MAX_SIGNALS = 64
"""Signals that one cause may set off; more is a fault."""
MAX_TIMERS = 64
"""Timers that may fire at one instant; more is a fault."""

MACHINES: tuple[tuple[str, tuple[ModuleType, ...]], ...] = (
    ("legs", (legs,)),
    ("lifecycle", (lifecycle,)),
    ("turn", (turn_evidence, turn_end, question, overlap, turn_commit)),
    ("agents", (agent_switch, agent_hooks, agent_tasks, agent_records)),
    ("speech", (speech_made, speech_played, speech_resumed, floor)),
    ("reply", (reply_turns, reply_dialogue, reply_faults, reply_resumed)),
    ("tools", (tool_calls, tool_ends)),
    ("liveness", (liveness,)),
)
"""The machines, in the order in which they hear of a cause, and the files that each is written in."""

ANSWERS: dict[type[Event], tuple[str, ...]] = {
    EndScore: ("score",),
    Segment: ("reply", "say", "clip"),
    Synthesised: ("reply", "say", "clip"),
    AudioDone: ("reply", "say", "clip"),
    ToolCall: ("reply",),
    Generated: ("reply", "say"),
    ReplyFailed: ("reply", "say", "clip"),
    ToolReturned: ("tool",),
    ToolProgress: ("tool",),
    FloorAsked: ("tool",),
    FloorReleased: ("tool",),
    StepDone: ("tool",),
    HookReturned: ("hook",),
    Closed: ("close",),
}
"""Events that answer an effect, and the kinds of op that they may carry."""


def routes() -> dict[type, tuple[tuple[str, Any], ...]]:
    """Event or signal type -> (machine, handler), in the machines' order. Timers and reviews included."""
    table: dict[type, list[tuple[str, Any]]] = {}
    for name, files in MACHINES:
        for file in files:
            for kind, handler in file.HANDLERS.items():
                table.setdefault(kind, []).append((name, handler))
    return {kind: tuple(handlers) for kind, handlers in table.items()}


ROUTES = routes()
TIMER_ROUTES = dict(ROUTES.pop(Timer))
_REVIEW = Review()


class Kernel:
    """One session's decisions. ``state`` is all there is of it."""

    def __init__(self, state: KernelState | None = None, *, epoch: int = 1) -> None:
        self.state = KernelState(epoch=epoch) if state is None else state

    def step(self, event: Event) -> list[AnyEffect]:
        """Take one event; returns what the shell has to do, in order.

        Raises ``KernelFault`` if ``event.seq`` does not follow the last one, or a rule of the kernel is broken."""
        state = self.state
        if event.seq != state.seq + 1 and event.seq != 0:
            raise KernelFault(f"event {event.seq} does not follow event {state.seq}")
        state.seq += 1
        now = max(event.now, state.now)
        out = Out(state)
        if isinstance(event, Resumed):
            stood_still(state, now)
        self._fire_timers(now, out)
        state.now = out.now = now
        if isinstance(event, Resumed):
            state.epoch = event.epoch
            state.ops.clear()
            state.wake = -2.0
        if not lifecycle.admits(state.lifecycle, event):
            state.refused += 1
        elif self._is_stale(event):
            state.stale += 1
        else:
            self._cause(event, out)
        self._wake(out)
        return out.effects

    def dump(self) -> bytes:
        """The whole state, as bytes that ``load`` takes."""
        return msgspec.msgpack.encode(self.state)

    @classmethod
    def load(cls, data: bytes) -> Kernel:
        """Raises ``msgspec.ValidationError`` where ``data`` is no kernel's state."""
        return cls(msgspec.msgpack.decode(data, type=KernelState))

    def _is_stale(self, event: Event) -> bool:
        kinds = ANSWERS.get(type(event))
        if kinds is None:
            return False
        op: Op = event.op  # type: ignore[attr-defined]
        return op[0] != self.state.epoch or self.state.ops.get(op[1]) not in kinds

    def _fire_timers(self, now: float, out: Out) -> None:
        """Let what is due by ``now`` happen first, each at its own time."""
        state, at_once = self.state, 0
        while state.timers:
            due, name = min((at, name) for name, at in state.timers.items())
            if due > now:
                return
            at_once = at_once + 1 if due <= state.now else 0
            if at_once > MAX_TIMERS:
                raise KernelFault(f"timer {name} fires without end")
            del state.timers[name]
            state.now = out.now = max(due, state.now)
            machine, _, rest = name.partition(".")
            if machine == "gate":
                state.gates.pop(rest, None)
                self._cause(GateChanged(rest), out)
            else:
                name, _, key = rest.partition(":")
                handler = TIMER_ROUTES[machine]
                handler(getattr(state, machine), Timer(name, key), state, out)
                self._drain(out)

    def _cause(self, cause: Event | GateChanged, out: Out) -> None:
        state = self.state
        for machine, handler in ROUTES.get(type(cause), ()):
            handler(getattr(state, machine), cause, state, out)
        self._drain(out)

    def _drain(self, out: Out) -> None:
        """Deliver signals, and the review behind them, until nothing more is said."""
        state, signals, count = self.state, out.signals, 0
        reviewed = False
        while signals or not reviewed:
            signal: Signal
            if signals:
                signal, reviewed = signals.popleft(), False
                count += 1
                if count > MAX_SIGNALS:
                    raise KernelFault(f"signals without end: {signal}")
            else:
                signal, reviewed = _REVIEW, True
            for machine, handler in ROUTES.get(type(signal), ()):
                handler(getattr(state, machine), signal, state, out)

    def _wake(self, out: Out) -> None:
        """One wish for the earliest timer, when it has changed."""
        earliest = min(self.state.timers.values(), default=-1.0)
        if earliest != self.state.wake:
            self.state.wake = earliest
            out.effect(WakeAt(at=earliest))
