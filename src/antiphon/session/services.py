"""What a session needs from outside, as protocols: whoever composes a program passes the real things in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from antiphon.audio.seam import LegSpec, PlaneLink
from antiphon.models.log import EventLog
from antiphon.models.store import SessionLog
from antiphon.session.lanes import Lane
from antiphon.session.resumption import Resumption


class Telemetry(Protocol):
    """Is told everything, in order; keeps the account that reports, metrics and traces are made of."""

    def on_event(self, event: Any) -> None: ...

    def on_effect(self, effect: Any) -> None: ...

    def use_model(self, kind: Any, provider: str, model: str, *, meters: bool = False) -> None: ...

    def sounded(self, speech: str, at: float) -> None: ...

    def dropped(self, counts: Mapping[str, int]) -> None: ...

    def failed(self, source: str, error: str) -> None: ...

    def finish(self) -> None: ...

    def message_metrics(self, item: str) -> dict[str, float]:
        """Times of a message of the conversation, in seconds, by name."""
        ...

    def usage(self) -> list[Any]:
        """What each model was used for, and its cost."""
        ...

    def cost(self) -> Any:
        """The sum so far: ``total``, ``wasted``, ``unpriced``."""
        ...


class Ownership(Protocol):
    """Whether a session is still this process's; for sessions that have leases. Used on the core lane."""

    @property
    def sure(self) -> bool:
        """False: this process stood still for so long that another may have the session by now."""
        ...

    def listen(self, told: Callable[[bool], None]) -> None:
        """``told(True)``: it is ours after all; ``told(False)``: it is another's for good."""
        ...


@dataclass
class Services:
    """``id``: of the session, and of its line in the plane. ``core``: the lane that kernels and shells run on. ``leg``: none for a text session. ``record``: path of a stereo
    recording. ``epoch``: the owner's fencing token. ``durable``: the log, where effects have to wait for it. ``resumption``: of a
    conversation that another process began; ``None``: one begins. ``who_spoke``: who spoke most between two times of the capture
    clock, where a leg carries several people; empty: not known. ``speaks``: the leg carries the agent's voice."""

    id: str
    core: Lane
    plane: PlaneLink
    leg: LegSpec | None = None
    log: EventLog | None = None
    telemetry: Telemetry | None = None
    record: str = ""
    epoch: int = 1
    durable: SessionLog | None = None
    resumption: Resumption | None = None
    ownership: Ownership | None = None
    who_spoke: Callable[[float, float], str] | None = None
    speaks: bool = True

    @property
    def sounds(self) -> bool:
        """Whether what the agent says is heard, not read."""
        return self.leg is not None and self.speaks
