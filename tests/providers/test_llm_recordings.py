"""Recorded traffic of real services, read as it was sent: words, calls and their arguments, tokens, ends."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from llm_world import SPECS, needs_specs

from antiphon.errors import ModelError, RefusedError
from antiphon.models.llm import ChatChunk
from antiphon.providers.answer import AnswerDecoder
from antiphon.providers.anthropic_stream import MessagesDecoder
from antiphon.providers.gemini_stream import GenerateContentDecoder
from antiphon.providers.openai_chat_stream import ChatStreamDecoder
from antiphon.providers.openai_responses_stream import ResponsesDecoder
from antiphon.wire.sse import SSEParser

pytestmark = needs_specs
FOLDER = SPECS / "recordings"


def decoder_for(address: str) -> AnswerDecoder:
    ids = iter(range(1000))

    def make_id(prefix: str) -> str:
        return f"{prefix}_{next(ids)}"

    if "enerateContent" in address:
        return GenerateContentDecoder(make_id=make_id)
    if address.endswith("/messages") or "/messages?" in address:
        return MessagesDecoder(make_id=make_id)
    if "/responses" in address:
        return ResponsesDecoder(make_id=make_id)
    return ChatStreamDecoder(make_id=make_id)


def read(data: bytes, decoder: AnswerDecoder, cuts: list[int] | None = None) -> list[ChatChunk]:
    parser = SSEParser()
    ends = [*sorted(cuts or []), len(data)]
    chunks, at = [], 0
    for end in ends:
        for event in parser.feed(data[at:end]):
            chunks += decoder.feed(event.data)
        at = end
    for event in parser.close():
        chunks += decoder.feed(event.data)
    return chunks + decoder.end()


def streams() -> Iterator[tuple[str, str, bytes]]:
    for path in sorted((FOLDER / "pydantic-ai-http").glob("*.yaml")):
        for number, exchange in enumerate(yaml.safe_load(path.read_text()).get("interactions", [])):
            if "request" not in exchange:
                continue  # another protocol: xAI's own, over gRPC
            body = exchange["response"].get("body", {}).get("string") or ""
            data = body if isinstance(body, bytes) else body.encode()
            if b"data:" in data:
                yield f"{path.stem}#{number}", exchange["request"]["uri"], data
    for path in sorted((FOLDER / "anthropic-sdk").iterdir()):
        yield path.name, "https://api.anthropic.com/v1/messages", path.read_bytes()


ALL = list(streams()) if SPECS.is_dir() else []
ERRORS = {
    "models__test_openrouter__test_openrouter_stream_error#0": "400",
    "refusal_response.txt": "refused",
}
"""Recordings of answers that are errors: a model that thought until it had no tokens left, and a refusal without words."""


def plain(data: bytes) -> list[Any]:
    """The events' data, read without the code under test."""
    text = data.decode().replace("\r\n", "\n")
    events = []
    for block in text.split("\n\n"):
        lines = [line[5:].strip() for line in block.split("\n") if line.startswith("data:")]
        if lines and lines[0] != "[DONE]":
            events.append(json.loads("\n".join(lines)))
    return events


def words_in(events: list[Any]) -> str:
    """All text that is for the caller, by each format's own field."""
    said = ""
    for event in events:
        for choice in event.get("choices") or []:
            said += choice["delta"].get("content") or ""
        if event.get("type") == "response.output_text.delta":
            said += event["delta"]
        if event.get("type") == "content_block_delta" and event["delta"]["type"] == "text_delta":
            said += event["delta"]["text"]
        if event.get("type") == "content_block_start" and event["content_block"]["type"] == "text":
            said += event["content_block"]["text"]
        for candidate in event.get("candidates") or []:
            for part in candidate.get("content", {}).get("parts") or []:
                said += "" if part.get("thought") else part.get("text", "")
    return said


