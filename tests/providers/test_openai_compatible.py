"""Each service that speaks OpenAI's chat completions, in its own dialect: what goes out is what it takes, what comes back is
understood."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from llm_world import KEY, TOOLS, Heard, ask, run

from antiphon.chat.context import ChatContext
from antiphon.chat.items import FunctionCall, FunctionCallOutput
from antiphon.errors import ConfigurationError, NotSupportedError
from antiphon.models.llm import LLM, Usage
from antiphon.models.provider_row import ProviderRow
from antiphon.providers import azure, openai_compatible
from antiphon.providers.registry import ROWS
from antiphon.testing.simulators import serving
from antiphon.testing.simulators.llm_script import Answer, LLMScript, LLMServiceFault, SimulatedCall
from antiphon.testing.simulators.openai import OpenAISimulator
from antiphon.testing.simulators.openai_dialects import DIALECTS
from antiphon.wire.llm import WireLLM
from antiphon.wire.llm_service import llm_service

CHAT_ROWS = {row.prefix: row for row in ROWS if row.codec.endswith(":OpenAIChatCodec")}
every_row = pytest.mark.parametrize("prefix", list(CHAT_ROWS))
with_tools = pytest.mark.parametrize("prefix", [prefix for prefix, row in CHAT_ROWS.items() if row.tools])
CALLS = (SimulatedCall("order", '{"item": "tea", "count": 2}'), SimulatedCall("pay"))


def model_of(row: ProviderRow, url: str, options: dict[str, Any] | None = None) -> LLM:
    """The row's model, at a simulator instead of the service: with the row's quirks, as at home."""
    home = ProviderRow(**{name: getattr(row, name) for name in row.__struct_fields__} | {"base_url": f"{url}/v1"})
    made = llm_service(home, row.example, environ={row.key_variable: KEY, row.endpoint_variable: url}, options=options)
    return WireLLM(made)


@asynccontextmanager
async def service(
    prefix: str,
    *answers: Answer | str,
    faults: dict[int, LLMServiceFault] | None = None,
    options: dict[str, Any] | None = None,
) -> AsyncIterator[tuple[LLM, OpenAISimulator]]:
    simulator = OpenAISimulator(LLMScript(answers or ("Hello.",), faults), dialect=DIALECTS[prefix], key=KEY)
    async with serving(simulator) as url:
        llm = model_of(CHAT_ROWS[prefix], url, options)
        try:
            yield llm, simulator
        finally:
            await llm.aclose()


def conversation() -> ChatContext:
    """One that has all that a service may stumble on: instructions of two kinds, calls of another vendor's model, late words."""
    ctx = ChatContext.empty()
    ctx.add_message(role="system", content="You take orders.")
    ctx.add_message(role="developer", content="Speak briefly.")
    ctx.add_message(role="user", content="Two teas, please.")
    ctx.add_message(role="assistant", content="One moment.")
    for n in range(2):
        id = f"toolu_01AbCdEfGhIjKlMnOpQrStUv_{n}"
        ctx.items.append(FunctionCall(id=f"c{n}", call_id=id, name="order", arguments='{"item": "tea", "count": 1}'))
    for n in range(2):
        id = f"toolu_01AbCdEfGhIjKlMnOpQrStUv_{n}"
        ctx.items.append(FunctionCallOutput(id=f"o{n}", call_id=id, name="order", output="ok"))
    ctx.add_message(role="assistant", content="Here you are.")
    ctx.add_message(role="user", content="Thanks!")
    return ctx


def test_there_is_a_dialect_for_each_row_and_at_least_fifteen_rows() -> None:
    assert len(CHAT_ROWS) >= 15 and set(CHAT_ROWS) <= set(DIALECTS)


@every_row
def test_a_whole_conversation_with_options_is_taken(prefix: str) -> None:
    async def test() -> None:
        row = CHAT_ROWS[prefix]
        options = {"temperature": 0.3, "top_p": 0.9, "max_tokens": 300, "stop": ["\n\n"]}
        async with service(prefix, options=options) as (llm, simulator):
            heard = await ask(llm, conversation(), TOOLS if row.tools else (), tool_choice="required")
            assert (heard.text, heard.error) == ("Hello.", None)
            sent = simulator.script.requests[0]
            assert sent.get("max_tokens", sent.get("max_completion_tokens")) == 300

    run(test)


@every_row
def test_words_thoughts_and_tokens_are_told_apart(prefix: str) -> None:
    async def test() -> None:
        answer = Answer(
            text="Two teas, <b>sure</b>.",
            thinking="They want < 3 teas.",
            prompt_tokens=40,
            completion_tokens=20,
            cached_tokens=16,
            reasoning_tokens=12,
            piece=3,
        )
        async with service(prefix, answer) as (llm, _):
            heard = await ask(llm)
            assert heard.text == "Two teas, <b>sure</b>." and heard.finish == "stop"
            assert heard.usages == [
                Usage(prompt_tokens=40, completion_tokens=20, cached_tokens=16, reasoning_tokens=12)
            ]

    run(test)


def remember(ctx: ChatContext, heard: Heard) -> None:
    for call in heard.calls:
        ctx.items.append(
            FunctionCall(
                id=call.call_id, call_id=call.call_id, name=call.name, arguments=call.arguments, extra=call.extra
            )
        )
    for call in heard.calls:
        ctx.items.append(FunctionCallOutput(id=f"o{call.call_id}", call_id=call.call_id, name=call.name, output="done"))


