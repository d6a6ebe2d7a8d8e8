"""Cartesia's streaming voices (``/tts/websocket``): the Sonic models.

Owns: commands -> frames, frames -> signals. Never: sockets, keys, retries.
Source: Cartesia's API reference of the WebSocket endpoint, version 2026-08-14.
"""

from __future__ import annotations

import binascii
from typing import Any

import msgspec

from antiphon.models.endings import Ending, Failure, Refused, ServiceError, failure_of
from antiphon.models.speech_codec import (
    CancelContext,
    ConnectSpec,
    ContextDone,
    Frame,
    Notice,
    SegmentDone,
    Sound,
    Speak,
    SpokenWord,
    TTSCommand,
    TTSRules,
    TTSSignal,
    Words,
)
from antiphon.providers.json_fields import integer, message_of, number, string, text_of

VERSION = "2026-08-14"


class SonicOptions(msgspec.Struct, frozen=True):
    """Fields of a generation request. ``voice``: its id. ``rate``: Hz. ``speed`` 0.6-1.5, ``volume`` 0.5-2.0, ``emotion``: as the
    service takes them; unset: the voice's own. ``contexts``: syntheses at a time on one socket."""

    model: str = "sonic-3"
    voice: str = ""
    language: str = ""
    rate: int = 24_000
    speed: float | None = None
    volume: float | None = None
    emotion: str = ""
    word_times: bool = True
    pronunciation_dict_id: str = ""
    contexts: int = 4
    extra: dict[str, Any] = {}


class SonicCodec:
    """One socket. A context is a ``context_id``; each text is flushed, so that its ``flush_done`` marks where it ends."""

    def __init__(self, options: SonicOptions) -> None:
        self._options = options
        self.rules = TTSRules(rate=options.rate, contexts=options.contexts, cancels=True, boundaries=True, idle=300.0)

    def connect(self, key: str) -> ConnectSpec:
        return ConnectSpec(path="/tts/websocket", headers=authorise(key))

    def encode(self, command: TTSCommand) -> list[Frame]:
        if isinstance(command, CancelContext):
            return [text_of({"context_id": command.context, "cancel": True})]
        request = self._request(command.context)
        if isinstance(command, Speak):
            # Transcripts are joined as they are: the space between two sentences has to be sent.
            text = command.text if command.text[-1:].isspace() else command.text + " "
            return [text_of({**request, "transcript": text, "continue": True, "flush": True})]
        return [text_of({**request, "transcript": "", "continue": False})]

    def _request(self, context: str) -> dict[str, Any]:
        options = self._options
        request: dict[str, Any] = {
            "model_id": options.model,
            "voice": {"mode": "id", "id": options.voice},
            "output_format": {"container": "raw", "encoding": "pcm_s16le", "sample_rate": options.rate},
            "context_id": context,
            "max_buffer_delay_ms": 0,
            "add_timestamps": options.word_times,
            **options.extra,
        }
        if options.language:
            request["language"] = options.language
        if options.pronunciation_dict_id:
            request["pronunciation_dict_id"] = options.pronunciation_dict_id
        generation = {"speed": options.speed, "volume": options.volume, "emotion": options.emotion or None}
        if any(value is not None for value in generation.values()):
            request["generation_config"] = {name: value for name, value in generation.items() if value is not None}
        return request

    def on_idle(self) -> list[Frame]:
        return []

    def decode(self, frame: Frame) -> list[TTSSignal]:
        data = message_of(frame)
        kind, context = data.get("type"), string(data.get("context_id"))
        if kind == "chunk":
            try:
                pcm = binascii.a2b_base64(string(data.get("data")), strict_mode=True)
            except (binascii.Error, ValueError):
                return [Notice("unreadable", "chunk")]
            return [Sound(context, pcm)]
        if kind == "timestamps":
            return [Words(context, _words_of(data.get("word_timestamps")))]
        if kind == "flush_done":
            return [SegmentDone(context)]
        if kind == "done":
            return [ContextDone(context)]
        if kind == "error":
            said = string(data.get("message")) or string(data.get("title")) or string(data.get("error"))
            return [
                ServiceError(
                    said,
                    code=string(data.get("error_code")),
                    status=integer(data.get("status_code")),
                    context=context,
                )
            ]
        return [Notice("unknown", string(kind))]

    def classify(self, ending: Ending) -> Failure:
        return classify(ending)


# --- shared with recognition ----------------------------------------------------------------------------------------------


def authorise(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}", "Cartesia-Version": VERSION}


def classify(ending: Ending) -> Failure:
    if isinstance(ending, Refused):
        data = message_of(ending.body)
        return failure_of("Cartesia", ending, said=string(data.get("message")) or string(data.get("error")))
    return failure_of("Cartesia", ending)


def _words_of(times: object) -> tuple[SpokenWord, ...]:
    if not isinstance(times, dict):
        return ()
    columns = [value for name in ("words", "start", "end") if isinstance(value := times.get(name), list)]
    if len(columns) != 3:
        return ()
    return tuple(
        SpokenWord(word, number(start), number(end))
        for word, start, end in zip(*columns, strict=False)
        if isinstance(word, str)
    )
