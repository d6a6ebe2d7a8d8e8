"""Speech over real sockets on loopback: what a network and a hostile endpoint can do."""

from __future__ import annotations

import asyncio
import gzip
import logging
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from speech_calls import ORDER, TEXT, TEXTS, frames_of, said, text

from antiphon.errors import ConfigurationError, ModelError
from antiphon.providers import cartesia, deepgram
from antiphon.testing.simulators import Fault, FaultScript, serving
from antiphon.testing.simulators.cartesia import CartesiaSimulator
from antiphon.testing.simulators.deepgram import DeepgramSimulator
from antiphon.wire.resolve import stt_from_string, tts_from_string
from antiphon.wire.retry import RetryPolicy
from antiphon.wire.socket import SpeechDeadlines

Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
KEY = "sk-very-secret-0123456789"
ONCE = RetryPolicy(delays=())
SHORT = SpeechDeadlines(connect=0.3, first=0.5, between=0.5, finish=0.5)


@asynccontextmanager
async def endpoint(answer: Answer) -> AsyncIterator[str]:
    """A server that does as it likes."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            await answer(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    listener = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    finally:
        listener.close()


async def hear(stt: Any) -> str:
    """As fast as it goes."""
    stream = stt.stream(language="en")
    for frame in frames_of(ORDER):
        stream.push(frame)
    stream.end_input()
    try:
        return text([event async for event in stream])
    finally:
        await stt.aclose()


async def say(tts: Any) -> list[str]:
    stream = tts.stream()
    for one in TEXTS:
        stream.push_text(one)
    stream.end_input()
    try:
        return said([frame async for frame in stream])
    finally:
        await tts.aclose()


def nothing_left() -> None:
    assert asyncio.all_tasks() == {asyncio.current_task()}


# --- a network ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [None, "close", "abort", "refuse", "vanish"])
def test_a_whole_conversation_by_two_strings(kind: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DEEPGRAM_API_KEY", raising=False)
    monkeypatch.delenv("CARTESIA_API_KEY", raising=False)

    async def main() -> None:
        faults = FaultScript() if kind is None else FaultScript.of(Fault(kind))
        ears, voice = DeepgramSimulator([ORDER], faults=faults), CartesiaSimulator(faults=faults, speed=0, ttfb=0)
        async with serving(ears) as listening, serving(voice) as speaking:
            assert await hear(stt_from_string(f"deepgram/nova-3:en@{listening}")) == TEXT
            assert await say(tts_from_string(f"cartesia/sonic-3:a-voice@{speaking}")) == list(TEXTS)
            assert ears.clients[-1].request.one("language") == "en"
            assert b'"id":"a-voice"' in str(voice.clients[-1].received[0]).encode()
        nothing_left()

    asyncio.run(main())


def test_one_voice_used_on_two_loops_is_closed_on_both() -> None:
    """A session's models run on the core loop; whoever made them closes them from their own."""

    async def main() -> None:
        async with serving(CartesiaSimulator(speed=0, ttfb=0)) as url:
            tts = cartesia.TTS(api_key="k", base_url=url)
            other = asyncio.new_event_loop()
            thread = threading.Thread(target=other.run_forever)
            thread.start()
            await tts.prewarm()
            await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(tts.prewarm(), other))
            await tts.aclose()
            other.call_soon_threadsafe(other.stop)
            thread.join()
            assert asyncio.all_tasks(other) == set()
            other.close()
        nothing_left()

    asyncio.run(main())


# --- a hostile endpoint ---------------------------------------------------------------------------------------------------


def head(status: str, *lines: str) -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status}", *lines, "", ""]).encode()


async def _silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def _plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(head("200 OK", "Content-Length: 5") + b"hello")
    await writer.drain()


async def _garbage(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"\x00\xff" * 500 + b"\r\n\r\n")
    await writer.drain()


async def _endless_headers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 101 Switching Protocols\r\n")
    for n in range(1_000_000):
        writer.write(b"X-%d: %s\r\n" % (n, b"x" * 1000))
        await writer.drain()


