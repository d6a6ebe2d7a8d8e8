"""The chat completions codec: what goes out, what comes in, however services differ."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from antiphon.chat.context import ChatContext
from antiphon.chat.items import AgentHandoff, FunctionCall, FunctionCallOutput
from antiphon.chat.media import AudioContent, ImageContent
from antiphon.errors import ConfigurationError, ModelError
from antiphon.models.llm import ChatChunk, ToolSpec, Usage
from antiphon.providers.openai_chat import ChatQuirks, OpenAIChatCodec
from antiphon.providers.openai_chat_stream import ChatStreamDecoder
from antiphon.wire.sse import SSEParser

SPECS = Path(os.environ.get("ANTIPHON_SPECS", "no-specs"))
"""A folder of recorded provider traffic, where somebody has one."""
TOOL = ToolSpec(name="order", description="Order it.", parameters={"type": "object", "properties": {}})


def body_of(ctx: ChatContext, codec: OpenAIChatCodec | None = None, tools: tuple[ToolSpec, ...] = ()) -> dict[str, Any]:
    request = (codec or OpenAIChatCodec()).request(model="m", chat_ctx=ctx, tools=tools, tool_choice="auto")
    assert request.path == "/chat/completions"
    return json.loads(request.body)  # type: ignore[no-any-return]


def call(id: str, name: str = "order") -> FunctionCall:
    return FunctionCall(id=f"i{id}", call_id=id, name=name, arguments="{}")


def output(id: str) -> FunctionCallOutput:
    return FunctionCallOutput(id=f"o{id}", call_id=id, name="order", output=f"done {id}")


def chunk(delta: dict[str, Any], finish: str | None = None, **more: Any) -> str:
    return json.dumps({"choices": [{"index": 0, "delta": delta, "finish_reason": finish}], **more})


def decode(*data: str, reasoning_tags: bool = False) -> list[ChatChunk]:
    ids = iter(range(100))
    decoder = ChatStreamDecoder(reasoning_tags=reasoning_tags, make_id=lambda prefix: f"{prefix}_{next(ids)}")
    chunks = [one for item in data for one in decoder.feed(item)]
    return chunks + decoder.end()


def text_of(chunks: list[ChatChunk]) -> str:
    return "".join(one.text for one in chunks)


def calls_of(chunks: list[ChatChunk]) -> list[tuple[str, str, str]]:
    return [(c.call_id, c.name, c.arguments) for one in chunks for c in one.tool_calls]


# --- out ---------------------------------------------------------------------------------------------------------


def test_a_plain_conversation() -> None:
    ctx = ChatContext.empty()
    ctx.add_message(role="developer", content="Be brief.")
    ctx.add_message(role="user", content="Hello?")
    ctx.add_message(role="assistant", content="")
    body = body_of(ctx)
    assert body["messages"] == [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello?"}]
    assert body["stream"] is True and body["stream_options"] == {"include_usage": True}
    assert "tools" not in body and "tool_choice" not in body


def test_pictures_and_sound_in_a_message() -> None:
    """As in the request's ``ChatCompletionContentPart``: text, image_url, input_audio."""
    ctx = ChatContext.empty()
    picture, sound = ImageContent(data=b"\x89PNG", detail="low"), AudioContent(data=b"RIFF....WAVE")
    far = ImageContent(url="https://example.com/cat.jpg")
    ctx.add_message(role="user", content=["What is this?", picture, far, sound, AudioContent(data=b"ID3\x04")])
    ctx.add_message(role="user", content=[picture])
    first, second = body_of(ctx)["messages"]
    assert first["content"] == [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw==", "detail": "low"}},
        {"type": "image_url", "image_url": {"url": "https://example.com/cat.jpg", "detail": "auto"}},
        {"type": "input_audio", "input_audio": {"data": "UklGRi4uLi5XQVZF", "format": "wav"}},
        {"type": "input_audio", "input_audio": {"data": "SUQzBA==", "format": "mp3"}},
    ]
    assert [part["type"] for part in second["content"]] == ["image_url"]


def test_quirks_and_options() -> None:
    ctx = ChatContext.empty()
    ctx.add_message(role="developer", content="x")
    codec = OpenAIChatCodec(
        ChatQuirks(developer_role=True, stream_usage="none", max_tokens_field="max_completion_tokens"),
        {"temperature": 0.2, "max_tokens": 50, "parallel_tool_calls": False},
    )
    body = body_of(ctx, codec, (TOOL,))
    assert body["messages"][0]["role"] == "developer" and body["temperature"] == 0.2 and "stream_options" not in body
    assert body["tools"] == [
        {"type": "function", "function": {"name": "order", "description": "Order it.", "parameters": TOOL.parameters}}
    ]
    assert body["parallel_tool_calls"] is False and body["tool_choice"] == "auto"
    assert body["max_completion_tokens"] == 50 and "max_tokens" not in body
    with pytest.raises(ConfigurationError, match="does not take seed"):
        OpenAIChatCodec(ChatQuirks(omit=frozenset({"seed"})), {"seed": 1})


