"""Cartesia's recognition with turns (``/stt/turns/websocket``): the Ink models.

Owns: commands -> frames, frames -> signals. Never: sockets, keys, retries.
Source: Cartesia's API reference of the WebSocket endpoint for turns, version 2026-08-14.
"""

from __future__ import annotations

import msgspec

from antiphon.models.endings import Ending, Failure, ServiceError
from antiphon.models.speech_codec import (
    Audio,
    ConnectSpec,
    Finalize,
    Frame,
    Heard,
    Notice,
    Ready,
    STTCommand,
    STTRules,
    STTSignal,
    TurnEdge,
)
from antiphon.providers.cartesia_sonic import authorise, classify
from antiphon.providers.json_fields import integer, message_of, string

LEAD = 1.0
"""Seconds of audio before the service says that a turn has begun, in which it may have."""


class InkOptions(msgspec.Struct, frozen=True):
    """Query parameters of ``/stt/turns/websocket``. ``turn_start_threshold`` (0.5-0.9), ``turn_eager_end_threshold`` (0.3-0.6),
    ``turn_end_threshold`` (0.05-0.5): how sure the service must be that the caller speaks, for a turn to begin, perhaps to be
    over, to be over. ``turn_end_timeout_ms``: silence that ends it in any case. ``extra``: any other parameter, as it is."""

    model: str = "ink-2"
    keyterms: tuple[str, ...] = ()
    turn_start_threshold: float | None = None
    turn_eager_end_threshold: float | None = None
    turn_end_threshold: float | None = None
    turn_end_timeout_ms: int | None = None
    extra: tuple[tuple[str, str], ...] = ()


class InkCodec:
    """One socket of ``/stt/turns/websocket``. A segment is a turn: turns have no names, so each is counted from its beginning,
    and an end without a beginning is that of the last one again. The service gives no times: a turn covers the audio that
    had been sent when its text last changed."""

    rules = STTRules(chunk=0.1, keepalive=1.0, silence=True)

    def __init__(self, options: InkOptions) -> None:
        self._options = options
        self._sent = 0.0
        self._turn, self._open = 0, False
        self._start = self._end = 0.0
        self._text = ""

    def connect(self, key: str) -> ConnectSpec:
        options = self._options
        query = [("model", options.model), ("encoding", "pcm_s16le"), ("sample_rate", str(self.rules.rate))]
        for name in (
            "turn_start_threshold",
            "turn_eager_end_threshold",
            "turn_end_threshold",
            "turn_end_timeout_ms",
        ):
            if (value := getattr(options, name)) is not None:
                query.append((name, str(value)))
        query += [("keyterm", term) for term in options.keyterms]
        query += options.extra
        return ConnectSpec(path="/stt/turns/websocket", query=tuple(query), headers=authorise(key), waits=True)

    def encode(self, command: STTCommand) -> list[Frame]:
        if isinstance(command, Audio):
            self._sent += len(command.pcm) / 2 / self.rules.rate
            return [command.pcm] if command.pcm else []
        return [] if isinstance(command, Finalize) else ['{"type":"close"}']

    def on_idle(self) -> list[Frame]:
        return []

    def decode(self, frame: Frame) -> list[STTSignal]:
        data = message_of(frame)
        kind = data.get("type")
        text = string(data.get("transcript"))
        if kind == "turn.start":
            return self._begin() or [Notice("empty")]
        if kind == "turn.resume":
            return self._begin() or [TurnEdge("start")]
        if kind == "turn.update" or kind == "turn.eager_end":
            heard: list[STTSignal] = [*self._begin(), self._heard(text)] if text else [Notice("empty")]
            return [*heard, TurnEdge("likely")] if kind == "turn.eager_end" else heard
        if kind == "turn.end":
            last, was_open, self._open = self._heard(text, final=True), self._open, False
            return [last, TurnEdge("end")] if was_open else [last]
        if kind == "connected":
            return [Ready(session=string(data.get("request_id")))]
        if kind == "error":
            said = string(data.get("message")) or string(data.get("title"))
            return [ServiceError(said, code=string(data.get("error_code")), status=integer(data.get("status_code")))]
        return [Notice("unknown", string(kind))]

    def _begin(self) -> list[STTSignal]:
        if self._open:
            return []
        self._turn, self._open, self._text = self._turn + 1, True, ""
        self._start, self._end = max(self._end, self._sent - LEAD), self._sent
        return [TurnEdge("start")]

    def _heard(self, text: str, *, final: bool = False) -> Heard:
        if text != self._text:
            self._text, self._end = text, self._sent
        return Heard(str(self._turn), text, final=final, start=self._start, end=self._end)

    def classify(self, ending: Ending) -> Failure:
        return classify(ending)

    def resume(self) -> InkCodec:
        return InkCodec(self._options)
