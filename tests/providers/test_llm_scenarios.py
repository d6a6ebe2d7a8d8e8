"""What holds of every language model here, each against the simulator of its service."""

from __future__ import annotations

import json

import pytest
from llm_world import KEY, ORDER, TOOLS, VENDORS, all_vendors, ask, run, world

from antiphon.chat.context import ChatContext
from antiphon.chat.items import FunctionCall, FunctionCallOutput
from antiphon.errors import ContextLengthError, ModelError, RefusedError
from antiphon.models.llm import ToolSpec, Usage
from antiphon.testing.simulators.llm_script import Answer, LLMServiceFault, SimulatedCall
from antiphon.wire.deadlines import Deadlines
from antiphon.wire.retry import RetryPolicy

ARGUMENTS = '{"item": "caffè \\"latte\\" \\u2615", "count": 2}'
TWO_CALLS = (SimulatedCall("order", ARGUMENTS), SimulatedCall("pay", "{}"))
NEVER = RetryPolicy(delays=())
WITH_REFUSALS = ["chat", "responses", "responses-sse"]


@all_vendors
def test_words_come_as_they_are_made_and_the_end_says_what_they_cost(vendor: str) -> None:
    async def test() -> None:
        told = Answer(text="Good morning, ünïcödé ☕!", prompt_tokens=90, completion_tokens=12, cached_tokens=64)
        async with world(vendor, told) as (llm, _):
            heard = await ask(llm)
            assert heard.text == told.text and len([c for c in heard.chunks if c.text]) > 3
            assert heard.usages == [Usage(prompt_tokens=90, completion_tokens=12, cached_tokens=64)]
            assert heard.finish == "stop" and heard.error is None

    run(test)


@all_vendors
@pytest.mark.parametrize("piece", range(1, len(ARGUMENTS)))
def test_a_call_is_whole_wherever_its_arguments_are_cut(vendor: str, piece: int) -> None:
    async def test() -> None:
        async with world(vendor, Answer(calls=TWO_CALLS, piece=piece)) as (llm, _):
            heard = await ask(llm, tools=TOOLS)
            assert [call.name for call in heard.calls] == ["order", "pay"]
            assert json.loads(heard.calls[0].arguments) == json.loads(ARGUMENTS)
            assert len({call.call_id for call in heard.calls}) == 2 and heard.finish == "tool_calls"

    run(test)


@all_vendors
def test_calls_whose_pieces_come_in_turn_are_not_mixed_up(vendor: str) -> None:
    async def test() -> None:
        calls = tuple(SimulatedCall("order", f'{{"item": "number {n}", "count": {n}}}') for n in range(3))
        async with world(vendor, Answer(text="One moment.", calls=calls, piece=1, interleave=True)) as (llm, _):
            heard = await ask(llm, tools=TOOLS)
            assert [json.loads(call.arguments)["count"] for call in heard.calls] == [0, 1, 2]
            assert heard.text == "One moment."

    run(test)


@all_vendors
def test_thoughts_are_not_spoken_and_go_back_sealed_with_the_calls(vendor: str) -> None:
    """The simulators refuse a conversation whose calls come back without what was sealed with them, where the vendor does."""

    async def test() -> None:
        first = Answer(calls=TWO_CALLS, thinking="They want coffee. Two of them.", reasoning_tokens=7)
        thinking = {"anthropic": {"thinking": "adaptive"}}.get(vendor, {})
        async with world(vendor, first, "Done.", **thinking) as (llm, service):
            ctx = ChatContext.empty()
            ctx.add_message(role="user", content="Two coffees.")
            heard = await ask(llm, ctx, TOOLS)
            assert heard.text == "" and heard.usages[0].reasoning_tokens == 7
            for call in heard.calls:
                item = FunctionCall(
                    id=call.call_id, call_id=call.call_id, name=call.name, arguments=call.arguments, extra=call.extra
                )
                ctx.items.append(item)
            for call in heard.calls:
                output = FunctionCallOutput(id=f"o{call.call_id}", call_id=call.call_id, name=call.name, output="ok")
                ctx.items.append(output)
            again = await ask(llm, ctx, TOOLS)
            assert (again.text, again.error) == ("Done.", None)
            sent = json.dumps(service.script.requests[1])
            if vendor == "anthropic":
                assert '"signature"' in sent
            if vendor == "gemini":
                assert '"thoughtSignature"' in sent

    run(test)


