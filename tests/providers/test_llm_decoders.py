"""The decoders of Anthropic, Gemini and Responses on what a simulator does not send: oddities, pieces, garbage."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from antiphon.errors import ContextLengthError, ModelError, RefusedError
from antiphon.models.llm import ChatChunk, Usage
from antiphon.models.speech_codec import Notice
from antiphon.providers.answer import AnswerDecoder, PartialCall
from antiphon.providers.anthropic_messages import MessagesCodec
from antiphon.providers.anthropic_stream import MessagesDecoder
from antiphon.providers.deepgram_flux import FluxCodec, FluxOptions
from antiphon.providers.deepgram_nova import NovaCodec, NovaOptions
from antiphon.providers.gemini import GenerateContentCodec
from antiphon.providers.gemini_arguments import PartialArguments
from antiphon.providers.gemini_stream import GenerateContentDecoder
from antiphon.providers.openai_chat import OpenAIChatCodec
from antiphon.providers.openai_chat_stream import ChatStreamDecoder
from antiphon.providers.openai_responses import ResponsesCodec
from antiphon.providers.openai_responses_stream import ResponsesDecoder

DECODERS: list[Callable[[], AnswerDecoder]] = [
    ChatStreamDecoder,
    MessagesDecoder,
    GenerateContentDecoder,
    ResponsesDecoder,
]


def decode(decoder: AnswerDecoder, *events: Any) -> list[ChatChunk]:
    chunks = [chunk for event in events for chunk in decoder.feed(json.dumps(event))]
    return chunks + decoder.end()


# --- anything at all ----------------------------------------------------------------------------------------------

WORDS = [
    "type", "index", "delta", "content_block", "message", "usage", "error", "text", "partial_json", "stop_reason",
    "candidates", "content", "parts", "functionCall", "args", "finishReason", "partialArgs", "jsonPath", "willContinue",
    "response", "output", "item", "output_index", "arguments", "call_id", "name", "status", "choices", "tool_calls",
]  # fmt: skip
VALUES = [
    "message_start", "content_block_start", "content_block_delta", "content_block_stop", "message_delta", "message_stop",
    "tool_use", "text_delta", "input_json_delta", "thinking", "response.output_item.added", "response.output_item.done",
    "response.output_text.delta", "response.function_call_arguments.delta", "response.completed", "response.failed",
    "function_call", "reasoning", "message", "STOP", "MAX_TOKENS", "$.a", "$.a[0].b", "$", "x", "",
]  # fmt: skip
anything = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.floats(allow_nan=False) | st.sampled_from(VALUES),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=6),
    max_leaves=25,
)


@pytest.mark.parametrize("make", DECODERS)
@settings(max_examples=250, deadline=None)
@given(events=st.lists(anything, max_size=6))
def test_whatever_comes_is_read_over_or_a_model_error(make: Callable[[], AnswerDecoder], events: list[Any]) -> None:
    decoder = make()
    with suppress(ModelError):
        decode(decoder, *events)


@pytest.mark.parametrize("make", DECODERS)
@pytest.mark.parametrize("garbage", ["", "<html>", "nul", "\ud800", "3", '"x"'])
def test_what_is_no_event_is_an_error(make: Callable[[], AnswerDecoder], garbage: str) -> None:
    with pytest.raises(ModelError, match="cannot be read"):
        make().feed(garbage)


@pytest.mark.parametrize("codec", [OpenAIChatCodec(), MessagesCodec(), GenerateContentCodec(), ResponsesCodec()])
@settings(max_examples=100, deadline=None)
@given(body=st.binary(max_size=40) | anything.map(lambda value: json.dumps(value).encode()))
def test_any_body_of_an_error_is_read(codec: Any, body: bytes) -> None:
    assert isinstance(codec.fault(body).message, str)


@pytest.mark.parametrize("make", DECODERS)
@pytest.mark.parametrize("opening", ["[", '{"error":', '{"a":['])
@pytest.mark.parametrize("depth", [900, 100_000])
def test_what_is_nested_too_deep_is_a_model_error(make: Callable[[], AnswerDecoder], opening: str, depth: int) -> None:
    with pytest.raises(ModelError):
        decoder = make()
        decoder.feed(opening * depth)
        decoder.end()


@pytest.mark.parametrize("codec", [OpenAIChatCodec(), MessagesCodec(), GenerateContentCodec(), ResponsesCodec()])
def test_the_body_of_an_error_may_be_nested_too_deep(codec: Any) -> None:
    assert codec.fault(b'{"error":' * 100_000).message == ""


def test_a_place_too_deep_is_refused() -> None:
    with pytest.raises(ModelError, match="cannot be read"):
        PartialArguments().add({"jsonPath": "$" + ".a" * 3000, "stringValue": "x"})


def test_arguments_nested_too_deep_are_not_whole() -> None:
    call = PartialCall(0)
    call.add("[" * 100_000)
    assert not call.whole


@pytest.mark.parametrize("codec", [NovaCodec(NovaOptions()), FluxCodec(FluxOptions())])
def test_a_frame_nested_too_deep_is_told_and_read_over(codec: Any) -> None:
    assert [type(signal) for signal in codec.decode("[" * 100_000)] in ([Notice], [])


@pytest.mark.parametrize("make", DECODERS)
def test_arguments_that_do_not_end_are_cut(make: Callable[[], AnswerDecoder]) -> None:
    piece = "x" * 100_000
    events = {
        ChatStreamDecoder: {"choices": [{"delta": {"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}}]},
        MessagesDecoder: {
            "type": "content_block_delta",
            "index": 0,
            "delta": {"type": "input_json_delta", "partial_json": piece},
        },
        GenerateContentDecoder: {
            "candidates": [
                {
                    "content": {
                        "parts": [
                            {
                                "functionCall": {
                                    "name": "f",
                                    "partialArgs": [{"jsonPath": "$.a", "stringValue": piece}],
                                    "willContinue": True,
                                }
                            }
                        ]
                    }
                }
            ]
        },
        ResponsesDecoder: {"type": "response.function_call_arguments.delta", "output_index": 0, "delta": piece},
    }
    first = {
        MessagesDecoder: {
            "type": "content_block_start",
            "index": 0,
            "content_block": {"type": "tool_use", "id": "t", "name": "f", "input": {}},
        },
        ResponsesDecoder: {
            "type": "response.output_item.added",
            "output_index": 0,
            "item": {"type": "function_call", "call_id": "c", "name": "f", "arguments": ""},
        },
    }
    decoder = make()
    kind = type(decoder)
    with pytest.raises(ModelError, match="do not end"):
        decode(decoder, *([first[kind]] if kind in first else []), *[events[kind]] * 11)


# --- Anthropic ----------------------------------------------------------------------------------------------------


def test_counts_of_anthropic_are_of_the_whole_answer_and_caches_are_part_of_the_prompt() -> None:
    chunks = decode(
        MessagesDecoder(),
        {
            "type": "message_start",
            "message": {
                "usage": {
                    "input_tokens": 5,
                    "cache_read_input_tokens": 100,
                    "cache_creation_input_tokens": 20,
                    "output_tokens": 1,
                }
            },
        },
        {"type": "message_delta", "delta": {"stop_reason": None}, "usage": {"output_tokens": 4}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": "Hi."}},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 9}},
        {"type": "message_stop"},
    )
    assert chunks[-1].usage == Usage(
        prompt_tokens=125, completion_tokens=9, cached_tokens=100, cache_write_tokens=20, reasoning_tokens=0
    )


def test_overload_within_the_stream_may_pass_and_a_wrong_request_not() -> None:
    with pytest.raises(ModelError, match="Overloaded") as caught:
        decode(MessagesDecoder(), {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}})
    assert caught.value.retryable and caught.value.code == "overloaded_error"
    with pytest.raises(ContextLengthError):
        error = {"type": "invalid_request_error", "message": "prompt is too long: 9 tokens > 8 maximum"}
        decode(MessagesDecoder(), {"type": "error", "error": error})


def test_an_error_that_is_no_event_is_told() -> None:
    with pytest.raises(ModelError, match="slow down"):
        decode(MessagesDecoder(), {"error": {"type": "rate_limit_error", "message": "slow down"}})


def test_thinking_is_switched_off_where_its_beginning_is_missing() -> None:
    """A step of another vendor's model has no thinking to send back; asked with thinking on, the service refuses it."""
    from antiphon.chat.context import ChatContext
    from antiphon.chat.items import FunctionCall, FunctionCallOutput

    ctx = ChatContext.empty()
    ctx.add_message(role="user", content="Hi")
    ctx.items += [
        FunctionCall(id="c", call_id="c", name="f", arguments="{}"),
        FunctionCallOutput(id="o", call_id="c", name="f", output="x"),
    ]
    codec = MessagesCodec(options={"thinking": {"type": "adaptive"}})

    def thinking(choice: Any = "auto") -> str:
        request = codec.request(model="m", chat_ctx=ctx, tools=[], tool_choice=choice)
        return str(json.loads(request.body)["thinking"]["type"])

    assert thinking() == "disabled"
    ctx.add_message(role="user", content="And now?")
    assert thinking() == "adaptive" and thinking("required") == "disabled"