def test_calls_are_followed_by_their_outputs_whatever_was_said_between() -> None:
    ctx = ChatContext.empty()
    ctx.add_message(role="assistant", content="One moment.")
    ctx.items += [call("a"), call("b")]
    ctx.add_message(role="user", content="And a tea!")
    ctx.items += [output("b"), output("a"), AgentHandoff(id="h", old_agent="x", new_agent="y"), call("c"), output("c")]
    messages = body_of(ctx)["messages"]
    assert [m["role"] for m in messages] == ["assistant", "tool", "tool", "user", "assistant", "tool"]
    assert [c["id"] for c in messages[0]["tool_calls"]] == ["a", "b"] and messages[0]["content"] == "One moment."
    assert [m["tool_call_id"] for m in messages if m["role"] == "tool"] == ["a", "b", "c"]


def test_calls_that_still_run_and_outputs_without_a_call_are_left_out() -> None:
    ctx = ChatContext([call("a"), output("z")])
    assert body_of(ctx)["messages"] == []


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("cous"), st.sampled_from("ab"))))
def test_any_history_gives_messages_that_the_format_allows(items: list[tuple[str, str]]) -> None:
    ctx = ChatContext.empty()
    for kind, id in items:
        if kind in "us":
            ctx.add_message(role="user" if kind == "u" else "assistant", content="x")
        else:
            ctx.items.append(call(id) if kind == "c" else output(id))
    seen: set[str] = set()
    open_calls: list[str] = []
    for message in body_of(ctx)["messages"]:
        if message["role"] == "tool":
            assert message["tool_call_id"] == open_calls.pop(0)
            continue
        assert not open_calls
        open_calls = [c["id"] for c in message.get("tool_calls", [])]
        assert not seen & set(open_calls)
        seen |= set(open_calls)
    assert not open_calls


# --- in ----------------------------------------------------------------------------------------------------------


def test_text_and_usage() -> None:
    chunks = decode(
        chunk({"role": "assistant", "content": ""}),
        chunk({"content": "Hel"}),
        chunk({"content": "lo."}),
        chunk({}, "stop"),
        '{"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 4}}}',
        "[DONE]",
    )
    assert text_of(chunks) == "Hello."
    assert chunks[-1].usage == Usage(prompt_tokens=9, completion_tokens=2, cached_tokens=4)


def test_fragments_of_interleaved_calls_become_whole_calls() -> None:
    chunks = decode(
        chunk({"tool_calls": [{"index": 0, "id": "a", "function": {"name": "order", "arguments": ""}}]}),
        chunk({"tool_calls": [{"index": 1, "id": "b", "function": {"name": "pay", "arguments": "{"}}]}),
        chunk(
            {
                "tool_calls": [
                    {"index": 0, "function": {"arguments": '{"n":'}},
                    {"index": 1, "function": {"arguments": "}"}},
                ]
            }
        ),
        chunk({"tool_calls": [{"index": 0, "function": {"arguments": "1}"}}]}),
        chunk({}, "tool_calls"),
    )
    assert calls_of(chunks) == [("a", "order", '{"n":1}'), ("b", "pay", "{}")]


def test_calls_without_index_or_id_and_with_one_index_for_all() -> None:
    whole = [{"id": i, "function": {"name": i, "arguments": {"x": 1}}} for i in ("a", "b")]
    assert calls_of(decode(chunk({"tool_calls": whole}, "tool_calls"))) == [
        ("a", "a", '{"x":1}'),
        ("b", "b", '{"x":1}'),
    ]
    same = [{"index": 0, "id": i, "function": {"name": i, "arguments": "{}"}} for i in ("a", "b")]
    assert [c[0] for c in calls_of(decode(chunk({"tool_calls": same}, "tool_calls")))] == ["a", "b"]
    assert calls_of(decode(chunk({"tool_calls": [{"function": {"name": "f"}}]}, "stop"))) == [("call_0", "f", "{}")]


def test_broken_arguments_are_passed_on_as_they_are() -> None:
    broken = [{"index": 0, "id": "a", "function": {"name": "order", "arguments": '{"n": '}}]
    assert calls_of(decode(chunk({"tool_calls": broken}, "tool_calls"))) == [("a", "order", '{"n": ')]


def test_a_cut_stream_is_an_error_and_gives_no_tool_calls() -> None:
    decoder = ChatStreamDecoder()
    decoder.feed(chunk({"tool_calls": [{"index": 0, "id": "a", "function": {"name": "order", "arguments": "{"}}]}))
    with pytest.raises(ModelError, match="middle") as caught:
        decoder.end()
    assert caught.value.retryable


