"""Model strings: which model, which host, which key."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from antiphon.errors import AntiphonError, ConfigurationError, NotSupportedError
from antiphon.models.capabilities import LLMCapabilities
from antiphon.wire.llm import WireLLM
from antiphon.wire.resolve import ModelString, llm_from_string, parse_model_string, stt_from_string, tts_from_string

KEYS = {"OPENAI_API_KEY": "sk-1", "OPENAI_COMPATIBLE_API_KEY": "own", "VLLM_API_KEY": "v"}


def resolve(text: str, environ: dict[str, str] | None = None) -> WireLLM:
    llm = llm_from_string(text, environ=KEYS if environ is None else environ)
    assert isinstance(llm, WireLLM)
    return llm


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("ollama/qwen3:0.6b", ("ollama", "qwen3:0.6b", "")),
        ("OpenAI/gpt-4o-mini", ("openai", "gpt-4o-mini", "")),
        ("vllm/Qwen/Qwen3-0.6B@http://127.0.0.1:8000/v1", ("vllm", "Qwen/Qwen3-0.6B", "http://127.0.0.1:8000/v1")),
        ("openai/ft:gpt-4o:org@2:x", ("openai", "ft:gpt-4o:org@2:x", "")),
        ("llamacpp/a@http://user:pw@host/v1", ("llamacpp", "a", "http://user:pw@host/v1")),
    ],
)
def test_the_parts_of_a_string(text: str, parts: tuple[str, str, str]) -> None:
    assert parse_model_string(text) == ModelString(*parts)


@pytest.mark.parametrize(
    "text",
    ["", "gpt-4o", "openai/", "/x", "a b/c", "openai/x@127.0.0.1:8080", "openai/x@http://:::", "x/y@ftp://h", None, 3],
)
def test_other_strings_are_refused_with_an_example(text: object) -> None:
    with pytest.raises(AntiphonError) as caught:
        llm_from_string(text, environ=KEYS)  # type: ignore[arg-type]
    assert caught.value.hint


def test_where_each_provider_is() -> None:
    assert resolve("ollama/qwen3:0.6b").service.base_url == "http://127.0.0.1:11434/v1"
    assert resolve("openai/gpt-4o-mini").headers == {"Authorization": "Bearer sk-1"}
    vllm = resolve("vllm/m@https://10.0.0.5:8000/v1")
    assert vllm.headers == {"Authorization": "Bearer v"} and vllm.service.base_url == "https://10.0.0.5:8000/v1"
    assert (vllm.provider, vllm.model, vllm.on_core) == ("vllm", "m", True)


def test_openais_key_is_never_sent_to_another_host() -> None:
    assert resolve("openai/m@https://10.0.0.5/v1").headers == {"Authorization": "Bearer own"}
    assert resolve("openai/m@https://10.0.0.5/v1", {"OPENAI_API_KEY": "sk-1"}).headers == {}
    assert resolve("groq/m@http://127.0.0.1:9/v1", {"GROQ_API_KEY": "sk-1"}).headers == {}
    assert resolve("openai/m@https://api.openai.com.evil.example/v1", {"OPENAI_API_KEY": "sk-1"}).headers == {}


def test_pictures_and_sound_go_only_where_they_are_known_to_be_taken() -> None:
    def takes(text: str) -> tuple[bool, bool]:
        can = resolve(text).capabilities
        return can.images, can.audio

    assert takes("openai/gpt-4o") == (True, False) and takes("openai/gpt-audio-mini") == (True, True)
    assert takes("ollama/qwen3:0.6b") == takes("openai/gpt-audio@https://10.0.0.5/v1") == (False, False)
    seeing = llm_from_string("ollama/qwen3-vl", capabilities=LLMCapabilities(images=True), environ={})
    assert seeing.capabilities.images


def test_an_unencrypted_address_of_another_machine_is_refused_unless_asked_for() -> None:
    with pytest.raises(ConfigurationError, match=r"not encrypted.*ANTIPHON_ALLOW_INSECURE"):
        resolve("vllm/m@http://10.0.0.5:8000/v1")
    with pytest.raises(ConfigurationError, match="password"):
        resolve("vllm/m@https://user:word@10.0.0.5/v1")
    asked = resolve("vllm/m@http://10.0.0.5:8000/v1", {"ANTIPHON_ALLOW_INSECURE": "1"})
    assert asked.service.base_url == "http://10.0.0.5:8000/v1"
    llm_from_string("vllm/m@http://10.0.0.5:8000/v1", environ={}, allow_insecure=True)
    assert resolve("vllm/m@http://127.0.0.1:8000/v1").service.base_url == "http://127.0.0.1:8000/v1"


def test_a_missing_key_names_its_variable() -> None:
    with pytest.raises(ConfigurationError, match="OPENAI_API_KEY"):
        resolve("openai/gpt-4o-mini", {})
    assert resolve("ollama/x", {}).headers == {}


def test_unknown_providers_and_speech_services_name_what_there_is() -> None:
    with pytest.raises(NotSupportedError, match=r"'nobody'.*anthropic/.*ollama/.*openai/"):
        resolve("nobody/claude")
    with pytest.raises(NotSupportedError, match=r"speech-to-text.*nobody.*deepgram/.*stt="):
        stt_from_string("nobody/x")
    with pytest.raises(NotSupportedError, match=r"text-to-speech.*nobody.*cartesia/.*tts="):
        tts_from_string("nobody/x")


@example("0/0@http://[]@")
@settings(max_examples=300, deadline=None)
@given(
    st.text(max_size=40)
    | st.from_regex(r"(openai|ollama|x)/[a-z:@./ ]{0,10}(@http://[a-z:@/\[\]0-9]{0,10})?", fullmatch=True)
)
def test_any_string_resolves_or_is_refused_politely(text: str) -> None:
    try:
        llm_from_string(text, environ=KEYS)
    except AntiphonError as error:
        assert error.hint
