"""The providers that a model string may name: rows of data.

Owns: which there are. Never: code of a provider.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Literal

import msgspec

from antiphon.models.provider_row import ProviderRow as ProviderRow
from antiphon.providers.llm_rows import LLM_ROWS
from antiphon.providers.openai_compatible_rows import LOCAL_ROWS, REMOTE_ROWS

ROWS: tuple[ProviderRow, ...] = (*LLM_ROWS, *REMOTE_ROWS, *LOCAL_ROWS)


class SpeechRow(msgspec.Struct, frozen=True):
    """A provider of speech. ``factory``: ``module:attribute`` of the class that a user would write, imported on use; it takes
    ``model=`` and ``base_url=``. ``variant``: the argument that what follows a colon in a model string becomes (empty: none).
    ``names``: what its models are called, as shell patterns; they tell them from models of the provider's other kinds."""

    prefix: str
    kind: Literal["stt", "tts"]
    factory: str
    model: str
    variant: str
    names: tuple[str, ...]

    def calls(self, model: str) -> bool:
        """Whether one of its models may be called so."""
        return any(fnmatchcase(model, pattern) for pattern in self.names)


SPEECH: tuple[SpeechRow, ...] = (
    SpeechRow(
        "deepgram",
        "stt",
        "antiphon.providers.deepgram:STT",
        model="nova-3",
        variant="language",
        names=("nova-*", "flux-general-*", "base*", "enhanced*", "whisper*"),
    ),
    SpeechRow(
        "deepgram", "tts", "antiphon.providers.deepgram:TTS", model="aura-2-thalia-en", variant="", names=("aura-*",)
    ),
    SpeechRow(
        "openai",
        "stt",
        "antiphon.providers.openai:STT",
        model="gpt-transcribe",
        variant="language",
        names=("*-transcribe*", "whisper-*"),
    ),
    SpeechRow(
        "openai",
        "tts",
        "antiphon.providers.openai:TTS",
        model="gpt-4o-mini-tts",
        variant="voice",
        names=("tts-*", "*-tts*"),
    ),
    SpeechRow(
        "assemblyai",
        "stt",
        "antiphon.providers.assemblyai:STT",
        model="universal-streaming-english",
        variant="language",
        names=("universal-*", "u3-*"),
    ),
    SpeechRow("cartesia", "stt", "antiphon.providers.cartesia:STT", model="ink-2", variant="", names=("ink-*",)),
    SpeechRow(
        "cartesia", "tts", "antiphon.providers.cartesia:TTS", model="sonic-3", variant="voice", names=("sonic*",)
    ),
    SpeechRow(
        "elevenlabs",
        "stt",
        "antiphon.providers.elevenlabs:STT",
        model="scribe_v2_realtime",
        variant="language",
        names=("scribe*",),
    ),
    SpeechRow(
        "elevenlabs",
        "tts",
        "antiphon.providers.elevenlabs:TTS",
        model="eleven_flash_v2_5",
        variant="voice",
        names=("eleven_*",),
    ),
)

OWN_SERVER_KEY = "OPENAI_COMPATIBLE_API_KEY"
"""Key for ``openai/NAME@BASE_URL``: OpenAI's own key is never sent to another host."""


def row_of(prefix: str) -> ProviderRow | None:
    """The row of a prefix."""
    return next((row for row in ROWS if row.prefix == prefix), None)


def speech_row_of(prefix: str, kind: str) -> SpeechRow | None:
    return next((row for row in SPEECH if row.prefix == prefix and row.kind == kind), None)
