"""Out: the one way in which a machine acts. It records facts, hands effects to the shell and signals to the others.

Owns no decision. Facts are applied to the conversation the moment they are recorded, so that what the kernel
believes and what the log says are the same thing.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from antiphon.kernel.effects import AnyEffect, Notify, Record
from antiphon.kernel.events import Op
from antiphon.kernel.facts import AnyFact
from antiphon.kernel.gates import Gate
from antiphon.kernel.signals import GateChanged, Signal

if TYPE_CHECKING:
    from antiphon.kernel.state import KernelState


class KernelFault(RuntimeError):  # noqa: N818  (the field's name)
    """The machines broke a rule of the kernel: a defect of Antiphon, never of its user."""


class Out:
    """``now``: the time of what is being handled (a timer's due time where one fired)."""

    __slots__ = ("_state", "effects", "now", "signals")

    def __init__(self, state: KernelState) -> None:
        self._state = state
        self.effects: list[AnyEffect] = []
        self.signals: deque[Signal] = deque()
        self.now = state.now

    def effect(self, effect: AnyEffect) -> None:
        self.effects.append(effect)

    def signal(self, signal: Signal) -> None:
        self.signals.append(signal)

    def fact(self, fact: AnyFact) -> int:
        """Record ``fact``; returns its position in the log."""
        state = self._state
        state.position += 1
        state.conversation.apply(fact)
        self.effects.append(Record(position=state.position, fact=fact))
        return state.position

    def notify(self, name: str, /, **body: Any) -> None:
        self.effects.append(Notify(name=name, body=body))

    def timer(self, name: str, at: float) -> None:
        """Set the timer ``machine.name`` or ``machine.name:key``, replacing its earlier time."""
        self._state.timers[name] = max(at, self.now)

    def cancel_timer(self, name: str) -> None:
        self._state.timers.pop(name, None)

    def gate(self, name: str, owner: str, expires: float) -> None:
        """Close a gate until ``expires`` at the latest."""
        if name not in self._state.gates:
            self.signals.append(GateChanged(name))
        self._state.gates[name] = Gate(owner, expires)
        self._state.timers[f"gate.{name}"] = max(expires, self.now)

    def ungate(self, name: str) -> None:
        if self._state.gates.pop(name, None) is not None:
            self._state.timers.pop(f"gate.{name}", None)
            self.signals.append(GateChanged(name))

    def op(self, kind: str) -> Op:
        """A fresh op; its answers are let in until ``close``."""
        state = self._state
        state.next_op += 1
        state.ops[state.next_op] = kind
        return (state.epoch, state.next_op)

    def close(self, op: Op | None) -> None:
        """Whatever still answers ``op`` is counted and dropped."""
        if op is not None:
            self._state.ops.pop(op[1], None)