async def _endless_body(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(head("503 Busy", "Content-Type: application/json"))
    while True:
        writer.write(b"{" * 65_536)
        await writer.drain()


async def _zip_bomb(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    body = gzip.compress(bytes(50_000_000))
    writer.write(head("400 No", "Content-Encoding: gzip", f"Content-Length: {len(body)}") + body)
    await writer.drain()


async def _wrong_accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(
        head("101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Accept: guessed")
    )
    await writer.drain()
    await reader.read()


@pytest.mark.parametrize(
    "answer", [_silent, _plain, _garbage, _endless_headers, _endless_body, _zip_bomb, _wrong_accept]
)
def test_whatever_answers_costs_an_error_and_no_more(answer: Answer) -> None:
    async def main() -> None:
        async with endpoint(answer) as url:
            for model, use in (
                (deepgram.STT(api_key=KEY, base_url=url, deadlines=SHORT, retry=ONCE), hear),
                (cartesia.TTS(api_key=KEY, base_url=url, deadlines=SHORT, retry=ONCE), say),
            ):
                with pytest.raises(ModelError) as caught:
                    await use(model)
                assert KEY not in f"{caught.value} {caught.value!r}" and len(str(caught.value)) < 2_000

    asyncio.run(main())


def test_a_redirect_is_not_followed() -> None:
    met: list[int] = []

    async def inside(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        met.append(1)

    async def main() -> None:
        async with endpoint(inside) as target:

            async def elsewhere(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                writer.write(head("302 Found", f"Location: {target}/v1/listen", "Content-Length: 0"))
                await writer.drain()

            async with endpoint(elsewhere) as url:
                with pytest.raises(ModelError, match="302") as caught:
                    await hear(deepgram.STT(api_key=KEY, base_url=url))
                assert "not followed" in caught.value.hint and not caught.value.retryable

    asyncio.run(main())
    assert met == []


def test_a_key_that_a_service_repeats_is_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    """Not in an error, not in a log of any level, not in what objects say of themselves."""
    caplog.set_level(logging.DEBUG)
    said_aloud: list[str] = []

    async def main() -> None:
        faults = FaultScript.of(Fault("close", clients=None, reason=f"bad key {KEY}", code=1011))
        async with serving(DeepgramSimulator([ORDER], faults=faults)) as url:
            stt = deepgram.STT(api_key=KEY, base_url=url)
            with pytest.raises(ModelError) as caught:
                await hear(stt)
            said_aloud.extend([str(caught.value), repr(caught.value), repr(stt), repr(stt.codec("").connect(KEY))])

    asyncio.run(main())
    assert any("bad key ***" in line for line in said_aloud)
    assert KEY not in " ".join(said_aloud) and KEY not in caplog.text


# --- before a call begins -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [deepgram.STT, cartesia.TTS])
def test_the_way_to_a_service_is_encrypted_unless_asked_otherwise(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for url in ("http://example.com", "ws://192.168.1.5:8000"):
        with pytest.raises(ConfigurationError, match="not encrypted"):
            make(api_key="k", base_url=url)
        assert make(api_key="k", base_url=url, allow_insecure=True).service.base_url == url
    for url in ("http://127.0.0.1:1", "ws://localhost:1", "http://[::1]:1", "https://example.com", "wss://example.com"):
        assert make(api_key="k", base_url=url).service.base_url == url
    resolve, string = (
        (stt_from_string, "deepgram/nova-3") if make is deepgram.STT else (tts_from_string, "cartesia/sonic-3")
    )
    with pytest.raises(ConfigurationError, match="ANTIPHON_ALLOW_INSECURE"):
        resolve(f"{string}@http://example.com", api_key="k")
    monkeypatch.setenv("ANTIPHON_ALLOW_INSECURE", "1")
    assert resolve(f"{string}@http://example.com", api_key="k").service.base_url == "http://example.com"
    for url in ("ftp://example.com", "http://", "nothing", "https://user:pass@example.com"):
        with pytest.raises(ConfigurationError) as caught:
            make(api_key="k", base_url=url)
        assert caught.value.hint


@pytest.mark.parametrize(
    ("resolve", "string", "variable"),
    [
        (stt_from_string, "deepgram/nova-3:multi", "DEEPGRAM_API_KEY"),
        (tts_from_string, "cartesia/sonic-3", "CARTESIA_API_KEY"),
    ],
)
def test_a_missing_key_names_its_variable_and_where_to_get_one(
    resolve: Any, string: str, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(variable, raising=False)
    with pytest.raises(ConfigurationError, match=variable) as caught:
        resolve(string)
    assert "https://" in caught.value.hint
    monkeypatch.setenv(variable, KEY)
    assert resolve(string).provider == string.partition("/")[0]
    with pytest.raises(ConfigurationError, match="a key of its own"):  # the vendor's key goes to the vendor alone
        resolve(f"{string}@https://proxy.example.com")
    assert KEY not in str(resolve(f"{string}@http://127.0.0.1:1")._key)
