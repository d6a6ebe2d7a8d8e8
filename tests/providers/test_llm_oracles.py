"""What shows that the simulated language models are like the real ones: the vendors' own libraries hold conversations with
them, what they send is by the vendors' schemas, and the order of their events is that of recorded traffic."""

from __future__ import annotations

import asyncio
import json
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from llm_world import KEY, SDK_PYTHON, SPECS, TOOLS, ask, needs_sdks, needs_specs, run, world

from antiphon.testing.simulators import serving
from antiphon.testing.simulators.anthropic import AnthropicSimulator, MessagesProtocol
from antiphon.testing.simulators.gemini import GeminiProtocol, GeminiSimulator
from antiphon.testing.simulators.llm_script import FINE, Answer, LLMScript, LLMServiceFault, SimulatedCall
from antiphon.testing.simulators.openai import OpenAISimulator
from antiphon.testing.simulators.openai_chat import ChatProtocol
from antiphon.testing.simulators.openai_responses import ResponsesProtocol

CLIENT = Path(__file__).parents[1] / "vendor_sdks" / "llm_clients.py"
SIMULATORS = {
    "chat": OpenAISimulator,
    "responses": OpenAISimulator,
    "socket": OpenAISimulator,
    "anthropic": AnthropicSimulator,
    "gemini": GeminiSimulator,
}
ENDS = {
    "chat": ("stop", "tool_calls"),
    "responses": ("completed", "completed"),
    "socket": ("completed", "completed"),
    "anthropic": ("end_turn", "tool_use"),
    "gemini": ("STOP", "STOP"),
}
LATTES = SimulatedCall("order", '{"item": "latte \\u2615", "count": 2}')
ANSWERS = {
    "talk": Answer(text="Two lattes — coming ☕!", prompt_tokens=31, completion_tokens=9, piece=3),
    "tools": Answer(text="One moment.", calls=(LATTES, LATTES), prompt_tokens=31, completion_tokens=9, piece=1),
    "error": Answer(),
}


