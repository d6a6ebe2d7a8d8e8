"""The providers that a model string may name: rows of data.

Owns: names, addresses, key variables. Never: code of a provider.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec


class ProviderRow(msgspec.Struct, frozen=True):
    """One provider. ``codec``: ``module:attribute``, imported on use; ``quirks``: its keyword arguments.
    ``key_variable``: the environment variable of its key, ``key_needed`` whether it works without. ``local``: it
    runs on the user's machine, may still have to load the model, and ``start_hint`` says how to start it. ``images``: its
    models take pictures. ``listening_models``: how the names of those begin that take sound."""

    prefix: str
    kind: Literal["llm"]
    base_url: str
    codec: str = "antiphon.providers.openai_chat:OpenAIChatCodec"
    quirks: dict[str, Any] = {}
    key_variable: str = ""
    key_needed: bool = False
    local: bool = False
    start_hint: str = ""
    model_hint: str = ""
    images: bool = False
    listening_models: tuple[str, ...] = ()


ROWS: tuple[ProviderRow, ...] = (
    ProviderRow(
        prefix="openai",
        kind="llm",
        base_url="https://api.openai.com/v1",
        quirks={"developer_role": True, "reasoning_tags": False},
        key_variable="OPENAI_API_KEY",
        key_needed=True,
        model_hint="Check the model's name: this account has no {model}.",
        images=True,
        listening_models=("gpt-audio", "gpt-4o-audio", "gpt-4o-mini-audio"),
    ),
    ProviderRow(
        prefix="ollama",
        kind="llm",
        base_url="http://127.0.0.1:11434/v1",
        key_variable="OLLAMA_API_KEY",
        local=True,
        start_hint="Start it with: ollama serve",
        model_hint="Fetch the model with: ollama pull {model}",
    ),
    ProviderRow(
        prefix="llamacpp",
        kind="llm",
        base_url="http://127.0.0.1:8080/v1",
        key_variable="LLAMA_API_KEY",
        local=True,
        start_hint="Start it with: llama-server --model FILE.gguf --jinja",
        model_hint="Check the alias that llama-server gives its model.",
    ),
    ProviderRow(
        prefix="vllm",
        kind="llm",
        base_url="http://127.0.0.1:8000/v1",
        key_variable="VLLM_API_KEY",
        local=True,
        start_hint="Start it with: vllm serve {model}",
        model_hint="The server serves another model: start it with vllm serve {model}",
    ),
)


class SpeechRow(msgspec.Struct, frozen=True):
    """A provider of speech. ``factory``: ``module:attribute`` of the class that a user would write, imported on use; it takes
    ``model=`` and ``base_url=``. ``variant``: the argument that what follows a colon in a model string becomes (empty: none)."""

    prefix: str
    kind: Literal["stt", "tts"]
    factory: str
    model: str
    variant: str


SPEECH: tuple[SpeechRow, ...] = (
    SpeechRow("deepgram", "stt", "antiphon.providers.deepgram:STT", model="nova-3", variant="language"),
    SpeechRow("deepgram", "tts", "antiphon.providers.deepgram:TTS", model="aura-2-thalia-en", variant=""),
    SpeechRow("openai", "stt", "antiphon.providers.openai_audio:STT", model="gpt-transcribe", variant="language"),
    SpeechRow("openai", "tts", "antiphon.providers.openai_audio:TTS", model="gpt-4o-mini-tts", variant="voice"),
    SpeechRow("cartesia", "tts", "antiphon.providers.cartesia:TTS", model="sonic-3", variant="voice"),
)

OWN_SERVER_KEY = "OPENAI_COMPATIBLE_API_KEY"
"""Key for ``openai/NAME@BASE_URL``: OpenAI's own key is never sent to another host."""


def row_of(prefix: str) -> ProviderRow | None:
    return next((row for row in ROWS if row.prefix == prefix), None)


def speech_row_of(prefix: str, kind: str) -> SpeechRow | None:
    return next((row for row in SPEECH if row.prefix == prefix and row.kind == kind), None)