@all_vendors
@pytest.mark.parametrize("choice", ["auto", "none", "required"])
def test_each_choice_of_tools_is_one_that_the_service_knows(vendor: str, choice: str) -> None:
    async def test() -> None:
        async with world(vendor) as (llm, service):
            heard = await ask(llm, tools=TOOLS, tool_choice=choice)
            assert heard.text == "Hello."
            said = json.dumps(service.script.requests[0]).lower()
            assert {"auto": "auto", "none": "none", "required": "required"}[choice] in said or '"any"' in said

    run(test)


@all_vendors
def test_a_tool_whose_name_no_service_takes_is_called_by_its_own_name(vendor: str) -> None:
    async def test() -> None:
        odd = ToolSpec("files.read/all", "Read.", {"type": "object", "properties": {}})
        async with world(vendor) as (llm, service):
            await ask(llm, tools=[odd, ORDER])
            text = json.dumps(service.script.requests[0])
            assert "files.read/all" not in text
            fitted = next(word for word in text.split('"') if word.startswith("files_read_all"))
            service.script.answers = [Answer(calls=(SimulatedCall(fitted),))]
            heard = await ask(llm, tools=[odd, ORDER])
            assert [call.name for call in heard.calls] == ["files.read/all"]

    run(test)


@all_vendors
def test_an_answer_that_was_cut_off_by_its_limit_says_so_and_makes_no_half_call(vendor: str) -> None:
    async def test() -> None:
        half = Answer(text="I will", calls=(SimulatedCall("order", '{"item": "cof'),), finish="length")
        whole_only = Answer(text="I will", finish="length")
        async with world(vendor, whole_only if vendor == "gemini" else half) as (llm, _):
            heard = await ask(llm, tools=TOOLS)
            assert (heard.text, heard.calls, heard.finish, heard.error) == ("I will", [], "length", None)
        async with world(vendor, Answer(thinking="Hm, hm, hm.", finish="length")) as (llm, service):
            heard = await ask(llm)
            assert heard.error is not None and "tokens" in heard.error.hint and not heard.error.retryable
            assert len(service.script.requests) == 1

    run(test)


@all_vendors
def test_what_a_filter_cut_is_told_apart_from_what_ended(vendor: str) -> None:
    async def test() -> None:
        async with world(vendor, Answer(text="Well, first you", finish="content_filter")) as (llm, _):
            heard = await ask(llm)
            assert heard.text == "Well, first you" and heard.finish in ("content_filter", "refusal")
        async with world(vendor, Answer(calls=TWO_CALLS, finish="content_filter")) as (llm, service):
            heard = await ask(llm, tools=TOOLS)
            assert heard.calls == [] and isinstance(heard.error, RefusedError) and not heard.error.retryable
            assert len(service.script.requests) == 1, "made again it is refused again"

    run(test)


@pytest.mark.parametrize("vendor", WITH_REFUSALS)
def test_a_refusal_in_words_is_spoken_and_known_as_one(vendor: str) -> None:
    async def test() -> None:
        async with world(vendor, Answer(refusal="I can't help with that.")) as (llm, _):
            heard = await ask(llm)
            assert (heard.text, heard.finish) == ("I can't help with that.", "refusal")

    run(test)


@pytest.mark.parametrize("vendor", ["anthropic", "gemini"])
def test_a_refusal_without_words_is_an_error_of_its_own(vendor: str) -> None:
    async def test() -> None:
        async with world(vendor, Answer(finish="refusal")) as (llm, _):
            heard = await ask(llm)
            assert isinstance(heard.error, RefusedError) and heard.error.category

    run(test)


@all_vendors
@pytest.mark.parametrize("way", ["absent", "twice", "always"])
def test_tokens_are_counted_once_however_they_are_told(vendor: str, way: str) -> None:
    async def test() -> None:
        fault = LLMServiceFault(usage=way)  # type: ignore[arg-type]
        answer = Answer(text="Hello.", prompt_tokens=50, completion_tokens=4)
        async with world(vendor, answer, faults={0: fault}) as (llm, _):
            heard = await ask(llm)
            counted = [usage for usage in heard.usages if usage != Usage()]
            assert counted == ([] if way == "absent" else [Usage(prompt_tokens=50, completion_tokens=4)])

    run(test)


# --- errors -------------------------------------------------------------------------------------------------------

TOO_LONG = {
    "chat": (400, "context_length_exceeded", "This model's maximum context length is 8192 tokens."),
    "responses": (400, "context_length_exceeded", "Your input exceeds the context window of this model."),
    "anthropic": (400, "invalid_request_error", "prompt is too long: 220000 tokens > 200000 maximum"),
    "gemini": (400, "", "The input token count (2000000) exceeds the maximum number of tokens allowed (1048576)."),
}
NO_CREDIT = {
    "chat": (429, "insufficient_quota", "You exceeded your current quota."),
    "responses": (429, "insufficient_quota", "You exceeded your current quota."),
    "anthropic": (400, "invalid_request_error", "Your credit balance is too low to access the Anthropic API."),
}


