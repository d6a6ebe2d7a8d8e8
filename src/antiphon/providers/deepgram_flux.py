"""Deepgram's recognition with turns (``/v2/listen``): the Flux models.

Owns: commands -> frames, frames -> signals. Never: sockets, keys, retries.
Source: Deepgram's AsyncAPI description of ``/v2/listen``.
"""

from __future__ import annotations

from typing import Any

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
from antiphon.providers.deepgram_nova import authorise, classify
from antiphon.providers.deepgram_results import words_of
from antiphon.providers.json_fields import message_of, number, string


class FluxOptions(msgspec.Struct, frozen=True):
    """Query parameters of ``/v2/listen``. ``eot_threshold``: confidence at which a turn ends (0.5-1.0).
    ``eager_eot_threshold``: confidence at which it may be over (0.3-0.9); unset: never said. ``eot_timeout_ms``: silence that
    ends it in any case. ``language_hints``: for ``flux-general-multi``. ``extra``: any other parameter, as it is."""

    model: str = "flux-general-en"
    keyterms: tuple[str, ...] = ()
    language_hints: tuple[str, ...] = ()
    eot_threshold: float | None = None
    eager_eot_threshold: float | None = None
    eot_timeout_ms: int | None = None
    tags: tuple[str, ...] = ()
    mip_opt_out: bool = False
    extra: tuple[tuple[str, str], ...] = ()


class FluxCodec:
    """One socket of ``/v2/listen``. A segment is a turn: its transcript grows and may be revised until the turn ends."""

    rules = STTRules(chunk=0.08, keepalive=1.0, silence=True)

    def __init__(self, options: FluxOptions) -> None:
        self._options = options
        self._turn = False

    def connect(self, key: str) -> ConnectSpec:
        options = self._options
        query = [("model", options.model), ("encoding", "linear16"), ("sample_rate", str(self.rules.rate))]
        for name in ("eot_threshold", "eager_eot_threshold", "eot_timeout_ms"):
            if (value := getattr(options, name)) is not None:
                query.append((name, str(value)))
        for name, values in (
            ("keyterm", options.keyterms),
            ("language_hint", options.language_hints),
            ("tag", options.tags),
        ):
            query += [(name, value) for value in values]
        if options.mip_opt_out:
            query.append(("mip_opt_out", "true"))
        query += options.extra
        return ConnectSpec(path="/v2/listen", query=tuple(query), headers=authorise(key), waits=True)

    def encode(self, command: STTCommand) -> list[Frame]:
        if isinstance(command, Audio):
            return [command.pcm] if command.pcm else []
        if isinstance(command, Finalize):
            return ['{"type":"ForceEndTurn"}'] if self._turn else []
        return ['{"type":"CloseStream"}']

    def on_idle(self) -> list[Frame]:
        return []

    def decode(self, frame: Frame) -> list[STTSignal]:
        data = message_of(frame)
        kind = data.get("type")
        if kind == "TurnInfo":
            return self._turn_info(data)
        if kind == "Connected":
            return [Ready(session=string(data.get("request_id")))]
        if kind == "Error":
            return [ServiceError(string(data.get("description")), code=string(data.get("code")))]
        if kind in ("Warning", "ConfigureFailure"):
            return [Notice(string(data.get("code")), string(data.get("description")))]
        return [] if kind == "ConfigureSuccess" else [Notice("unknown", string(kind))]

    def _turn_info(self, data: dict[str, Any]) -> list[STTSignal]:
        event, text = string(data.get("event")), string(data.get("transcript"))
        final = event == "EndOfTurn"
        self._turn = not final and (self._turn or event == "StartOfTurn" or bool(text))
        words = words_of(data.get("words"))
        languages = data.get("languages")
        start = number(data.get("audio_window_start"))
        signals: list[STTSignal] = []
        if event == "StartOfTurn" or event == "TurnResumed":
            signals.append(TurnEdge("start"))
        if text or final:
            signals.append(
                Heard(
                    segment=str(data.get("turn_index")),
                    text=text,
                    final=final,
                    start=words[0].start if words else start,
                    end=number(data.get("audio_window_end")),
                    words=words,
                    language=string(languages[0]) if isinstance(languages, list) and languages else "",
                )
            )
        if event == "EagerEndOfTurn":
            signals.append(TurnEdge("likely"))
        elif final:
            signals.append(TurnEdge("end"))
        return signals or [Notice("empty")]

    def classify(self, ending: Ending) -> Failure:
        return classify(ending)

    def resume(self) -> FluxCodec:
        return FluxCodec(self._options)