async def with_sdk(vendor: str, scenario: str, key: str = KEY, fault: LLMServiceFault = FINE) -> dict[str, Any]:
    simulator = SIMULATORS[vendor](LLMScript([ANSWERS[scenario]], {0: fault}), key=KEY)
    async with serving(simulator) as url:
        process = await asyncio.create_subprocess_exec(
            str(SDK_PYTHON), str(CLIENT), vendor, url, key, scenario,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, problems = await process.communicate()
    assert process.returncode == 0, problems.decode()[-2000:]
    return json.loads(out)  # type: ignore[no-any-return]


@needs_sdks
@pytest.mark.parametrize("scenario", ["talk", "tools"])
@pytest.mark.parametrize("vendor", list(SIMULATORS))
def test_the_vendors_own_library_holds_the_conversation(vendor: str, scenario: str) -> None:
    found = asyncio.run(with_sdk(vendor, scenario))
    answer = ANSWERS[scenario]
    calls = [[call.name, json.loads(call.arguments)] for call in answer.calls]
    assert found == {
        "text": answer.text,
        "calls": calls,
        "finish": ENDS[vendor][scenario == "tools"],
        "tokens": [31, 9],
        **({"turns": 2} if vendor == "socket" else {}),
    }


@needs_sdks
@pytest.mark.parametrize("vendor", ["chat", "responses", "anthropic", "gemini"])
def test_the_vendors_own_library_knows_the_errors(vendor: str) -> None:
    wrong = asyncio.run(with_sdk(vendor, "error", key="wrong"))
    assert wrong["status"] == (400 if vendor == "gemini" else 401), wrong
    limited = asyncio.run(with_sdk(vendor, "error", fault=LLMServiceFault(status=429)))
    assert limited["status"] == 429, limited


# --- schemas ------------------------------------------------------------------------------------------------------

FILES = {
    "chat": ("openai/sdk-chat-audio.schema.json", "ChatCompletionChunk"),
    "responses": ("openai/sdk-responses.schema.json", "ResponseStreamEvent"),
    "socket": ("openai/sdk-responses.schema.json", "ResponsesServerEvent"),
    "anthropic": ("anthropic/sdk-messages.schema.json", "RawMessageStreamEvent"),
    "gemini": ("google/sdk-genai-live-and-generate.schema.json", "GenerateContentResponse"),
}
PROTOCOLS = {
    "chat": ChatProtocol,
    "responses": ResponsesProtocol,
    "socket": ResponsesProtocol,
    "anthropic": MessagesProtocol,
    "gemini": GeminiProtocol,
}
MANY = [
    Answer(text="Hello.", cached_tokens=3),
    Answer(text="One moment.", thinking="Hm.", calls=(LATTES, LATTES), reasoning_tokens=2),
    Answer(calls=(LATTES, SimulatedCall("pay")), interleave=True, piece=1),
    Answer(refusal="I cannot help with that."),
    Answer(text="And so", finish="length"),
    Answer(text="And so", finish="content_filter"),
    Answer(finish="refusal"),
]
BODY = {
    "model": "m",
    "stream_options": {"include_usage": True},
    "include": ["reasoning.encrypted_content"],
    "tools": [],
}


def validator(name: str) -> Draft202012Validator:
    file, root = FILES[name]
    schema = json.loads((SPECS / file).read_text())
    return Draft202012Validator({"$ref": f"#/$defs/{root}", "$defs": schema["$defs"]})


@needs_specs
@pytest.mark.parametrize("vendor", list(FILES))
def test_every_event_is_by_the_vendors_schema(vendor: str) -> None:
    check = validator(vendor)
    seen = 0
    for answer in MANY:
        for fault in (FINE, LLMServiceFault(usage="twice"), LLMServiceFault(usage="absent")):
            for kind, event in PROTOCOLS[vendor]().events(answer, BODY, fault):
                if event == "[DONE]" or kind == "ping":  # documented, and unknown to the library, which skips it
                    continue
                problems = [f"{error.json_path}: {error.message[:200]}" for error in check.iter_errors(event)]
                assert problems == [], (kind, event)
                seen += 1
    assert seen > 50


@needs_specs
def test_what_we_send_on_the_socket_is_by_the_vendors_schema() -> None:
    schema = json.loads((SPECS / "openai/sdk-responses.schema.json").read_text())
    check = Draft202012Validator({"$ref": "#/$defs/ResponsesClientEvent", "$defs": schema["$defs"]})

    async def test() -> None:
        answers = (Answer(calls=(LATTES,), thinking="Hm."), "Done.")
        async with world("responses", *answers, reasoning_effort="low", max_tokens=200) as (llm, service):
            await ask(llm, tools=TOOLS)
            await ask(llm, tools=TOOLS, tool_choice="required")
            for body in service.script.requests:
                problems = list(check.iter_errors({"type": "response.create", **body}))
                assert problems == []

    run(test)


# --- the order of events ------------------------------------------------------------------------------------------


def recorded(name: str, number: int = 0) -> list[Any]:
    path = SPECS / "recordings" / "pydantic-ai-http" / f"{name}.yaml"
    exchanges = [
        e for e in yaml.safe_load(path.read_text())["interactions"] if "data:" in str(e["response"].get("body"))
    ]
    text = exchanges[number]["response"]["body"]["string"].replace("\r\n", "\n")
    data = [line[6:] for line in text.split("\n") if line.startswith("data: ") and line != "data: [DONE]"]
    return [json.loads(item) for item in data]


def shape(event: Any) -> str:
    """What an event is, without what it says."""
    if "choices" in event:
        if not event["choices"]:
            return "usage"
        choice = event["choices"][0]
        if choice["finish_reason"]:
            return f"finish {choice['finish_reason']}"
        delta = choice["delta"]
        if delta.get("tool_calls"):
            return "call" if delta["tool_calls"][0].get("id") else "arguments"
        return "role" if delta.get("role") and not delta.get("content") else "text"
    if "candidates" in event:
        candidate = event["candidates"][0]
        parts = [next(iter(part)) for part in candidate["content"].get("parts", [])]
        return " ".join([*parts, candidate.get("finishReason", "")]).strip()
    block = event.get("content_block") or event.get("delta") or event.get("item") or {}
    return f"{event['type']} {block.get('type', '') if isinstance(block, dict) else ''}".strip()


def order(events: list[Any]) -> list[str]:
    """The shapes in their order, each once where several of the same follow each other. Pings come when they like."""
    return [name for name, _ in groupby(shape(event) for event in events if event.get("type") != "ping")]


def simulated(vendor: str, answer: Answer) -> list[Any]:
    return [event for _, event in PROTOCOLS[vendor]().events(answer, BODY, FINE) if event != "[DONE]"]


CALL = Answer(calls=(SimulatedCall("get_capital", '{"country":"UK"}'),))
TEXT = Answer(text="The capital of the UK is London.")
RECORDED = [
    ("chat", CALL, "models__test_openai__test_run_stream_sync_streams_real_model", 0),
    ("chat", TEXT, "models__test_openai__test_run_stream_sync_streams_real_model", 1),
    ("responses", CALL, "models__test_openai_responses__test_openai_responses_stream", 0),
    ("responses", TEXT, "models__test_openai_responses__test_openai_responses_stream", 1),
    (
        "anthropic",
        Answer(text="2", prompt_tokens=20),
        "models__test_anthropic__test_request_stream_fallback_for_high_max_tokens",
        0,
    ),
    (
        "anthropic",
        Answer(text="Here are the steps.", thinking="Hm."),
        "models__test_anthropic__test_anthropic_model_thinking_part_stream",
        0,
    ),
    ("gemini", CALL, "models__test_google__test_google_streaming_tool_call_thought_signature", 0),
    ("gemini", TEXT, "models__test_google__test_google_streaming_tool_call_thought_signature", 1),
]


@needs_specs
@pytest.mark.parametrize(
    ("vendor", "answer", "name", "number"), RECORDED, ids=[f"{v}-{i}" for i, (v, *_) in enumerate(RECORDED)]
)
def test_events_come_in_the_order_of_recorded_traffic(vendor: str, answer: Answer, name: str, number: int) -> None:
    assert order(simulated(vendor, answer)) == order(recorded(name, number))


@needs_specs
def test_a_call_of_anthropics_is_as_it_was_recorded() -> None:
    text = (SPECS / "recordings" / "anthropic-sdk" / "tool_use_response.txt").read_text()
    events = [json.loads(line[6:]) for line in text.split("\n") if line.startswith("data: ")]
    answer = Answer(text="I'll check.", calls=(SimulatedCall("get_weather", '{"location": "Paris"}'),))
    assert order(simulated("anthropic", answer)) == order(events)
