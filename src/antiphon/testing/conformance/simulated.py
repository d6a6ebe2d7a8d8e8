"""Rigs over the simulators of speech services, in memory: they run on the virtual clock.

Owns what each fault of the table is on a socket. Faults of one service alone are options of its simulator.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from antiphon.testing.conformance.rig import Rig
from antiphon.testing.simulators import Fault, FaultScript, MemoryConnector, Simulator

AMID = 3
"""Frames that the service has sent when something happens in the middle."""

SOCKET_FAULTS: dict[str, tuple[Fault, ...]] = {
    "http_401": (Fault("refuse", None, status=401),),
    "http_402": (Fault("refuse", None, status=402),),
    "http_403": (Fault("refuse", None, status=403),),
    "http_404": (Fault("refuse", None, status=404),),
    "http_429": (Fault("refuse", None, status=429),),
    "http_429_once": (Fault("refuse", status=429),),
    "http_500": (Fault("refuse", None, status=500),),
    "http_503_once": (Fault("refuse", status=503),),
    "closes_at_once": (Fault("vanish"),),
    "slow_start": (Fault("slow", None, seconds=0.5),),
    "half_open": (Fault("silent"),),
    "stalls": (Fault("silent", after=AMID),),
    "breaks": (Fault("abort", after=AMID),),
    "breaks_always": (Fault("abort", None),),
    "answers_and_breaks": (Fault("abort", None, after=AMID),),
    "ends_early": (Fault("close", after=AMID, code=1000),),
    "close_1011": (Fault("close", after=AMID, code=1011),),
    "close_1008": (Fault("close", after=AMID, code=1008),),
    "garbage": (Fault("malformed", after=AMID),),
    "unknown_type": (Fault("unknown", after=AMID),),
    "empty_frame": (Fault("empty", after=AMID),),
    "huge_frame": (Fault("huge", after=AMID),),
    "slow_reader": (Fault("unread", after=AMID),),
    "jitter": (Fault("late", None, seconds=0.05),),
}
STT_FAULTS: dict[str, tuple[Fault, ...]] = {"duplicated_final": (Fault("duplicate", None),)}
"""Every message twice, finals among them. A voice's audio is not repeated by any service."""


def speech_rig(
    make: Callable[[MemoryConnector], Any],
    simulator: Callable[[FaultScript], Simulator],
    *,
    own: Mapping[str, Callable[[], Simulator]] | None = None,
    recogniser: bool = False,
) -> Rig:
    """``make``: the model over a connector. ``simulator``: its service with a fault script. ``own``: faults that only this
    service's simulator can cause, by their names in the table."""
    causes = {**SOCKET_FAULTS, **(STT_FAULTS if recogniser else {})}

    @asynccontextmanager
    async def enter(service: Simulator) -> AsyncIterator[Any]:
        connector = MemoryConnector(service)
        try:
            yield make(connector)
        finally:
            left = connector.open
            await connector.aclose()
        if left:
            raise RuntimeError(f"{left} sockets were left open")

    def rig(fault: str) -> AbstractAsyncContextManager[Any] | None:
        if own is not None and fault in own:
            return enter(own[fault]())
        if fault in causes:
            return enter(simulator(FaultScript.of(*causes[fault])))
        return None

    return rig