def refusal(given: tuple[int, str, str]) -> LLMServiceFault:
    return LLMServiceFault(status=given[0], code=given[1], message=given[2])


@all_vendors
def test_a_conversation_that_is_too_long_is_an_error_of_its_own(vendor: str) -> None:
    async def test() -> None:
        async with world(vendor, faults={0: refusal(TOO_LONG[vendor.removesuffix("-sse")])}) as (llm, service):
            heard = await ask(llm)
            assert isinstance(heard.error, ContextLengthError) and "truncate" in heard.error.hint
            assert len(service.script.requests) == 1

    run(test)


@pytest.mark.parametrize("vendor", list(NO_CREDIT))
def test_an_account_without_credit_is_not_asked_again(vendor: str) -> None:
    async def test() -> None:
        async with world(vendor, faults={0: refusal(NO_CREDIT[vendor.removesuffix("-sse")])}) as (llm, service):
            heard = await ask(llm)
            assert heard.error is not None and not heard.error.retryable
            assert "credit" in str(heard.error) or "quota" in str(heard.error)
            assert len(service.script.requests) == 1

    run(test)


@all_vendors
@pytest.mark.parametrize("status", [408, 429, 500, 503, 529])
def test_what_may_pass_is_tried_again(vendor: str, status: int) -> None:
    async def test() -> None:
        fault = LLMServiceFault(status=status, headers={"Retry-After": "0"})
        async with world(vendor, faults={0: fault}) as (llm, service):
            heard = await ask(llm)
            assert (heard.text, heard.error) == ("Hello.", None)
            assert len(service.script.requests) == 2

    run(test)


@all_vendors
def test_a_wait_that_the_service_asks_for_is_kept(vendor: str) -> None:
    async def test() -> None:
        waits: list[float] = []

        async def sleep(seconds: float) -> None:
            waits.append(seconds)

        fault = LLMServiceFault(status=429, headers={"Retry-After": "2"})
        if vendor == "gemini":
            fault = LLMServiceFault(status=429, code="retry:2")
        async with world(vendor, faults={0: fault}, sleep=sleep) as (llm, _):
            assert (await ask(llm)).text == "Hello."
            assert waits == [2.0]

    run(test)


@all_vendors
@pytest.mark.parametrize("status", [400, 401, 403, 404, 413])
def test_what_will_not_pass_is_told_at_once(vendor: str, status: int) -> None:
    async def test() -> None:
        async with world(vendor, faults={0: LLMServiceFault(status=status, message="No.")}) as (llm, service):
            heard = await ask(llm)
            assert heard.error is not None and not heard.error.retryable
            assert len(service.script.requests) == 1

    run(test)


@all_vendors
def test_a_wrong_key_is_told_without_the_key(vendor: str) -> None:
    async def test() -> None:
        async with world(vendor, api_key="wrong-key-5678") as (llm, _):
            heard = await ask(llm)
            assert heard.error is not None and not heard.error.retryable
            assert "wrong-key-5678" not in str(heard.error) and "wrong-key-5678" not in repr(llm)
        said = LLMServiceFault(status=401, message=f"Incorrect API key provided: {KEY}.")
        async with world(vendor, faults={0: said}) as (llm, _):
            heard = await ask(llm)
            assert heard.error is not None and KEY not in str(heard.error) and "***" in str(heard.error)

    run(test)


# --- streams that go wrong ---------------------------------------------------------------------------------------

LONG = Answer(text="This answer is long enough to break in the middle of it.", piece=5)
STRAY = [
    LLMServiceFault(bytes=1),
    LLMServiceFault(bytes=7, crlf=True, comments=2),
    LLMServiceFault(crlf=True),
    LLMServiceFault(pings=3),
    LLMServiceFault(mishap="unknown", after=2),
    LLMServiceFault(comments=20),
]


@all_vendors
@pytest.mark.parametrize("fault", STRAY, ids=str)
def test_however_a_stream_is_cut_and_padded_it_says_the_same(vendor: str, fault: LLMServiceFault) -> None:
    async def test() -> None:
        async with world(vendor, LONG, faults={0: fault}) as (llm, service):
            heard = await ask(llm)
            assert (heard.text, heard.error, heard.finish) == (LONG.text, None, "stop")
            assert len(service.script.requests) == 1

    run(test)


