"""One stall monitor for the process: sessions that share a user loop share its watch, and all hear of its stalls."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

from antiphon.telemetry.records import Stall
from antiphon.telemetry.stalls import StallMonitor

Listener = Callable[[Stall], object]


class LoopWatch:
    """Watches loops for as long as somebody listens. ``listen`` is called on the loop to be watched."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._monitor: StallMonitor | None = None
        self._listeners: dict[str, list[Listener]] = {}

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Tell ``listener`` (from the monitor's thread) when the running loop stalls; returns how to stop that."""
        loop = asyncio.get_running_loop()
        name = f"user-{threading.get_ident()}-{id(loop)}"
        with self._lock:
            if self._monitor is None:
                self._monitor = StallMonitor(self._stalled)
                self._monitor.start()
            listeners = self._listeners.setdefault(name, [])
            listeners.append(listener)
            if len(listeners) == 1:
                self._monitor.watch(name, loop, threading.get_ident())
        return lambda: self._leave(name, listener)

    def _leave(self, name: str, listener: Listener) -> None:
        with self._lock:
            listeners = self._listeners.get(name, [])
            if listener in listeners:
                listeners.remove(listener)
            if listeners or self._monitor is None or name not in self._listeners:
                return
            del self._listeners[name]
            self._monitor.unwatch(name)
            if not self._listeners:
                self._monitor.stop()
                self._monitor = None

    def _stalled(self, stall: Stall) -> None:
        for listener in list(self._listeners.get(stall.loop, ())):
            listener(stall)


LOOP_WATCH = LoopWatch()
