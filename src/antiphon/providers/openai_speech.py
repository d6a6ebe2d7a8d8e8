"""OpenAI's voices, one request a text (``POST /audio/speech``), which other services speak as well.

Owns: a text -> a request, the body -> sound. Never: sockets, keys, retries.
Source: OpenAI's API reference of ``POST /v1/audio/speech``.
"""

from __future__ import annotations

from typing import Any

import msgspec

from antiphon.models.codec import ServiceFault, WireRequest
from antiphon.models.speech_codec import Sound, TTSSignal
from antiphon.providers.openai_transcription import read_fault

RATE = 24_000
"""Hz of the service's ``pcm``."""
MOST_TEXT = 4_096
"""Characters that one request may have."""


class SpeechOptions(msgspec.Struct, frozen=True):
    """Fields of the request. ``instructions``: how it is said (of models that take them). ``speed``: 0.25 to 4.0."""

    model: str = "gpt-4o-mini-tts"
    voice: str = "marin"
    instructions: str = ""
    speed: float | None = None
    extra: dict[str, Any] = {}


class SpeechCodec:
    """Sound as it is made: int16 mono at ``RATE``. A body that is cut shows by its length, which the wire checks."""

    rate = RATE

    def __init__(self, options: SpeechOptions) -> None:
        self._options = options

    def request(self, text: str) -> WireRequest:
        options = self._options
        fields: dict[str, Any] = {
            "model": options.model,
            "voice": options.voice,
            "input": text[:MOST_TEXT],
            "response_format": "pcm",
        }
        if options.instructions:
            fields["instructions"] = options.instructions
        if options.speed is not None:
            fields["speed"] = options.speed
        body = msgspec.json.encode({**fields, **options.extra})
        return WireRequest(path="/audio/speech", body=body, headers={"Content-Type": "application/json"})

    def authorise(self, key: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {key}"}

    def decoder(self) -> SpeechBody:
        return SpeechBody()

    def probe(self) -> WireRequest:
        return WireRequest(path="/models", body=b"", method="GET")

    def fault(self, body: bytes) -> ServiceFault:
        return read_fault(body)


class SpeechBody:
    """The body is the sound."""

    def feed(self, data: bytes) -> list[TTSSignal]:
        return [Sound("", data)]

    def end(self) -> list[TTSSignal]:
        return []