# --- Gemini -------------------------------------------------------------------------------------------------------


def candidate(*parts: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"candidates": [{"content": {"role": "model", "parts": list(parts)}, **more}]}


def test_arguments_of_gemini_in_pieces() -> None:
    def piece(more: bool, *args: dict[str, Any]) -> dict[str, Any]:
        call = {"partialArgs": list(args), **({"willContinue": True} if more else {})}
        return candidate({"functionCall": call})

    first = candidate({"functionCall": {"name": "order", "willContinue": True}, "thoughtSignature": "sig"})
    chunks = decode(
        GenerateContentDecoder(),
        first,
        piece(True, {"jsonPath": "$.item", "stringValue": "caf", "willContinue": True}),
        piece(True, {"jsonPath": "$.item", "stringValue": "fè"}, {"jsonPath": "$.count", "numberValue": 2}),
        piece(True, {"jsonPath": "$.with[0].name", "stringValue": "milk"}),
        piece(True, {"jsonPath": "$.with[1].name", "stringValue": "sugar"}, {"jsonPath": "$.hot", "boolValue": True}),
        piece(False, {"jsonPath": "$.note", "nullValue": "NULL_VALUE"}),
        candidate({"functionCall": {"name": "pay", "args": {"by": "card"}}}),
        candidate(finishReason="STOP"),
    )
    calls = [call for chunk in chunks for call in chunk.tool_calls]
    assert [call.name for call in calls] == ["order", "pay"]
    assert json.loads(calls[0].arguments) == {
        "item": "caffè",
        "count": 2,
        "with": [{"name": "milk"}, {"name": "sugar"}],
        "hot": True,
        "note": None,
    }
    assert calls[0].extra == {"google": {"thought_signature": "sig"}} and json.loads(calls[1].arguments) == {
        "by": "card"
    }
    assert chunks[-1].finish == "tool_calls"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, min_size=1, max_size=3)
        | st.dictionaries(st.text("abc", min_size=1, max_size=2), inner, min_size=1, max_size=3)
    ),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(st.text("xyz", min_size=1, max_size=2), json_values, min_size=1, max_size=4), st.integers(1, 3))
