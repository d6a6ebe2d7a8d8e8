"""Standstill: between the death of one owner and the next nobody was there to keep a deadline.

When the last one died is not on record; it was before the first of its deadlines that nobody kept. From there on what was due is due
later: a tool has not been slow meanwhile, nor speech given up. Session time itself goes on. Part of the router: the one place that
moves every machine's times.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from antiphon.kernel.state import KernelState

SETTLE_IN = 0.5
"""Seconds that a new owner gets before the first deadline that was missed."""


def stood_still(state: KernelState, now: float) -> None:
    """A new owner is here. Times move where a deadline was missed."""
    missed = min(state.timers.values(), default=now + 1.0)
    if missed >= now:
        return
    seconds = now - missed + SETTLE_IN
    state.timers = {name: due + seconds for name, due in state.timers.items()}
    state.gates = {
        name: msgspec.structs.replace(gate, expires=gate.expires + seconds) for name, gate in state.gates.items()
    }
    for clock in ("began", "quiet", "floor"):
        at = getattr(state.liveness, clock)
        if at >= 0.0:
            setattr(state.liveness, clock, at + seconds)
    state.speech.gap_until += seconds
    for speech in state.speech.speeches.values():
        speech.acked_at += seconds
    state.lifecycle.deadline += seconds if state.lifecycle.deadline >= 0.0 else 0.0
