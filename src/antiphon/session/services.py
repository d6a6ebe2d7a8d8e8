"""What a session needs from outside, as protocols: whoever composes a program passes the real things in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from antiphon.audio.seam import LegSpec, PlaneLink
from antiphon.models.log import EventLog
from antiphon.models.store import SessionLog
from antiphon.session.lanes import Lane


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


@dataclass
class Services:
    """``id``: of the session, and of its line in the plane. ``core``: the lane that kernels and shells run on. ``leg``: none for a text session. ``record``: path of a stereo
    recording. ``epoch``: the owner's fencing token. ``durable``: the log, where effects have to wait for it."""

    id: str
    core: Lane
    plane: PlaneLink
    leg: LegSpec | None = None
    log: EventLog | None = None
    telemetry: Telemetry | None = None
    record: str = ""
    epoch: int = 1
    durable: SessionLog | None = None