def test_any_arguments_come_together_from_their_pieces(value: dict[str, Any], size: int) -> None:
    def leaves(path: str, inner: Any) -> list[dict[str, Any]]:
        if isinstance(inner, dict):
            return [leaf for key, one in inner.items() for leaf in leaves(f"{path}['{key}']", one)]
        if isinstance(inner, list):
            return [leaf for n, one in enumerate(inner) for leaf in leaves(f"{path}[{n}]", one)]
        if isinstance(inner, str):
            parts = [inner[at : at + size] for at in range(0, len(inner), size)] or [""]
            return [{"jsonPath": path, "stringValue": part} for part in parts]
        kind = "nullValue" if inner is None else "boolValue" if isinstance(inner, bool) else "numberValue"
        return [{"jsonPath": path, kind: "NULL_VALUE" if inner is None else inner}]

    made = PartialArguments()
    for leaf in leaves("$", value):
        made.add(leaf)
    assert json.loads(made.json()) == value


@pytest.mark.parametrize("path", ["", "$", "a", "$.a[", "$[0]", "$..a", "$.a[99999999]", None, 3])
def test_places_that_cannot_be_are_refused(path: object) -> None:
    with pytest.raises(ModelError):
        PartialArguments().add({"jsonPath": path, "stringValue": "x"})


