"""Speech over plain HTTP: a voice that is asked text by text, a recogniser that is sent whole utterances."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from speech_calls import ORDER, SAID, TEXTS, frames_of, said

from antiphon.audio.frames import AudioFrame
from antiphon.errors import ModelError
from antiphon.models.codec import ServiceFault, WireRequest
from antiphon.models.multipart import Part, multipart, wav_bytes
from antiphon.models.speech_codec import Heard, ServiceError, Sound, TTSSignal
from antiphon.models.stream_adapters import StreamingSTT
from antiphon.testing.simulators import Peer, Refusal, Request, Simulator, serving
from antiphon.testing.simulators.speaking import speak
from antiphon.wire.faults import Service
from antiphon.wire.http import Deadlines
from antiphon.wire.http_stt import HttpSTT
from antiphon.wire.http_tts import HttpTTS
from antiphon.wire.retry import RetryPolicy

KEY = "sk-very-secret-0123456789"
SHORT = Deadlines(connect=0.5, first=0.3, between=0.3)
QUICK = RetryPolicy(delays=(0.0, 0.0), budget=5.0)


class RawVoice:
    """PCM as the body."""

    rate = 24_000

    def request(self, text: str) -> WireRequest:
        return WireRequest("/speak", json.dumps({"text": text}).encode(), {"Content-Type": "application/json"})

    def authorise(self, key: str) -> dict[str, str]:
        return {"X-Key": key}

    def decoder(self) -> RawVoice:
        return self

    def feed(self, data: bytes) -> list[TTSSignal]:
        return [ServiceError("no such voice")] if data.startswith(b"{") else [Sound("", data)]

    def end(self) -> list[TTSSignal]:
        return []

    def probe(self) -> WireRequest:
        return WireRequest("/voices", b"", method="GET")

    def fault(self, body: bytes) -> ServiceFault:
        return ServiceFault(message=body.decode("utf-8", "replace")[:200])


class UploadedEar:
    """A WAV file in a form."""

    rate = 8_000

    def request(self, pcm: bytes, language: str) -> WireRequest:
        parts = (Part("language", language.encode()), Part("file", wav_bytes(pcm, self.rate), "a.wav", "audio/wav"))
        body, kind = multipart(parts)
        return WireRequest("/transcribe", body, {"Content-Type": kind})

    def authorise(self, key: str) -> dict[str, str]:
        return {"X-Key": key}

    def read(self, body: bytes) -> Heard:
        return Heard(segment="", text=json.loads(body)["text"], final=True)

    def probe(self) -> WireRequest:
        return WireRequest("/voices", b"", method="GET")

    def fault(self, body: bytes) -> ServiceFault:
        return ServiceFault(message=body.decode("utf-8", "replace")[:200])


Body = bytes | AsyncIterator[bytes]


class Desk(Simulator):
    """Answers as its list says, the last entry for all that follow: a status, or what makes a body of the request."""

    name = "desk"

    def __init__(self, *answers: int | Callable[[Request], Body]) -> None:
        super().__init__()
        self.answers = answers
        self.requests: list[Request] = []

    def refuse(self, request: Request) -> Refusal | None:
        return Refusal(404)

    async def serve(self, peer: Peer) -> None:
        raise AssertionError("nobody opens a socket")

    async def answer(self, request: Request) -> tuple[int, dict[str, str], Any]:
        self.requests.append(request)
        answer = self.answers[min(len(self.requests), len(self.answers)) - 1]
        if isinstance(answer, int):
            return answer, {}, f"refused, {request.headers.get('x-key')}".encode()
        return 200, {"Content-Type": "audio/pcm"}, answer(request)


def voice(request: Request) -> bytes:
    return speak(json.loads(request.body)["text"], RawVoice.rate).pcm


async def odd_pieces(request: Request) -> AsyncIterator[bytes]:
    data = voice(request)
    for at in range(0, len(data), 3_001):
        yield data[at : at + 3_001]


async def stalling(request: Request) -> AsyncIterator[bytes]:
    yield voice(request)[:1_000]
    await asyncio.get_running_loop().create_future()


def talk(desk: Desk, *texts: str) -> list[AudioFrame]:
    async def main() -> list[AudioFrame]:
        async with serving(desk) as url:
            tts = HttpTTS(RawVoice(), Service("desk", url), key=KEY, deadlines=SHORT, retry=QUICK)
            stream = tts.stream()
            for text in texts:
                stream.push_text(text)
            stream.end_input()
            try:
                return [frame async for frame in stream]
            finally:
                await tts.aclose()

    return asyncio.run(main())


@pytest.mark.parametrize("answer", [voice, odd_pieces])
def test_each_text_is_asked_for_and_labelled(answer: Callable[[Request], Body]) -> None:
    desk = Desk(answer)
    assert said(talk(desk, *TEXTS)) == list(TEXTS)
    assert len(desk.requests) == len(TEXTS) and desk.requests[0].headers["x-key"] == KEY


def test_half_a_surrogate_pair_does_not_silence_the_text() -> None:
    desk = Desk(voice)
    talk(desk, "Hi \ud83d there.")
    assert json.loads(desk.requests[0].body)["text"] == "Hi \ufffd there."


def test_a_voice_that_is_busy_is_asked_again() -> None:
    assert said(talk(Desk(503, voice), *TEXTS)) == list(TEXTS)


@pytest.mark.parametrize(
    ("answer", "says", "retryable"),
    [
        (401, "401", False),
        (503, "503", True),
        (lambda request: b'{"error": 1}', "no such voice", True),
        (stalling, "no further", True),
    ],
)
def test_what_a_voice_cannot_do_is_an_error_without_the_key(answer: Any, says: str, retryable: bool) -> None:
    with pytest.raises(ModelError, match=says) as caught:
        talk(Desk(answer), TEXTS[0])
    assert caught.value.retryable is retryable and KEY not in str(caught.value)


def test_a_cut_reply_frees_its_request_at_once() -> None:
    async def main() -> None:
        async with serving(Desk(stalling)) as url:
            tts = HttpTTS(RawVoice(), Service("desk", url))
            stream = tts.stream()
            stream.push_text(TEXTS[0])
            async for _ in stream:
                break
            await stream.aclose()
            await tts.aclose()
        assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("tts")]

    asyncio.run(main())


def test_a_redirect_of_a_request_is_not_followed() -> None:
    desk = Desk(302)
    with pytest.raises(ModelError, match="302"):
        talk(desk, TEXTS[0])
    assert len(desk.requests) == 1


def test_utterances_are_uploaded_one_by_one() -> None:
    """The plane's marks cut them; each is sent as the service wants it: another rate, a WAV file in a form."""
    texts = iter(SAID)
    desk = Desk(503, *[lambda request: json.dumps({"text": next(texts)}).encode()] * 2)

    async def main() -> list[str]:
        async with serving(desk) as url:
            ear = HttpSTT(UploadedEar(), Service("desk", url), key=KEY, retry=QUICK)
            stream = StreamingSTT(ear).stream(language="en")
            for frame in frames_of(ORDER):
                stream.push(frame)
            stream.end_input()
            try:
                return [event.text async for event in stream]
            finally:
                await stream.aclose()
                await ear.aclose()

    assert asyncio.run(main()) == list(SAID)
    assert len(desk.requests) == 3 and b'name="language"\r\n\r\nen' in desk.requests[0].body
    wav = desk.requests[0].body.partition(b"RIFF")[2]
    assert wav[4:8] == b"WAVE" and int.from_bytes(wav[20:24], "little") == UploadedEar.rate
    seconds = int.from_bytes(wav[36:40], "little") / 2 / UploadedEar.rate
    assert seconds == pytest.approx(1.2 + 0.3, abs=0.1), "the utterance and what was heard before it"
