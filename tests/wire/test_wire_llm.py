"""A language model behind HTTP, against a server that fails in every way."""

from __future__ import annotations

import asyncio
import gzip
import json
import threading
import traceback
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest
from aiohttp import ClientResponse
from wire_server import SSE, Exchange, Handler, Server, hang, serving

from antiphon.chat.context import ChatContext
from antiphon.errors import ModelError
from antiphon.models.llm import ChatChunk, ToolSpec
from antiphon.wire import http
from antiphon.wire.deadlines import Deadlines
from antiphon.wire.faults import Service
from antiphon.wire.http import HttpPool
from antiphon.wire.llm import WireLLM
from antiphon.wire.resolve import llm_from_string
from antiphon.wire.retry import RetryPolicy

FAST = Deadlines(first=0.08, between=0.08)
PATIENT = Deadlines(connect=5, first=60, between=60)


def run(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(10):
            await test()
        left = [task for task in asyncio.all_tasks() if task.get_name().startswith("llm ")]
        assert not left

    asyncio.run(bounded())


def llm_at(url: str, waits: list[float] | None = None, **options: Any) -> WireLLM:
    async def sleep(seconds: float) -> None:
        if waits is not None:
            waits.append(seconds)

    llm = llm_from_string(f"openai/test@{url}", environ={}, sleep=sleep, **{"deadlines": PATIENT, **options})
    assert isinstance(llm, WireLLM)
    return llm


@asynccontextmanager
async def model(
    *handlers: Handler, waits: list[float] | None = None, **options: Any
) -> AsyncIterator[tuple[WireLLM, Server]]:
    async with serving(*handlers) as server:
        llm = llm_at(server.url, waits, **options)
        try:
            yield llm, server
        finally:
            await llm.aclose()


def ctx() -> ChatContext:
    context = ChatContext.empty()
    context.add_message(role="user", content="Hi")
    return context


async def ask(llm: WireLLM) -> tuple[str, ModelError | None]:
    text, stream = "", llm.chat(chat_ctx=ctx())
    try:
        async for chunk in stream:
            text += chunk.text
    except ModelError as error:
        return text, error
    finally:
        await stream.aclose()
    return text, None


async def hello(exchange: Exchange) -> None:
    await exchange.raw(SSE)
    await exchange.say("Hel", "lo")
    await exchange.finish()


def test_an_answer_and_the_socket_is_used_again() -> None:
    async def test() -> None:
        async with model(hello) as (llm, server):
            await llm.prewarm()
            stream = llm.chat(chat_ctx=ctx(), tools=[ToolSpec(name="t", description="", parameters={})])
            chunks = [chunk async for chunk in stream]
            assert "".join(c.text for c in chunks) == "Hello"
            assert chunks[-1].usage is not None and chunks[-1].usage.prompt_tokens == 3
            assert await ask(llm) == ("Hello", None)
            assert server.requests[1].json["tools"][0]["function"]["name"] == "t"
            assert server.requests[1].head.startswith("POST /v1/chat/completions ")
            assert server.connections == 1

    run(test)


def test_closing_the_model_leaves_no_socket() -> None:
    async def test() -> None:
        async with serving(hello) as server:
            llm = llm_at(server.url)
            await ask(llm)
            assert server.open == 1
            await llm.aclose()
            await server.freed.wait()
            assert server.open == 0
            await llm.aclose()

    run(test)


@pytest.mark.parametrize("start", [True, False])
def test_an_answer_whose_model_is_closed_ends_at_once(start: bool) -> None:
    async def half(exchange: Exchange) -> None:
        await exchange.raw(SSE)
        await exchange.say("Hel")
        await exchange.gone()

    async def test() -> None:
        async with model(half) as (llm, server):
            chunks = aiter(llm.chat(chat_ctx=ctx()))
            if start:
                assert (await anext(chunks)).text == "Hel"
            await llm.aclose()
            with pytest.raises(ModelError, match="closed") as caught:
                await anext(chunks)
            assert not caught.value.retryable
            if start:
                await server.freed.wait()
            assert server.open == 0

    run(test)


def test_an_answer_on_another_loop_ends_too_when_its_model_is_closed() -> None:
    async def test() -> None:
        async with model(hang) as (llm, server):
            answered = asyncio.create_task(asyncio.to_thread(lambda: asyncio.run(ask(llm))))
            await server.asked.wait()
            await llm.aclose()
            text, error = await answered
            assert text == "" and error is not None and "closed" in str(error)

    run(test)


def test_a_pool_given_from_outside_stays_open() -> None:
    async def test() -> None:
        async with serving(hello) as server:
            pool = HttpPool()
            for _ in range(2):
                llm = llm_at(server.url, pool=pool)
                assert await ask(llm) == ("Hello", None)
                await llm.aclose()
            assert server.connections == 1 and server.open == 1
            await pool.aclose()

    run(test)


def test_one_model_serves_several_loops() -> None:
    async def first() -> WireLLM:
        async with serving(hello) as server:
            llm = llm_at(server.url)
            await ask(llm)
            return llm

    llm = asyncio.run(first())

    async def second() -> None:
        async with serving(hello) as server:
            llm.service = llm_at(server.url).service
            assert await ask(llm) == ("Hello", None)
            await llm.aclose()

    asyncio.run(second())


def test_closing_the_model_closes_the_sockets_of_other_running_loops() -> None:
    pool, ready, done = HttpPool(), threading.Event(), threading.Event()

    async def elsewhere() -> None:
        async with serving(hello) as server:
            await ask(llm_at(server.url, pool=pool))
            ready.set()
            await server.freed.wait()
            done.set()

    thread = threading.Thread(target=asyncio.run, args=(elsewhere(),))
    thread.start()

    async def test() -> None:
        await asyncio.to_thread(ready.wait, 5)
        await pool.aclose()
        assert await asyncio.to_thread(done.wait, 5)

    run(test)
    thread.join()


def test_half_an_answer_that_is_no_stream() -> None:
    async def half(exchange: Exchange) -> None:
        await exchange.raw("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{")

    async def cut(exchange: Exchange) -> None:
        await half(exchange)
        exchange.cut()

    async def test() -> None:
        for handler, says, deadlines in ((half, "within 0.08 s", FAST), (cut, "broke", PATIENT)):
            async with model(handler, deadlines=deadlines, retry=RetryPolicy(delays=())) as (llm, _):
                _text, error = await ask(llm)
                assert error is not None and says in str(error)

    run(test)


def test_a_host_that_swallows_connections_ends_at_the_connect_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(*args: Any, **kwargs: Any) -> None:
        await asyncio.Event().wait()

    async def test() -> None:
        monkeypatch.setattr("aiohttp.connector.TCPConnector._create_connection", never)
        llm = llm_at("http://127.0.0.1:9/v1", deadlines=Deadlines(connect=0.02), retry=RetryPolicy(delays=()))
        _text, error = await ask(llm)
        assert error is not None and "no connection within 0.02 s" in str(error)
        await llm.aclose()

    run(test)


def test_a_slow_first_token_ends_at_its_deadline() -> None:
    async def warm_for_ever(exchange: Exchange) -> None:
        await exchange.raw(SSE)
        while True:
            await exchange.chunk(": still here\n\n")
            await asyncio.sleep(0.01)

    async def test() -> None:
        for handler in (hang, warm_for_ever):
            async with model(handler, hello, deadlines=Deadlines(first=0.3)) as (llm, server):
                assert await ask(llm) == ("Hello", None), "the second attempt answers"
                assert len(server.requests) == 2

    run(test)


def test_a_server_that_never_answers_is_an_error_that_names_the_wait() -> None:
    async def test() -> None:
        async with model(hang, deadlines=FAST) as (llm, server):
            _, error = await ask(llm)
            assert error is not None and "within 0.08 s" in str(error) and error.retryable
            assert len(server.requests) == 4

    run(test)


def test_a_dribble_is_passed_on_as_it_comes_and_then_bounded() -> None:
    async def dribble(exchange: Exchange) -> None:
        await exchange.raw(SSE)
        for letter in "abc":
            await exchange.say(letter)
            await asyncio.sleep(0.03)
        await exchange.gone()

    async def test() -> None:
        async with model(dribble, deadlines=Deadlines(first=5, between=0.3)) as (llm, server):
            text, error = await ask(llm)
            assert text == "abc" and error is not None and "further token" in str(error)
            assert len(server.requests) == 1, "never again after the first token"

    run(test)


def test_429_and_500_are_tried_again_and_retry_after_is_kept() -> None:
    async def limited(exchange: Exchange) -> None:
        await exchange.refuse(429, '{"error": {"message": "slow down"}}', "Retry-After: 1\r\n")

    async def broken(exchange: Exchange) -> None:
        await exchange.refuse(500)

    async def test() -> None:
        waits: list[float] = []
        async with model(limited, broken, hello, waits=waits) as (llm, _):
            assert await ask(llm) == ("Hello", None)
            assert waits[0] >= 1.0 and 0.3 <= waits[1] <= 0.4
        async with model(broken, waits=[]) as (llm, server):
            _, error = await ask(llm)
            assert error is not None and error.status == 500 and len(server.requests) == 4

    run(test)


def test_a_wait_longer_than_the_budget_is_given_up_at_once() -> None:
    async def limited(exchange: Exchange) -> None:
        await exchange.refuse(429, "{}", "Retry-After: 60\r\n")

    async def no_credit(exchange: Exchange) -> None:
        await exchange.refuse(429, '{"error": {"message": "pay", "code": "insufficient_quota"}}')

    async def test() -> None:
        async with model(limited) as (llm, server):
            _, error = await ask(llm)
            assert error is not None and error.retry_after == 60 and error.retryable and len(server.requests) == 1
        async with model(no_credit) as (llm, server):
            _, error = await ask(llm)
            assert error is not None and not error.retryable and len(server.requests) == 1 and "credit" in error.hint

    run(test)


@pytest.mark.parametrize(
    ("status", "hint"),
    [
        (401, "OPENAI_COMPATIBLE_API_KEY"),
        (403, "OPENAI_COMPATIBLE_API_KEY"),
        (404, "name"),
        (400, "options"),
        (302, "redirects"),
    ],
)
def test_refusals_are_not_repeated_and_say_what_to_do(status: int, hint: str) -> None:
    async def refuse(exchange: Exchange) -> None:
        await exchange.refuse(status, '{"error": {"message": "because."}}', "Location: http://other.example/v1\r\n")

    async def test() -> None:
        async with model(refuse) as (llm, server):
            _, error = await ask(llm)
            assert error is not None and error.status == status and not error.retryable
            assert hint in error.hint and "because" in str(error) and len(server.requests) == 1

    run(test)


def test_a_connection_cut_before_the_first_token_is_tried_again_and_after_it_is_an_error() -> None:
    async def cut_early(exchange: Exchange) -> None:
        await exchange.raw(SSE)
        exchange.cut()

    async def cut_late(exchange: Exchange) -> None:
        await exchange.raw(SSE)
        await exchange.say("Hel")
        await asyncio.sleep(0.01)
        exchange.cut()

    async def end_early(exchange: Exchange) -> None:
        await exchange.raw(SSE)
        await exchange.say("Hel")
        await exchange.raw("0\r\n\r\n")

    async def test() -> None:
        async with model(cut_early, hello) as (llm, server):
            assert await ask(llm) == ("Hello", None)
        for handler, said in ((cut_late, "broke"), (end_early, "middle")):
            async with model(handler) as (llm, server):
                text, error = await ask(llm)
                assert text == "Hel" and error is not None and said in str(error) and len(server.requests) == 1

    run(test)


def test_garbage_and_other_kinds_of_answers() -> None:
    async def garbage(exchange: Exchange) -> None:
        await exchange.raw(SSE)
        await exchange.say("Hel")
        await exchange.chunk("data: {{{\n\n")

    async def page(exchange: Exchange) -> None:
        await exchange.raw("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>")

    async def not_http(exchange: Exchange) -> None:
        await exchange.raw("220 smtp ready\r\n\r\n")
        exchange.cut()

    async def whole(exchange: Exchange) -> None:
        body = json.dumps({"choices": [{"message": {"content": "Hello"}, "finish_reason": "stop"}]})
        await exchange.raw(
            f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
        )

    async def test() -> None:
        async with model(garbage) as (llm, _):
            text, error = await ask(llm)
            assert text == "Hel" and error is not None and "cannot be read" in str(error)
        async with model(page) as (llm, server):
            _, error = await ask(llm)
            assert error is not None and "/v1" in error.hint and len(server.requests) == 1
        async with model(not_http, hello) as (llm, _):
            assert await ask(llm) == ("Hello", None)
        async with model(whole) as (llm, _):
            assert await ask(llm) == ("Hello", None)

    run(test)


def test_a_whole_answer_counts_even_if_the_server_never_ends_the_stream() -> None:
    async def no_end(exchange: Exchange) -> None:
        await exchange.raw(SSE)
        await exchange.say("Hello")
        await exchange.finish(mark=False)
        await exchange.gone()

    async def test() -> None:
        async with model(no_end, deadlines=Deadlines(first=5, between=0.1)) as (llm, _):
            assert await ask(llm) == ("Hello", None)

    run(test)


def test_nothing_listens() -> None:
    async def test() -> None:
        async with serving(hello) as server:
            url = server.url
        waits: list[float] = []
        llm = llm_at(url, waits)
        _, error = await ask(llm)
        assert error is not None and "Is the server running?" in error.hint and url in error.message
        assert len(waits) == 2 and error.retryable
        with pytest.raises(ModelError, match="running"):
            await llm.prewarm()
        await llm.aclose()

    run(test)


def test_prewarm_tells_of_a_wrong_key_and_minds_no_missing_page() -> None:
    async def refuse(exchange: Exchange) -> None:
        await exchange.refuse(401)

    async def missing(exchange: Exchange) -> None:
        await exchange.refuse(404)

    async def test() -> None:
        async with model(refuse) as (llm, _):
            with pytest.raises(ModelError, match="OPENAI_COMPATIBLE_API_KEY"):
                await llm.prewarm()
        async with model(missing, hello) as (llm, server):
            await llm.prewarm()
            assert await ask(llm) == ("Hello", None) and server.connections == 1

    run(test)


@pytest.mark.parametrize("kind", ["openai", "openai-responses", "anthropic", "google"])
@pytest.mark.parametrize("status", [400, 401, 404, 500])
def test_no_error_shows_the_key_that_a_service_repeats(kind: str, status: int) -> None:
    key = "sk-proj-abcdefghij0123456789"

    async def repeat(exchange: Exchange) -> None:
        await exchange.refuse(status, json.dumps({"error": {"message": key, "code": key, "type": key, "status": key}}))

    async def test() -> None:
        async with serving(repeat) as server:
            llm = llm_from_string(f"{kind}/test@{server.url}", environ={"OPENAI_COMPATIBLE_API_KEY": key})
            errors = []
            try:
                await llm.prewarm()
            except ModelError as error:
                errors.append(error)
            try:
                async for _ in llm.chat(chat_ctx=ctx()):
                    pass
            except ModelError as error:
                errors.append(error)
            await llm.aclose()
            assert errors
            for error in errors:
                said = f"{error} {error!r} {vars(error)} {''.join(traceback.format_exception(error))}"
                assert key[:12] not in said

    run(test)


@pytest.mark.parametrize("moment", ["before", "connected", "first token"])
def test_closing_a_stream_frees_it_at_once_wherever_it_waits(moment: str) -> None:
    async def half(exchange: Exchange) -> None:
        await exchange.raw(SSE)
        await exchange.say("Hel")
        await exchange.gone()

    async def test() -> None:
        async with model(half if moment == "first token" else hang) as (llm, server):
            stream = llm.chat(chat_ctx=ctx())
            chunks: list[ChatChunk] = []
            arrived = asyncio.Event()

            async def consume() -> None:
                async for chunk in stream:
                    chunks.append(chunk)
                    arrived.set()

            if moment == "before":
                await stream.aclose()
                await consume()
                assert not server.requests
                return
            consumer = asyncio.create_task(consume())
            await (server.asked if moment == "connected" else arrived).wait()
            await stream.aclose()
            await stream.aclose()
            await consumer
            await server.freed.wait()
            assert server.open == 0

    run(test)


def test_comments_that_keep_coming_do_not_hold_up_the_deadline() -> None:
    class Flood:
        async def readany(self) -> bytes:
            return b": ping\n\n" * 10

    class Response:
        content_type, content = "text/event-stream", Flood()

    async def test() -> None:
        due = asyncio.get_running_loop().time() + FAST.first
        stream = http.Stream(cast("ClientResponse", Response()), Service(name="x", base_url="http://h"), FAST, due)
        with pytest.raises(ModelError, match="no token within"):
            async for _ in stream.events():
                pass

    run(test)


def test_a_refused_socket_whose_body_stalls_is_freed() -> None:
    async def stall(exchange: Exchange) -> None:
        await exchange.raw("HTTP/1.1 503 No\r\nContent-Length: 1000\r\n\r\nx")
        await exchange.gone()

    async def test() -> None:
        async with serving(stall) as server:
            llm = llm_from_string(f"openai-responses/test@{server.url}", environ={}, deadlines=Deadlines(connect=0.2))
            with pytest.raises(ModelError, match="no connection within"):
                await llm.prewarm()
            await server.freed.wait()
            assert server.open == 0
            await llm.aclose()

    run(test)


def test_a_cancelled_consumer_leaves_nothing_running() -> None:
    async def test() -> None:
        async with model(hang) as (llm, server):
            consumer = asyncio.create_task(ask(llm))
            await server.asked.wait()
            consumer.cancel()
            with pytest.raises(asyncio.CancelledError):
                await consumer
            await server.freed.wait()

    run(test)


def test_a_slow_consumer_holds_the_stream_back() -> None:
    async def flood(exchange: Exchange) -> None:
        await exchange.raw(SSE)
        for _ in range(30):
            await exchange.say(*["x"] * 100)
        await exchange.finish()

    async def test() -> None:
        async with model(flood) as (llm, _):
            stream = llm.chat(chat_ctx=ctx())
            count = 0
            async for _ in stream:
                if count == 0:
                    for _ in range(200):
                        await asyncio.sleep(0)
                    assert stream._chunks.qsize() <= 1024  # type: ignore[attr-defined]
                count += 1
            assert count == 3001

    run(test)


def test_a_stream_is_iterated_once() -> None:
    async def test() -> None:
        async with model(hello) as (llm, _):
            stream = llm.chat(chat_ctx=ctx())
            first = aiter(stream)
            await anext(first)
            with pytest.raises(RuntimeError, match="once"):
                await anext(aiter(stream))
            await stream.aclose()

    run(test)


def test_a_hostile_service_harms_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    async def bomb(exchange: Exchange) -> None:
        body = gzip.compress(b"data: " + b"0" * 50_000_000)
        head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Encoding: gzip\r\n"
        await exchange.raw(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)

    async def headers_without_end(exchange: Exchange) -> None:
        await exchange.raw("HTTP/1.1 200 OK\r\n")
        for n in range(200_000):
            await exchange.raw(f"X-Header-{n}: {'x' * 100}\r\n" * 10)

    async def one_endless_header(exchange: Exchange) -> None:
        await exchange.raw("HTTP/1.1 200 OK\r\nX-Long: ")
        for _ in range(20_000):
            await exchange.raw("x" * 10_000)

    async def endless_answer(exchange: Exchange) -> None:
        await exchange.raw(SSE)
        for _ in range(100):
            await exchange.say("x" * 10_000)

    async def endless_event(exchange: Exchange) -> None:
        await exchange.raw(SSE)
        for _ in range(1000):
            await exchange.chunk("data: " + "x" * 10_000)

    async def elsewhere(exchange: Exchange) -> None:
        await exchange.refuse(307, "", "Location: http://169.254.169.254/latest/meta-data\r\n")

    async def test() -> None:
        monkeypatch.setattr(http, "WHOLE_STREAM", 500_000)
        for handler, says in (
            (bomb, "gzip"),
            (headers_without_end, ""),
            (one_endless_header, ""),
            (endless_answer, "does not end"),
            (endless_event, ""),
            (elsewhere, "169.254.169.254"),
        ):
            async with model(handler, retry=RetryPolicy(delays=())) as (llm, server):
                _text, error = await ask(llm)
                assert error is not None and says in str(error), handler
                assert len(server.requests) == 1

    run(test)
