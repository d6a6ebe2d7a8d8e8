"""OpenTelemetry: the records of a session as spans and metrics.

Owns: names and attributes (the GenAI semantic conventions where they have one, ``antiphon.*`` elsewhere).
Never: a dependency on an SDK: without one configured by the application every call here does nothing.
Conversation text goes into spans only with ``capture_content``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import cache

from opentelemetry import metrics, trace
from opentelemetry.context import Context
from opentelemetry.metrics import MeterProvider
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, TracerProvider

from antiphon.models.redaction import Redaction
from antiphon.telemetry.records import (
    AnyRecord,
    Drops,
    Failure,
    Interruption,
    Rung,
    RunRecord,
    Stall,
    ToolRecord,
    TurnRecord,
)

SCOPE = "antiphon"
Attributes = Mapping[str, str | int | float | bool]

SECONDS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
TOKENS = tuple(4**n for n in range(14))
LATENCY = (0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 20.0)


class Traces:
    """An observer that writes spans: ``session`` over all; per turn ``user_turn`` (``stt``, ``endpointing``, ``hook``)
    and ``invoke_agent`` (``chat``, ``tts``, ``playout``); ``execute_tool`` per tool call; events for ladder rungs, stalls
    and errors.

    ``epoch``: the time of day of session time 0, in seconds since 1970. ``finish`` ends the session's span.
    """

    def __init__(
        self,
        *,
        session: str,
        epoch: float,
        agent: Callable[[], str] = str,
        provider: TracerProvider | None = None,
        capture_content: bool = False,
        redaction: Redaction | None = None,
    ) -> None:
        self._tracer = trace.get_tracer(SCOPE, tracer_provider=provider)
        self._epoch = epoch
        self._session = session
        self._agent = agent
        self._content = capture_content
        self._redaction = redaction
        self._span = self._tracer.start_span(
            "session", start_time=self._ns(0.0), attributes={"gen_ai.conversation.id": session}
        )
        self._root = trace.set_span_in_context(self._span)

    def observe(self, record: AnyRecord) -> None:
        match record:
            case TurnRecord():
                self._turn(record)
            case ToolRecord():
                self._tool(record)
            case Rung():
                self._event(
                    "ladder.rung", record.at, {"antiphon.ladder.n": record.n, "antiphon.ladder.action": record.action}
                )
            case Stall():
                file, _, line = record.where.rpartition(":")
                self._event(
                    "loop.stall",
                    record.at,
                    {
                        "antiphon.stall.running": record.running,
                        "antiphon.stall.seconds": record.seconds,
                        "code.file.path": file,
                        "code.line.number": int(line or 0),
                        "code.function.name": record.function,
                    },
                )
            case Failure():
                self._event(
                    "exception",
                    record.at,
                    {"exception.type": record.source, "exception.message": self._text(record.error)},
                )
            case Interruption():
                self._event("interruption", record.at, {"antiphon.interruption.real": record.real})
            case _:
                pass

    def finish(self, at: float, reason: str) -> None:
        """The session ended at this session time."""
        self._span.set_attribute("antiphon.close_reason", reason)
        self._span.end(end_time=self._ns(at))

    def _turn(self, turn: TurnRecord) -> None:
        with self._spanning("user_turn", turn.started, turn.committed, {"antiphon.turn": turn.turn}) as span:
            if self._content:
                span.set_attribute("gen_ai.input.messages", self._message("user", turn.text))
            parent = trace.set_span_in_context(span)
            if turn.final >= 0:
                self._leaf("stt", turn.ended, turn.final, {}, parent)
            self._leaf("endpointing", turn.ended, turn.decided, _present(probability=turn.probability), parent)
            if turn.committed > turn.decided:
                self._leaf("hook", turn.decided, turn.committed, {}, parent)
        reply = turn.reply
        if not turn.runs and reply is None:
            return
        start = min([run.started for run in turn.runs], default=turn.committed)
        ends = [max(run.generated, run.audio_done, run.started) for run in turn.runs]
        end = max([*ends, reply.done if reply else -1.0, turn.committed])
        name = self._agent()
        attributes: Attributes = {
            "gen_ai.operation.name": "invoke_agent",
            "gen_ai.agent.name": name,
            "gen_ai.conversation.id": self._session,
            "antiphon.turn": turn.turn,
        }
        with self._spanning(f"invoke_agent {name}".strip(), start, end, attributes) as span:
            if turn.waterfall is not None:
                for stage, seconds in turn.waterfall.stages().items():
                    span.set_attribute(f"antiphon.latency.{stage}", seconds)
                span.set_attribute("antiphon.latency.total", turn.waterfall.total)
            parent = trace.set_span_in_context(span)
            for run in turn.runs:
                self._run(run, parent)
            if reply is not None and reply.sounded >= 0:
                played = {"antiphon.interrupted": reply.interrupted, "antiphon.estimated": reply.estimated}
                self._leaf("playout", reply.sounded, max(reply.done, reply.sounded), played, parent)
                if self._content:
                    span.set_attribute("gen_ai.output.messages", self._message("assistant", reply.text))

    def _run(self, run: RunRecord, parent: Context) -> None:
        if run.source == "reply":
            attributes = {
                **_model(run),
                "gen_ai.request.stream": True,
                "gen_ai.usage.input_tokens": run.prompt_tokens,
                "gen_ai.usage.output_tokens": run.completion_tokens,
                "gen_ai.usage.cache_read.input_tokens": run.cached_tokens,
                "antiphon.speculative": run.speculative,
                "antiphon.outcome": run.outcome or "used",
            }
            if run.first_token >= 0:
                attributes["gen_ai.response.time_to_first_chunk"] = run.first_token - run.started
            end = run.generated if run.generated >= 0 else run.started
            self._leaf(
                f"chat {run.llm.model}".strip(), run.started, end, attributes, parent, SpanKind.CLIENT, run.error
            )
        if run.first_segment >= 0 and run.audio_seconds > 0:
            spoken: Attributes = {
                "gen_ai.provider.name": run.tts.provider,
                "gen_ai.request.model": run.tts.model,
                "antiphon.tts.characters": run.characters,
                "antiphon.tts.audio_seconds": run.audio_seconds,
            }
            name = f"tts {run.tts.model}".strip()
            self._leaf(name, run.first_segment, max(run.audio_done, run.first_audio), spoken, parent, SpanKind.CLIENT)

    def _tool(self, tool: ToolRecord) -> None:
        attributes = {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": tool.name,
            "gen_ai.tool.call.id": tool.call_id,
            "gen_ai.tool.type": "function",
            "antiphon.tool.effect": tool.effect,
        }
        end = tool.started + max(tool.duration, 0.0)
        name = f"execute_tool {tool.name}"
        error = "in doubt" if tool.in_doubt else tool.error
        self._leaf(name, tool.started, end, attributes, self._root, error=error, tool=not tool.in_doubt)

    def _leaf(
        self,
        name: str,
        start: float,
        end: float,
        attributes: Attributes,
        parent: Context,
        kind: SpanKind = SpanKind.INTERNAL,
        error: str = "",
        tool: bool = False,
    ) -> None:
        span = self._tracer.start_span(name, parent, kind, dict(attributes), start_time=self._ns(start))
        if error:
            span.set_attribute("error.type", name.partition(" ")[0])
            # A tool's failed result is conversation: its words go in with the rest of it, or not at all.
            span.set_status(Status(StatusCode.ERROR, self._text(error) if self._content or not tool else None))
        span.end(end_time=self._ns(max(start, end)))

    def _spanning(self, name: str, start: float, end: float, attributes: Attributes) -> _Ending:
        span = self._tracer.start_span(name, self._root, attributes=dict(attributes), start_time=self._ns(start))
        return _Ending(span, self._ns(max(start, end)))

    def _event(self, name: str, at: float, attributes: Attributes) -> None:
        self._span.add_event(name, dict(attributes), timestamp=self._ns(at))

    def _message(self, role: str, text: str) -> str:
        return json.dumps([{"role": role, "parts": [{"type": "text", "content": self._text(text)}]}])

    def _text(self, text: str) -> str:
        return self._redaction.text(text) if self._redaction else text

    def _ns(self, at: float) -> int:
        return int((self._epoch + at) * 1e9)


class _Ending:
    def __init__(self, span: Span, end: int) -> None:
        self._span = span
        self._end = end

    def __enter__(self) -> Span:
        return self._span

    def __exit__(self, *_: object) -> None:
        self._span.end(end_time=self._end)


class _Instruments:
    """Made once per provider: SDKs complain about an instrument that is made twice."""

    def __init__(self, provider: MeterProvider | None) -> None:
        meter = metrics.get_meter(SCOPE, meter_provider=provider)
        self.latency = meter.create_histogram(
            "antiphon.turn.latency",
            unit="s",
            description="Caller's last sound to the reply's first, by stage; stage=total is their sum.",
            explicit_bucket_boundaries_advisory=LATENCY,
        )
        self.tokens = meter.create_histogram(
            "gen_ai.client.token.usage",
            unit="{token}",
            description="Number of input and output tokens used.",
            explicit_bucket_boundaries_advisory=TOKENS,
        )
        self.duration = meter.create_histogram(
            "gen_ai.client.operation.duration",
            unit="s",
            description="GenAI operation duration.",
            explicit_bucket_boundaries_advisory=SECONDS,
        )
        self.first_chunk = meter.create_histogram(
            "gen_ai.client.operation.time_to_first_chunk",
            unit="s",
            description="Time to the first chunk of a streamed answer.",
            explicit_bucket_boundaries_advisory=SECONDS,
        )
        self.tool = meter.create_histogram(
            "gen_ai.execute_tool.duration",
            unit="s",
            description="Tool execution duration.",
            explicit_bucket_boundaries_advisory=SECONDS,
        )
        self.stall = meter.create_histogram(
            "antiphon.loop.stall",
            unit="s",
            description="How long an event loop stood still.",
            explicit_bucket_boundaries_advisory=SECONDS,
        )
        self.interruptions = meter.create_counter("antiphon.interruptions", unit="{interruption}")
        self.rungs = meter.create_counter("antiphon.ladder.rungs", unit="{rung}")
        self.drops = meter.create_counter("antiphon.plane.drops", unit="{drop}")
        self.errors = meter.create_counter("antiphon.errors", unit="{error}")


_instruments = cache(_Instruments)


class Metrics:
    """An observer that records metrics. Any number of sessions may share one."""

    def __init__(self, provider: MeterProvider | None = None) -> None:
        self._on = _instruments(provider)

    def observe(self, record: AnyRecord) -> None:
        match record:
            case TurnRecord(waterfall=waterfall) if waterfall is not None:
                for stage, seconds in {**waterfall.stages(), "total": waterfall.total}.items():
                    self._on.latency.record(seconds, {"stage": stage})
            case RunRecord(source="reply"):
                self._run(record)
            case ToolRecord() if record.duration >= 0:
                failed = {"error.type": "tool"} if record.error else {}
                self._on.tool.record(record.duration, {"gen_ai.tool.name": record.name, **failed})
            case Interruption():
                self._on.interruptions.add(1, {"real": record.real})
            case Rung():
                self._on.rungs.add(1, {"n": record.n, "action": record.action})
            case Drops():
                for name, count in record.counts.items():
                    self._on.drops.add(count, {"name": name})
            case Stall():
                self._on.stall.record(record.seconds, {"loop": record.loop, "running": record.running})
            case Failure():
                self._on.errors.add(1, {"error.type": record.source})
            case _:
                pass

    def _run(self, run: RunRecord) -> None:
        attributes = _model(run)
        failed = {"error.type": "llm"} if run.error else {}
        self._on.duration.record(run.generated - run.started, {**attributes, **failed})
        if run.first_token >= 0:
            self._on.first_chunk.record(run.first_token - run.started, attributes)
        for kind, count in (("input", run.prompt_tokens), ("output", run.completion_tokens)):
            if count:
                self._on.tokens.record(count, {**attributes, "gen_ai.token.type": kind})


def _model(run: RunRecord) -> dict[str, str | int | float | bool]:
    return {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": run.llm.provider,
        "gen_ai.request.model": run.llm.model,
    }


def _present(**values: float | None) -> dict[str, float]:
    return {f"antiphon.{name}": value for name, value in values.items() if value is not None}
