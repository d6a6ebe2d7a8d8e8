"""Which model a string, an object or nothing stands for."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from antiphon import LLM, Agent, AgentSession, ConfigurationError, ModelMissingError, NotSupportedError
from antiphon.session.bindings import resolve
from antiphon.testing import text_context
from antiphon.testing.llm import ScriptedLLM
from antiphon.wire.llm import WireLLM
from antiphon.wire.resolve import llm_from_string


@pytest.mark.parametrize(
    ("kind", "given", "error", "says"),
    [
        ("stt", "nobody/nova-3", NotSupportedError, "nobody"),
        ("tts", "deepgram", ConfigurationError, "provider/model"),
        ("turn_detector", "nobody/ends", NotSupportedError, "nobody/ends"),
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


async def _a_session_on(llm: object) -> WireLLM:
    async with AgentSession[None](llm=llm) as session:  # type: ignore[arg-type]
        await session.start(Agent(instructions="Hi."), text_context())
        model = session.model_of(session.current_agent, "llm")
    assert isinstance(model, WireLLM)
    return model


def test_models_named_by_strings_are_closed_with_their_session_and_others_are_not() -> None:
    """Nobody listens at that address: what is left is the socket pool of the attempt."""
    string = "openai/m@http://127.0.0.1:9/v1"

    async def main() -> None:
        assert not (await _a_session_on(string)).pool._sessions
        own = llm_from_string(string, environ={})
        assert (await _a_session_on(own)).pool._sessions
        await own.aclose()

    asyncio.run(main())