def names_in(events: list[Any]) -> list[str]:
    """The tools of the user's that are called, in order."""
    names = []
    for event in events:
        for choice in event.get("choices") or []:
            names += [
                c["function"]["name"] for c in choice["delta"].get("tool_calls") or [] if c["function"].get("name")
            ]
        if event.get("type") == "response.output_item.done" and event["item"]["type"] == "function_call":
            names.append(event["item"]["name"])
        if event.get("type") == "content_block_start" and event["content_block"]["type"] == "tool_use":
            names.append(event["content_block"]["name"])
        for candidate in event.get("candidates") or []:
            parts = candidate.get("content", {}).get("parts") or []
            names += [part["functionCall"]["name"] for part in parts if "functionCall" in part]
    return names


@pytest.mark.parametrize(("name", "address", "data"), ALL, ids=[name for name, _, _ in ALL])
def test_a_recording_is_read_as_it_was_sent(name: str, address: str, data: bytes) -> None:
    if name in ERRORS:
        with pytest.raises(ModelError) as caught:
            read(data, decoder_for(address))
        assert not caught.value.retryable or name.startswith("models__")
        return
    chunks = read(data, decoder_for(address))
    events = plain(data) if name != "stream-b-fallback.sse" else []
    if events:
        assert "".join(chunk.text for chunk in chunks) == words_in(events)
    calls = [call for chunk in chunks for call in chunk.tool_calls]
    cut_off = chunks[-1].finish in ("length", "refusal")
    assert [call.name for call in calls] == ([] if cut_off else names_in(events))
    assert all(isinstance(json.loads(call.arguments), dict) for call in calls)
    usage = chunks[-1].usage
    assert usage is not None and usage.prompt_tokens > 0 and usage.completion_tokens >= usage.reasoning_tokens
    assert [chunk.usage for chunk in chunks[:-1] if chunk.usage] == []


def test_there_is_something_of_every_format() -> None:
    assert len(ALL) > 60
    kinds = [type(decoder_for(address)).__name__ for _, address, _ in ALL]
    assert {kind: kinds.count(kind) >= 8 for kind in kinds} == {
        "ChatStreamDecoder": True,
        "GenerateContentDecoder": True,
        "MessagesDecoder": True,
        "ResponsesDecoder": True,
    }


SMALL = [(name, address, data) for name, address, data in ALL if len(data) < 8000 and name not in ERRORS]


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_any_split_of_the_bytes_gives_the_same(data: st.DataObject) -> None:
    _, address, body = data.draw(st.sampled_from(SMALL), label="recording")
    cuts = data.draw(st.lists(st.integers(0, len(body)), max_size=30), label="cuts")
    assert read(body, decoder_for(address), cuts) == read(body, decoder_for(address))


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_recording_that_was_cut_is_an_error_unless_the_answer_was_whole(data: st.DataObject) -> None:
    _, address, body = data.draw(st.sampled_from(SMALL), label="recording")
    at = data.draw(st.integers(0, len(body)), label="cut")
    whole = read(body, decoder_for(address))
    try:
        part = read(body[:at], decoder_for(address))
    except ModelError:
        return
    assert [chunk for chunk in part if chunk.text or chunk.tool_calls] == [
        chunk for chunk in whole if chunk.text or chunk.tool_calls
    ]


def test_what_was_known_of_single_recordings() -> None:
    found = {name: (address, data) for name, address, data in ALL}

    def of(name: str) -> list[ChatChunk]:
        address, data = next(value for key, value in found.items() if name in key)
        return read(data, decoder_for(address))

    call = of("thought_signature#0")[0].tool_calls[0]
    assert call.name == "get_country" and call.extra["google"]["thought_signature"].startswith("EpwICpkIAXLI")
    phases = of("phase_streamed_on_part_start#0")
    assert phases[-2].tool_calls[0].extra["openai"]["reasoning"][0]["type"] == "reasoning"
    cut = of("incomplete_partial_json_response.txt")
    assert cut[-1].finish == "length" and not any(chunk.tool_calls for chunk in cut)
    assert of("stream-a-refusal.sse")[-1].finish == "refusal"
    with pytest.raises(RefusedError, match="cyber"):
        of("refusal_response.txt")