def test_ends_of_gemini_that_are_no_answer() -> None:
    with pytest.raises(ModelError, match="MALFORMED_FUNCTION_CALL") as caught:
        decode(GenerateContentDecoder(), candidate(finishReason="MALFORMED_FUNCTION_CALL", finishMessage="bad call"))
    assert caught.value.retryable
    with pytest.raises(RefusedError) as blocked:
        decode(GenerateContentDecoder(), {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}})
    assert blocked.value.category == "PROHIBITED_CONTENT"
    with pytest.raises(ModelError, match="middle"):
        decode(GenerateContentDecoder(), candidate({"text": "Hello"}))
    with pytest.raises(ModelError, match="overloaded"):
        decode(GenerateContentDecoder(), [{"error": {"code": 503, "message": "overloaded", "status": "UNAVAILABLE"}}])


def test_waits_and_days_in_the_errors_of_gemini() -> None:
    codec = GenerateContentCodec()

    def fault(*details: dict[str, Any]) -> Any:
        error = {"code": 429, "message": "quota", "status": "RESOURCE_EXHAUSTED", "details": list(details)}
        return codec.fault(json.dumps({"error": error}).encode())

    assert fault({"@type": "RetryInfo", "retryDelay": "34.5s"}).retry_after == 34.5
    assert fault({"retryDelay": "soon"}).retry_after is None and not fault().final
    assert fault({"violations": [{"quotaId": "GenerateRequestsPerDayPerProject"}]}).kind == "no_credit"


# --- OpenAI -------------------------------------------------------------------------------------------------------


def test_a_response_that_tells_only_its_end_is_read_whole() -> None:
    output = [
        {"type": "message", "content": [{"type": "output_text", "text": "Hello."}]},
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}", "status": "completed"},
    ]
    chunks = decode(ResponsesDecoder(), {"type": "response.completed", "response": {"id": "r", "output": output}})
    assert chunks[0].text == "Hello." and chunks[1].tool_calls[0].call_id == "c" and chunks[-1].finish == "tool_calls"


def test_a_response_that_failed_says_why() -> None:
    failed = {"status": "failed", "error": {"code": "server_error", "message": "try again"}}
    with pytest.raises(ModelError, match="try again") as caught:
        decode(ResponsesDecoder(), {"type": "response.failed", "response": failed})
    assert caught.value.retryable
    with pytest.raises(RefusedError):
        error = {"code": "invalid_prompt", "message": "flagged"}
        decode(ResponsesDecoder(), {"type": "response.failed", "response": {"status": "failed", "error": error}})
    with pytest.raises(ModelError, match="slow down") as limited:
        error = {"type": "requests", "message": "slow down", "headers": {"Retry-After": "1.5"}}
        decode(ResponsesDecoder(), {"type": "error", "status": 429, "error": error})
    assert limited.value.retryable and limited.value.retry_after == 1.5


def test_steered_away_a_response_is_whole() -> None:
    response = {"id": "r", "status": "incomplete", "incomplete_details": {"reason": "steered"}, "output": []}
    chunks = decode(
        ResponsesDecoder(),
        {"type": "response.output_text.delta", "output_index": 0, "delta": "So"},
        {"type": "response.incomplete", "response": response},
    )
    assert chunks[-1].finish == "stop"


def test_a_call_that_the_service_calls_incomplete_is_not_made() -> None:
    item = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}", "status": "incomplete"}
    response = {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}, "output": [item]}
    chunks = decode(
        ResponsesDecoder(),
        {"type": "response.output_text.delta", "output_index": 0, "delta": "Yes."},
        {"type": "response.output_item.done", "output_index": 1, "item": item},
        {"type": "response.incomplete", "response": response},
    )
    assert not any(chunk.tool_calls for chunk in chunks) and chunks[-1].finish == "length"


def test_azures_filter_is_a_refusal() -> None:
    body = {
        "error": {
            "message": "The response was filtered.",
            "code": "content_filter",
            "innererror": {"code": "ResponsibleAIPolicyViolation", "content_filter_result": {"jailbreak": {}}},
        }
    }
    assert OpenAIChatCodec().fault(json.dumps(body).encode()).kind == "refused"


@pytest.mark.parametrize(
    "message",
    [
        "This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens.",
        "the request exceeds the available context size, try increasing it",
        "Please reduce the length of the messages or completion. prompt is too long",
        "This endpoint's maximum context length is 128000 tokens.",
    ],
)
def test_words_that_mean_that_a_conversation_is_too_long(message: str) -> None:
    assert OpenAIChatCodec().fault(json.dumps({"error": {"message": message}}).encode()).kind == "context_length"
    assert OpenAIChatCodec().fault(b'{"error": {"message": "too many requests for this context"}}').kind == ""
