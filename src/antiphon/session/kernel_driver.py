"""The kernel driver: what happens, one event after another, to one kernel. Lives on the core lane.

Every event, whoever it comes from, passes ``post``: it is stamped, logged, stepped; its effects are carried out in
order. The driver keeps the session's clock and the one timer that the kernel asks for; what an effect does is the
shell's.
"""

from __future__ import annotations

import asyncio
import traceback
from collections import deque
from collections.abc import Callable

import msgspec

from antiphon.kernel import effects as fx
from antiphon.kernel import events as ev
from antiphon.kernel.kernel import Kernel
from antiphon.kernel.out import KernelFault
from antiphon.session.services import Services


class KernelDriver:
    """``carry_out``: does one effect. ``follow``: told each event after its effects. ``fault``: told of a defect, as a
    traceback. ``t0``: the loop's time at which the session began."""

    def __init__(
        self,
        kernel: Kernel,
        services: Services,
        *,
        carry_out: Callable[[fx.AnyEffect], None],
        follow: Callable[[ev.Event], None],
        fault: Callable[[str], None],
    ) -> None:
        self.kernel = kernel
        self.lane = services.core
        self.t0 = self.lane.loop.time()
        self._log, self._telemetry = services.log, services.telemetry
        self._carry_out, self._follow, self._fault = carry_out, follow, fault
        self._seq = kernel.state.seq
        self._clock = kernel.state.now
        self._inbox: deque[ev.Event] = deque()
        self._stepping = False
        self._dropped = False
        self._wake: asyncio.TimerHandle | None = None

    def now(self) -> float:
        """Session time in seconds."""
        return self.lane.loop.time() - self.t0

    def session_time(self, clock: float) -> float:
        """From the capture clock (the machine's monotonic clock) to session time."""
        return max(0.0, clock - self.t0)

    def post(self, event: ev.Event) -> None:
        """Take an event, from any lane."""
        if not self.lane.here():
            self.lane.post(self.post, event)
            return
        if self._dropped:
            return
        self._inbox.append(event)
        if not self._stepping:
            self._drain()

    def wake_at(self, effect: fx.WakeAt) -> None:
        """Tick at this time, instead of at the one asked for before; never where it is negative."""
        self.cancel_wake()
        if effect.at >= 0:
            self._wake = self.lane.loop.call_at(self.t0 + effect.at, self._tick, effect.at)

    def cancel_wake(self) -> None:
        if self._wake is not None:
            self._wake.cancel()
            self._wake = None

    def drop(self) -> None:
        """Take nothing more."""
        self._dropped = True
        self._inbox.clear()
        self.cancel_wake()

    def _drain(self) -> None:
        self._stepping = True
        try:
            while self._inbox:
                self._seq += 1
                event = msgspec.structs.replace(self._inbox.popleft(), seq=self._seq, now=self._latest())
                if self._log is not None:
                    self._log.append("input", event.now, event)
                for effect in self._step(event):
                    self._carry_out(effect)
                self._follow(event)
        finally:
            self._stepping = False

    def _step(self, event: ev.Event) -> list[fx.AnyEffect]:
        if self._telemetry is not None:
            self._telemetry.on_event(event)
        try:
            effects: list[fx.AnyEffect] = self.kernel.step(event)
        except KernelFault:
            # A defect of ours must not end the call: it is said, and the session's deadlines go on.
            self._fault(traceback.format_exc())
            return []
        if self._telemetry is not None:
            for effect in effects:
                self._telemetry.on_effect(effect)
        return effects

    def _tick(self, at: float) -> None:
        self._wake = None
        self._clock = max(self._clock, at)  # the loop may call a rounding error early
        self.post(ev.Tick())

    def _latest(self) -> float:
        self._clock = max(self._clock, self.now())
        return self._clock