def test_errors_within_the_stream() -> None:
    with pytest.raises(ModelError, match="overloaded") as caught:
        decode('{"error": {"message": "overloaded", "code": 502}}')
    assert caught.value.retryable
    with pytest.raises(ModelError) as caught:
        decode('{"error": {"message": "no money", "type": "insufficient_quota"}}')
    assert not caught.value.retryable
    for garbage in ("<html>", "[]", "nul", "", "\ud800"):
        with pytest.raises(ModelError, match="cannot be read"):
            decode(garbage)


def test_a_whole_answer_instead_of_a_stream() -> None:
    message = {"role": "assistant", "content": "Hi.", "tool_calls": None}
    assert text_of(decode(json.dumps({"choices": [{"message": message, "finish_reason": "stop"}]}))) == "Hi."


@pytest.mark.parametrize("cut", range(1, 40))
def test_reasoning_is_not_spoken_however_it_is_cut(cut: int) -> None:
    text = "<think>\nThey want < 3 coffees.\n</think>\n\nThree < four, <b>sure</b>."
    pieces = [text[n : n + cut] for n in range(0, len(text), cut)]
    chunks = decode(*(chunk({"content": piece}) for piece in pieces), chunk({}, "stop"), reasoning_tags=True)
    assert text_of(chunks) == "Three < four, <b>sure</b>."


def test_an_unfinished_tag_at_the_end_is_text() -> None:
    assert text_of(decode(chunk({"content": "a <thi"}), "[DONE]", reasoning_tags=True)) == "a <thi"


def test_faults_of_any_body() -> None:
    codec = OpenAIChatCodec()
    assert codec.fault(b'{"error": {"message": "m", "code": "c"}}').message == "m"
    assert codec.fault(b'{"error": "m"}').message == "m"
    assert codec.fault(b'{"detail": "m"}').message == "m"
    assert codec.fault(b'{"error": {"code": "insufficient_quota"}}').final
    for body in (b"", b"<html>", b"[]", b'"x"', b"\xff"):
        assert codec.fault(body).message == ""


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "choices",
                    "delta",
                    "content",
                    "tool_calls",
                    "index",
                    "id",
                    "function",
                    "name",
                    "arguments",
                    "usage",
                    "error",
                    "message",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=15,
)


@settings(max_examples=400, deadline=None)
@given(st.lists(json_values, max_size=4))
def test_any_json_gives_chunks_or_a_model_error(values: list[Any]) -> None:
    decoder = ChatStreamDecoder()
    try:
        for value in values:
            decoder.feed(json.dumps(value))
        decoder.end()
    except ModelError:
        pass


@pytest.mark.parametrize("size", [1, 7, 64, 100_000])
def test_a_recorded_stream_of_llama_cpp(size: int) -> None:
    """What llama.cpp's server (xllamacpp 2026.10) sent for "Say hello.", in pieces of ``size`` bytes."""
    data = (Path(__file__).parent / "recordings" / "llamacpp_text.sse").read_bytes()
    parser, decoder = SSEParser(), ChatStreamDecoder()
    pieces = [data[n : n + size] for n in range(0, len(data), size)]
    events = [event for piece in pieces for event in parser.feed(piece)] + parser.close()
    chunks = [one for event in events for one in decoder.feed(event.data)] + decoder.end()
    assert text_of(chunks).startswith("Hello!") and decoder.done
    assert chunks[-1].usage is not None and chunks[-1].usage.completion_tokens == 8


def recorded() -> list[Path]:
    folder = SPECS / "recordings" / "pydantic-ai-http"
    return [path for path in sorted(folder.glob("*.yaml")) if "chat.completion.chunk" in path.read_text()]


@pytest.mark.skipif(not (SPECS / "recordings").is_dir(), reason="recorded provider traffic is not here")
def test_recorded_streams_of_real_services() -> None:
    """Every recorded stream decodes to its end: text, whole tool calls with JSON arguments, usage."""
    streams = texts = tools = 0
    for path in recorded():
        for block in path.read_text().split("string: |+")[1:]:
            lines = [line.strip() for line in block.splitlines()]
            data = [line.removeprefix("data: ") for line in lines if line.startswith("data: ")]
            if not any("chat.completion.chunk" in item for item in data) or any('"error"' in item for item in data):
                continue
            chunks = decode(*data)
            streams += 1
            texts += bool(text_of(chunks))
            for _, name, arguments in calls_of(chunks):
                assert name and isinstance(json.loads(arguments), dict)
                tools += 1
    assert streams >= 3 and texts >= 2 and tools >= 1
