"""Which model a string, an object or nothing stands for."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from antiphon import LLM, Agent, AgentSession, ConfigurationError, ModelMissingError, NotSupportedError
from antiphon.session.bindings import resolve
from antiphon.testing.llm import ScriptedLLM


@pytest.mark.parametrize(
    ("kind", "given", "error", "says"),
    [
        ("stt", "deepgram/nova-3", NotSupportedError, "deepgram/nova-3"),
        ("tts", "cartesia/sonic-3", NotSupportedError, "cartesia/sonic-3"),
        ("llm", "nobody/knows-this", NotSupportedError, "nobody"),
        ("llm", "gpt-4o", ConfigurationError, "provider/model"),
        ("llm", 7, ConfigurationError, "not a LLM"),
        ("stt", ScriptedLLM(), ConfigurationError, "not a STT"),
    ],
)
def test_what_cannot_be_used_is_named(kind: str, given: Any, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        resolve(kind, given)


def test_a_server_by_one_string() -> None:
    model = resolve("llm", "ollama/qwen3:0.6b")
    assert isinstance(model, LLM)
    assert model.model == "qwen3:0.6b"


def test_local_models_that_are_not_there_say_how_to_get_them(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTIPHON_MODELS", str(tmp_path))

    async def main() -> None:
        with pytest.raises(ModelMissingError, match="antiphon models pull"):
            await AgentSession[None]().start(Agent(instructions="x"))

    asyncio.run(main())
