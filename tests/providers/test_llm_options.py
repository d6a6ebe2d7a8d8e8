"""What a user writes about a language model: options, keys, addresses, names; and what is known of models."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import date
from typing import Any

import pytest

from antiphon.chat.context import ChatContext
from antiphon.errors import ConfigurationError
from antiphon.models.llm import LLM, ToolSpec
from antiphon.providers import anthropic, azure, google, openai, openai_compatible
from antiphon.providers.model_facts import facts_of, model_list
from antiphon.providers.registry import ROWS
from antiphon.wire.llm import WireLLM
from antiphon.wire.resolve import llm_from_string
from antiphon.wire.socket_llm import SocketLLM

TOOL = ToolSpec("order", "Order.", {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]})


def ctx() -> ChatContext:
    made = ChatContext.empty()
    made.add_message(role="system", content="Be brief.")
    made.add_message(role="user", content="Hi")
    return made


def body_of(llm: LLM, tools: tuple[ToolSpec, ...] = (TOOL,)) -> dict[str, Any]:
    if isinstance(llm, SocketLLM):
        return llm.codec.body(model=llm.model, chat_ctx=ctx(), tools=tools, tool_choice="auto")
    assert isinstance(llm, WireLLM)
    request = llm.codec.request(model=llm.model, chat_ctx=ctx(), tools=tools, tool_choice="auto")
    return json.loads(request.body)  # type: ignore[no-any-return]


def test_options_of_openai() -> None:
    body = body_of(
        openai.LLM(
            "gpt-5.4-mini",
            api_key="k",
            temperature=0.2,
            max_tokens=300,
            reasoning_effort="low",
            service_tier="priority",
            parallel_tool_calls=False,
            strict_tools=True,
            prompt_cache_key="counter",
            extra_body={"logit_bias": {"50256": -100}},
        )
    )
    assert body["max_completion_tokens"] == 300 and "max_tokens" not in body and body["temperature"] == 0.2
    assert body["reasoning_effort"] == "low" and body["service_tier"] == "priority"
    assert body["parallel_tool_calls"] is False and body["prompt_cache_key"] == "counter"
    assert body["tools"][0]["function"]["strict"] is True and body["logit_bias"] == {"50256": -100}
    assert "parallel_tool_calls" not in body_of(openai.LLM("m", api_key="k", parallel_tool_calls=False), ())
    plain = body_of(openai.LLM("gpt-4o", api_key="k"), ())
    assert set(plain) == {"model", "messages", "stream", "stream_options"}


def test_options_of_responses() -> None:
    body = body_of(
        openai.ResponsesLLM(
            "gpt-5.4-mini", api_key="k", max_tokens=300, reasoning_effort="low", verbosity="low", truncation="auto",
            extra_body={"reasoning": {"summary": "auto"}},
        )
    )  # fmt: skip
    assert body["reasoning"] == {"effort": "low", "summary": "auto"} and body["text"] == {"verbosity": "low"}
    assert body["max_output_tokens"] == 300 and body["truncation"] == "auto" and body["store"] is False
    assert body["include"] == ["reasoning.encrypted_content"] and body["instructions"] == "Be brief."
    kept = body_of(openai.ResponsesLLM("m", api_key="k", store=True))
    assert kept["store"] is True and "include" not in kept


def test_options_of_anthropic() -> None:
    body = body_of(
        anthropic.LLM(
            "claude-haiku-4-5",
            api_key="k",
            thinking=2048,
            effort="low",
            top_k=5,
            parallel_tool_calls=False,
            user_id="u1",
        )
    )
    assert body["thinking"] == {"type": "enabled", "budget_tokens": 2048} and body["output_config"] == {"effort": "low"}
    assert body["tool_choice"] == {"type": "auto", "disable_parallel_tool_use": True} and body["top_k"] == 5
    assert body["metadata"] == {"user_id": "u1"} and body["max_tokens"] == 4096
    assert body["system"][-1]["cache_control"] == {"type": "ephemeral"}
    plain = body_of(anthropic.LLM("claude-haiku-4-5", api_key="k", cache_prompt=False, max_tokens=100))
    assert "cache_control" not in json.dumps(plain) and plain["max_tokens"] == 100 and "thinking" not in plain


def test_options_of_gemini() -> None:
    body = body_of(
        google.LLM(
            "gemini-3.8-flash",
            api_key="k",
            temperature=0.1,
            max_tokens=300,
            thinking_level="low",
            safety_settings={"HARM_CATEGORY_HARASSMENT": "BLOCK_NONE"},
            service_tier="priority",
        )
    )
    assert body["generationConfig"] == {
        "temperature": 0.1,
        "maxOutputTokens": 300,
        "thinkingConfig": {"thinkingLevel": "LOW"},
    }
    assert body["safetySettings"] == [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}]
    assert body["serviceTier"] == "priority"
    none = body_of(google.LLM("gemini-2.5-flash", api_key="k", thinking_budget=0))
    assert none["generationConfig"] == {"thinkingConfig": {"thinkingBudget": 0}}


def test_strings_and_objects_are_the_same_models(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = {row.key_variable: f"key of {row.prefix}" for row in ROWS}
    keys["AZURE_OPENAI_ENDPOINT"] = "https://mine.openai.azure.com"
    for row in ROWS:
        llm = llm_from_string(f"{row.prefix}/{row.example}", environ=keys)
        assert (llm.provider, llm.model, llm.on_core) == (row.vendor or row.prefix, row.example, True)
        assert isinstance(llm, SocketLLM) == row.socket
        assert "key of" not in repr(llm)
    monkeypatch.setenv("GROQ_API_KEY", "g")
    made = openai_compatible.LLM("groq", "openai/gpt-oss-120b", temperature=0.3)
    same = llm_from_string("groq/openai/gpt-oss-120b", options={"temperature": 0.3})
    assert isinstance(same, WireLLM) and body_of(made) == body_of(same)
    assert made.service == same.service and made.headers == same.headers


def test_keys_come_from_the_usual_variables_and_go_home_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in (
        "OPENAI_API_KEY",
        "ANTHROPIC_API_KEY",
        "GOOGLE_API_KEY",
        "GEMINI_API_KEY",
        "OPENAI_COMPATIBLE_API_KEY",
    ):
        monkeypatch.delenv(variable, raising=False)
    with pytest.raises(ConfigurationError, match=r"ANTHROPIC_API_KEY.*https://console"):
        anthropic.LLM("claude-haiku-4-5")
    with pytest.raises(ConfigurationError, match="GOOGLE_API_KEY"):
        google.LLM("gemini-3.8-flash")
    monkeypatch.setenv("GEMINI_API_KEY", "g")
    assert google.LLM("gemini-3.8-flash").headers == {"x-goog-api-key": "g"}
    monkeypatch.setenv("ANTHROPIC_API_KEY", "a")
    assert anthropic.LLM("claude-haiku-4-5").headers == {"x-api-key": "a"}
    for elsewhere in ("https://proxy.example/v1", "http://127.0.0.1:8080/v1"):
        assert anthropic.LLM("claude-haiku-4-5", base_url=elsewhere).headers == {}
        assert google.LLM("gemini-3.8-flash", base_url=elsewhere).headers == {}
    with pytest.raises(ConfigurationError, match="not encrypted"):
        anthropic.LLM("claude-haiku-4-5", base_url="http://proxy.example/v1")
    assert anthropic.LLM("m", base_url="http://proxy.example/v1", allow_insecure=True).headers == {}


def test_facts_are_dated_and_of_rows_that_exist() -> None:
    listed = model_list()
    assert date.fromisoformat(listed.as_of)
    prefixes = {row.prefix for row in ROWS}
    assert len({(facts.provider, facts.id) for facts in listed.models}) == len(listed.models) > 80
    for facts in listed.models:
        assert facts.provider in prefixes and facts.context >= facts.output >= 0
        assert not facts.shutdown or date.fromisoformat(facts.shutdown)
    known = facts_of("openai", "gpt-5.4-mini")
    assert known is not None and known.images and known.reasoning and not known.shutdown
    assert facts_of("openai", "gpt-99") is None


def test_no_example_of_ours_is_a_model_that_is_shut_down() -> None:
    for row in ROWS:
        facts = facts_of(row.vendor or row.prefix, row.example)
        assert facts is None or not facts.shutdown, row.prefix


def test_a_model_that_its_service_shuts_down_is_announced(caplog: pytest.LogCaptureFixture) -> None:
    llm = openai.LLM("gpt-5-mini", api_key="k")
    assert "openai/gpt-5-mini is shut down by its service on 2026-12-11" in caplog.text
    assert "2026-12-11" in llm.service.model_hint
    caplog.clear()
    openai.LLM("gpt-4o", api_key="k")
    openai.LLM("gpt-5-mini", base_url="https://own.example/v1")
    assert caplog.text == ""


def test_pictures_go_to_models_that_take_them() -> None:
    assert openai.LLM("gpt-4o", api_key="k").capabilities.images
    assert not openai_compatible.LLM("groq", "openai/gpt-oss-120b", api_key="k").capabilities.images
    assert google.LLM("gemini-3.8-flash", api_key="k").capabilities.audio
    assert not openai_compatible.LLM("perplexity", "sonar", api_key="k").capabilities.tools


def test_importing_and_making_a_model_imports_no_other_provider_and_no_network() -> None:
    script = (
        "import sys\n"
        "from antiphon.providers import {name}\n"
        "{name}.LLM({arguments}'m', api_key='k'{more})\n"
        "print(*sorted(n for n in sys.modules if n.startswith('antiphon.providers.') or n in ('aiohttp', 'asyncio')))"
    )
    cases = {
        "openai": ("", ""),
        "anthropic": ("", ""),
        "google": ("", ""),
        "azure": ("", ", endpoint='https://mine.openai.azure.com'"),
        "openai_compatible": ("'groq', ", ""),
    }
    for name, (arguments, more) in cases.items():
        text = script.format(name=name, arguments=arguments, more=more)
        done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True)
        loaded = set(done.stdout.split())
        assert not loaded & {"aiohttp", "asyncio"}
        others = {"anthropic": "gemini", "google": "anthropic"}.get(name, "anthropic")
        assert not {module for module in loaded if others in module.rpartition(".")[2]}, loaded
    assert azure.LLM.__doc__