@all_vendors
@pytest.mark.parametrize("mishap", ["cut", "end", "error", "garbage"])
def test_before_the_first_word_a_broken_stream_is_begun_again(vendor: str, mishap: str) -> None:
    async def test() -> None:
        async with world(vendor, LONG, faults={0: LLMServiceFault(mishap=mishap)}) as (llm, service):  # type: ignore[arg-type]
            heard = await ask(llm)
            assert (heard.text, heard.error) == (LONG.text, None)
            assert len(service.script.requests) == 2

    run(test)


@all_vendors
@pytest.mark.parametrize("mishap", ["cut", "end", "error", "garbage"])
def test_after_it_half_an_answer_is_an_error_and_never_two_answers(vendor: str, mishap: str) -> None:
    async def test() -> None:
        fault = LLMServiceFault(mishap=mishap, after=8)  # type: ignore[arg-type]
        async with world(vendor, LONG, faults={0: fault}) as (llm, service):
            heard = await ask(llm)
            assert heard.text and LONG.text.startswith(heard.text) and heard.text != LONG.text
            assert heard.error is not None and heard.finish is None
            assert len(service.script.requests) == 1

    run(test)


@all_vendors
def test_a_stream_cut_in_a_call_makes_no_call(vendor: str) -> None:
    async def test() -> None:
        answer = Answer(text="Yes.", calls=TWO_CALLS, piece=4)
        # Gemini's calls come whole: there the stream ends before the last event.
        fault = LLMServiceFault(mishap="end", after=2 if vendor == "gemini" else 9)
        async with world(vendor, answer, faults={0: fault}) as (llm, _):
            heard = await ask(llm, tools=TOOLS)
            assert heard.calls == [] and heard.error is not None

    run(test)


@all_vendors
def test_a_stream_that_stalls_is_given_up_and_pings_do_not_keep_it(vendor: str) -> None:
    async def test() -> None:
        quick = Deadlines(first=0.2, between=0.2)
        fault = LLMServiceFault(mishap="stall", after=0 if vendor == "gemini" else 1, pings=2)
        async with world(vendor, LONG, faults={0: fault}, deadlines=quick) as (llm, service):
            heard = await ask(llm)
            assert heard.text == LONG.text and len(service.script.requests) == 2
        late = LLMServiceFault(mishap="stall", after=8)
        async with world(vendor, LONG, faults={0: late}, deadlines=quick) as (llm, _):
            heard = await ask(llm)
            assert heard.text and heard.error is not None and "0.2 s" in str(heard.error)

    run(test)


@all_vendors
@pytest.mark.parametrize("after", [0, 8])
def test_a_service_that_sends_nothing_but_pings_is_silent(vendor: str, after: int) -> None:
    async def test() -> None:
        quick = Deadlines(first=0.2, between=0.2)
        fault = LLMServiceFault(mishap="ping", after=after)
        async with world(vendor, LONG, faults={0: fault}, deadlines=quick, retry=NEVER) as (llm, _):
            heard = await ask(llm)
            assert heard.error is not None and "0.2 s" in str(heard.error) and bool(heard.text) == bool(after)

    run(test)


@all_vendors
def test_an_answer_that_is_not_wanted_any_more_frees_its_connection(vendor: str) -> None:
    async def test() -> None:
        async with world(vendor, LONG, "Again.", faults={0: LLMServiceFault(mishap="stall", after=8)}) as (llm, _):
            ctx = ChatContext.empty()
            ctx.add_message(role="user", content="Hi")
            stream = llm.chat(chat_ctx=ctx)
            async for _chunk in stream:
                break
            await stream.aclose()
            await stream.aclose()
            assert (await ask(llm)).text == "Again."

    run(test)


@all_vendors
def test_connecting_ahead_finds_a_wrong_key(vendor: str) -> None:
    async def test() -> None:
        async with world(vendor, api_key="wrong") as (llm, _):
            # Gemini answers a wrong key with 400, as it does wrong requests: the first answer tells.
            if vendor == "gemini":
                await llm.prewarm()
            else:
                with pytest.raises(ModelError, match="401"):
                    await llm.prewarm()
        async with world(vendor) as (llm, service):
            await llm.prewarm()
            assert (await ask(llm)).text == "Hello." and len(service.script.requests) == 1

    run(test)


def test_every_vendor_of_the_package_is_here() -> None:
    assert set(VENDORS) == {"chat", "responses", "responses-sse", "anthropic", "gemini"}
