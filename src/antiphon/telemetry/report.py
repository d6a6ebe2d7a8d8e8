"""The session report: what happened in a call, in one JSON document.

Owns: the format ``antiphon.report``. Never: how the figures are found out.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from antiphon.errors import ConfigurationError, FormatError
from antiphon.models.prices import PriceTable
from antiphon.models.redaction import Redaction
from antiphon.telemetry.collector import Collector
from antiphon.telemetry.cost import CostReport, cost_of, priced
from antiphon.telemetry.records import Failure, ModelName, ModelUsage, Rung, Stall, ToolRecord, TurnRecord
from antiphon.telemetry.usage import usage_of

REPORT_FORMAT = "antiphon.report"
REPORT_VERSION = 1


class TurnReport(msgspec.Struct, frozen=True):
    """One turn. ``waterfall``: seconds by stage, whose sum is ``latency`` (``None``: no reply was heard).
    ``first_sound``: seconds until anything sounded, a filler included."""

    turn: int
    text: str
    reply: str
    outcome: str
    ended: float
    latency: float | None
    first_sound: float | None
    waterfall: dict[str, float] | None
    interrupted: bool = False
    speculative: bool = False
    reason: str = ""
    probability: float | None = None
    language: str = ""


class InterruptionReport(msgspec.Struct, frozen=True):
    """``real``: the agent stopped. ``false``: it had paused and went on."""

    real: int = 0
    false: int = 0


class SessionReport(msgspec.Struct, frozen=True, kw_only=True):
    """The whole report. Times in seconds of session time, ``started_at`` an ISO 8601 time of day."""

    format: str = REPORT_FORMAT
    version: int = REPORT_VERSION
    build: str = ""
    session: str = ""
    started_at: str = ""
    duration: float = 0.0
    close_reason: str = ""
    models: list[ModelName] = []
    agents: list[str] = []
    turns: list[TurnReport] = []
    dropped_turns: dict[str, int] = {}
    usage: list[ModelUsage] = []
    cost: CostReport = CostReport()
    tools: list[ToolRecord] = []
    interruptions: InterruptionReport = InterruptionReport()
    ladder: list[Rung] = []
    drops: dict[str, int] = {}
    stalls: list[Stall] = []
    errors: list[Failure] = []
    recording: str = ""
    log: str = ""
    history: list[dict[str, Any]] = []

    def to_json(self, redaction: Redaction | None = None) -> bytes:
        """Indented JSON, redacted where a redaction is given."""
        data = msgspec.to_builtins(self)
        if redaction is not None:
            data = redaction.data(data)
        return msgspec.json.format(msgspec.json.encode(data), indent=2)

    def write(self, path: str | os.PathLike[str], redaction: Redaction | None = None) -> None:
        """Write it to a file, whole or not at all. Raises ``ConfigurationError`` when that cannot be done."""
        target = Path(path)
        part = target.with_name(f".{target.name}.{os.getpid()}.part")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            part.write_bytes(self.to_json(redaction) + b"\n")
            part.replace(target)
        except OSError as error:
            with suppress(OSError):
                part.unlink()
            raise ConfigurationError(
                f"The report {target} cannot be written: {error.strerror}.", hint="Choose another path."
            ) from error


def report_of(
    collector: Collector,
    *,
    prices: PriceTable | None = None,
    build: str = "",
    session: str = "",
    started_at: str = "",
    recording: str = "",
    log: str = "",
    history: list[dict[str, Any]] | None = None,
) -> SessionReport:
    """The report of what ``collector`` has seen so far. ``prices``: what models cost. ``history``: the conversation as plain
    items."""
    table = prices or PriceTable()
    usage = priced(usage_of(collector), table)
    real = sum(1 for interruption in collector.interruptions if interruption.real)
    return SessionReport(
        build=build,
        session=session,
        started_at=started_at,
        duration=_round(collector.now),
        close_reason=collector.close_reason,
        models=list(collector.models_used),
        agents=list(collector.agents),
        turns=[_turn(turn) for turn in collector.turns.values()],
        dropped_turns=dict(collector.dropped_turns),
        usage=usage,
        cost=cost_of(usage, table),
        tools=[msgspec.structs.replace(tool) for tool in collector.tools.values()],
        interruptions=InterruptionReport(real=real, false=len(collector.interruptions) - real),
        ladder=list(collector.rungs),
        drops=dict(collector.drops),
        stalls=list(collector.stalls),
        errors=list(collector.failures),
        recording=recording,
        log=log,
        history=history or [],
    )


def read_report(data: bytes) -> SessionReport:
    """Read a report. Raises ``FormatError`` for anything else, or another version."""
    try:
        head = msgspec.json.decode(data, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise FormatError(f"This is not a session report: {error}.") from error
    if head.get("format") != REPORT_FORMAT or head.get("version") != REPORT_VERSION:
        raise FormatError(
            f"This is {head.get('format') or 'of no named format'}, version {head.get('version')}; "
            f"this build reads {REPORT_FORMAT} version {REPORT_VERSION}.",
            hint="Read it with the build that wrote it.",
        )
    try:
        return msgspec.convert(head, SessionReport)
    except msgspec.ValidationError as error:
        raise FormatError(f"The report is damaged: {error}.") from error


def _turn(turn: TurnRecord) -> TurnReport:
    reply = turn.reply
    parts = {name: _round(part) for name, part in turn.waterfall.stages().items()} if turn.waterfall else None
    return TurnReport(
        turn=turn.turn,
        text=turn.text,
        reply=reply.text if reply else "",
        outcome=turn.outcome,
        ended=_round(turn.ended),
        latency=_round(sum(parts.values())) if parts else None,
        first_sound=_round(turn.first_sound) if turn.first_sound >= 0 else None,
        waterfall=parts,
        interrupted=bool(reply and reply.interrupted),
        speculative=any(run.speculative and not run.outcome for run in turn.runs),
        reason=turn.reason,
        probability=turn.probability,
        language=turn.language,
    )


def _round(seconds: float) -> float:
    """To a tenth of a millisecond: more digits would claim more than was measured."""
    return round(seconds, 4)
