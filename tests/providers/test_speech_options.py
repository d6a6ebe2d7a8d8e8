"""Options of speech services that cannot be are refused when the model is made."""

from __future__ import annotations

from typing import Any

import pytest

from antiphon.errors import ConfigurationError
from antiphon.wire.resolve import stt_from_string, tts_from_string

EARS = ["deepgram/nova-3", "deepgram/flux-general-en", "cartesia/ink-2", "elevenlabs/scribe_v2_realtime",
        "assemblyai/universal-streaming-english", "openai/gpt-transcribe"]  # fmt: skip
VOICES = ["deepgram/aura-2-thalia-en", "cartesia/sonic-3", "elevenlabs/eleven_flash_v2_5", "openai/gpt-4o-mini-tts"]


@pytest.mark.parametrize("name", EARS)
def test_a_text_is_no_list_of_words(name: str) -> None:
    with pytest.raises(ConfigurationError, match="keyterms"):
        stt_from_string(name, api_key="k", keyterms="flat white")
    stt_from_string(name, api_key="k", keyterms=["flat white"])


@pytest.mark.parametrize("name", EARS)
def test_an_option_that_does_not_exist_names_those_that_do(name: str) -> None:
    with pytest.raises(ConfigurationError, match=r"keyterm'.*keyterms"):
        stt_from_string(name, api_key="k", keyterm=["x"])


@pytest.mark.parametrize("name", VOICES)
def test_a_speed_that_cannot_be(name: str) -> None:
    with pytest.raises(ConfigurationError, match="speed=99"):
        tts_from_string(name, api_key="k", speed=99)
    with pytest.raises(ConfigurationError, match="'pace'"):
        tts_from_string(name, api_key="k", pace=1)
    tts_from_string(name, api_key="k", speed=1.0)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("deepgram/flux-general-en", {"eot_threshold": 7}),
        ("deepgram/flux-general-en", {"diarize": True}),
        ("deepgram/flux-general-en:de", {}),
        ("deepgram/nova-3", {"eot_threshold": 0.7}),
    ],
)
def test_what_a_model_of_deepgram_does_not_have(name: str, options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        stt_from_string(name, api_key="k", **options)


@pytest.mark.parametrize(
    "name", ["deepgram/flux-general-en:en-GB", "deepgram/flux-general-multi:de", "deepgram/nova-3:de"]
)
def test_a_language_that_a_model_of_deepgram_speaks(name: str) -> None:
    stt_from_string(name, api_key="k")