@with_tools
@pytest.mark.parametrize("piece", [1, 3, 100])
def test_tools_are_called_and_their_results_taken(prefix: str, piece: int) -> None:
    async def test() -> None:
        first = Answer(calls=CALLS, thinking="They want tea.", piece=piece, interleave=piece == 1)
        async with service(prefix, first, "Done.") as (llm, _):
            ctx = ChatContext.empty()
            ctx.add_message(role="user", content="Two teas.")
            heard = await ask(llm, ctx, TOOLS)
            assert [(call.name, json.loads(call.arguments)) for call in heard.calls] == [
                ("order", {"item": "tea", "count": 2}),
                ("pay", {}),
            ]
            assert heard.finish == "tool_calls" and heard.text == ""
            remember(ctx, heard)
            again = await ask(llm, ctx, TOOLS)
            assert (again.text, again.error) == ("Done.", None)

    run(test)


@every_row
def test_errors_are_told_and_what_may_pass_is_tried_again(prefix: str) -> None:
    async def test() -> None:
        row = CHAT_ROWS[prefix]
        async with service(prefix, faults={0: LLMServiceFault(status=401, message="no")}) as (llm, simulator):
            heard = await ask(llm)
            assert heard.error is not None and row.key_variable in heard.error.hint and not heard.error.retryable
        async with service(prefix, faults={0: LLMServiceFault(status=404, message="no model")}) as (llm, simulator):
            heard = await ask(llm)
            assert heard.error is not None and heard.error.hint == row.model_hint.format(model=row.example)
        async with service(prefix, faults={0: LLMServiceFault(status=503)}) as (llm, simulator):
            assert (await ask(llm)).text == "Hello." and len(simulator.script.requests) == 2
        late = LLMServiceFault(mishap="end", after=3)
        async with service(prefix, Answer(text="A longer answer.", piece=2), faults={0: late}) as (llm, simulator):
            heard = await ask(llm)
            assert heard.error is not None and len(simulator.script.requests) == 1

    run(test)


@every_row
def test_the_row_says_what_a_reader_needs(prefix: str) -> None:
    row = CHAT_ROWS[prefix]
    assert row.title and row.docs_url.startswith("https://") and row.example and row.as_of and row.key_variable
    assert row.local or (row.key_url.startswith("https://") and row.key_needed)
    assert row.local == row.base_url.startswith("http://127.0.0.1:")
    assert not row.local or row.start_hint


def test_an_option_that_a_service_does_not_have_is_refused_before_a_call() -> None:
    with pytest.raises(ConfigurationError, match="does not take seed"):
        openai_compatible.LLM("mistral", "mistral-small-latest", api_key="k", seed=4)
    with pytest.raises(ConfigurationError, match="frequency_penalty"):
        openai_compatible.LLM("cerebras", "gpt-oss-120b", api_key="k", frequency_penalty=0.1)
    with pytest.raises(NotSupportedError, match="groq"):
        openai_compatible.LLM("nobody", "m")
    with pytest.raises(ConfigurationError, match=r"GROQ_API_KEY.*console\.groq\.com"):
        openai_compatible.LLM("groq", "m", api_key=None)


@pytest.fixture(autouse=True)
def _no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for row in ROWS:
        monkeypatch.delenv(row.key_variable, raising=False)


def test_azure_has_two_kinds_of_addresses() -> None:
    async def test() -> None:
        for version, dialect in (("", "azure"), ("2024-10-21", "azure-dated")):
            simulator = OpenAISimulator(LLMScript(), dialect=DIALECTS[dialect], key=KEY)
            async with serving(simulator) as url:
                llm = azure.LLM("my gpt", endpoint=url, api_key=KEY, api_version=version)
                heard = await ask(llm)
                assert (heard.text, heard.error) == ("Hello.", None)
                await llm.aclose()
                path = "/openai/deployments/my%20gpt" if version else "/openai/v1"
                assert llm.service.base_url == url + path

    run(test)


def test_azure_needs_an_endpoint_and_its_key_goes_nowhere_else(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigurationError, match="AZURE_OPENAI_ENDPOINT"):
        azure.LLM("d", api_key="k")
    row = CHAT_ROWS["azure"]
    keys = {"AZURE_OPENAI_API_KEY": "azure-key", "AZURE_OPENAI_ENDPOINT": "https://mine.openai.azure.com/"}
    assert llm_service(row, "d", environ=keys).service.base_url == "https://mine.openai.azure.com/openai/v1"
    other = llm_service(row, "d", base_url="https://x.services.ai.azure.com/openai/v1", environ=keys)
    assert other.key == "azure-key"
    for evil in ("https://openai.azure.com.evil.example/v1", "https://evilopenai.azure.com.example/v1"):
        assert llm_service(row, "d", base_url=evil, environ=keys).key == ""
    entra = azure.LLM("d", endpoint="https://mine.openai.azure.com", token="entra")
    assert entra.headers == {"Authorization": "Bearer entra"}
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", "azure-key")
    keyed = azure.LLM("d", endpoint="https://mine.openai.azure.com")
    assert keyed.headers == {"api-key": "azure-key"}
