"""The account of one session: collector, metrics, traces and the stall monitor, behind one face for the shell."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from antiphon import __version__
from antiphon.models.redaction import Redaction
from antiphon.providers.prices import bundled_prices
from antiphon.telemetry.collector import Collector
from antiphon.telemetry.cost import CostReport, cost_of, priced
from antiphon.telemetry.otel import Metrics, Traces
from antiphon.telemetry.records import Stall
from antiphon.telemetry.report import SessionReport, report_of
from antiphon.telemetry.usage import message_metrics, usage_of
from antiphon.worker.loop_watch import LOOP_WATCH

if TYPE_CHECKING:
    from antiphon.session.lanes import Lane
    from antiphon.session.session import AgentSession

logger = logging.getLogger("antiphon")


class Account:
    """``core``: the lane everything is told on. ``watch``: watch the running loop, the user's. ``redaction``: of what
    traces say."""

    def __init__(
        self, session: AgentSession[Any], core: Lane, *, watch: bool, id: str, redaction: Redaction | None
    ) -> None:
        self._session, self._core, self.id = session, core, id
        self._prices = bundled_prices().with_own(session.prices)
        self.started_at = datetime.now(UTC).isoformat(timespec="seconds")
        self._traces = Traces(session=id, epoch=time.time(), redaction=redaction)
        self.collector = Collector(observers=[Metrics(), self._traces])
        self._unwatch = LOOP_WATCH.listen(lambda stall: core.post(self._stalled, stall)) if watch else None

    def _stalled(self, stall: Stall) -> None:
        self.collector.stall(msgspec.structs.replace(stall, loop="user", at=self._session.now()))

    # --- Telemetry -----------------------------------------------------------------------------------------------

    def on_event(self, event: Any) -> None:
        self.collector.on_event(event)

    def on_effect(self, effect: Any) -> None:
        self.collector.on_effect(effect)

    def use_model(self, kind: Any, provider: str, model: str, *, meters: bool = False) -> None:
        self.collector.use_model(kind, provider, model, meters=meters)

    def sounded(self, speech: str, at: float) -> None:
        self.collector.sounded(speech, at)

    def dropped(self, counts: Mapping[str, int]) -> None:
        self.collector.dropped(counts)

    def failed(self, source: str, error: str) -> None:
        self.collector.failed(source, error)

    def finish(self) -> None:
        self.collector.finish()
        logger.info("the call cost %s", self.cost())
        self._traces.finish(self.collector.now, self.collector.close_reason)

    def message_metrics(self, item: str) -> dict[str, float]:
        return message_metrics(self.collector, item)

    def usage(self) -> list[Any]:
        return priced(usage_of(self.collector), self._prices)

    def cost(self) -> CostReport:
        return cost_of(self.usage(), self._prices)

    # --- for the job ---------------------------------------------------------------------------------------------

    def stop(self) -> None:
        """Stop watching the user's loop."""
        if self._unwatch is not None:
            self._unwatch()
            self._unwatch = None

    def report(self, *, recording: str, log: str) -> SessionReport:
        """The session report so far."""
        return report_of(
            self.collector,
            prices=self._prices,
            build=__version__,
            session=self.id,
            started_at=self.started_at,
            recording=recording,
            log=log,
            history=self._session.history.to_dict(exclude_media=True)["items"],
        )
