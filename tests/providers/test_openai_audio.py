"""OpenAI's transcription and voices: requests, answers, the kit over a simulator on a port, and the vendor's own library."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from antiphon.errors import ConfigurationError, ModelError
from antiphon.models.multipart import wav_bytes
from antiphon.models.stt import STT
from antiphon.models.tts import TTS
from antiphon.providers import openai_audio
from antiphon.providers.openai_transcription import TranscriptionOptions, TranscriptionRequestCodec, read_fault
from antiphon.testing import run
from antiphon.testing.conformance import Report, SpeechSample, check_stt, check_tts
from antiphon.testing.conformance.stt_checks import recognised
from antiphon.testing.conformance.tts_checks import FIRST, SECOND
from antiphon.testing.simulators import Fault, FaultScript, Request, serving
from antiphon.testing.simulators.openai_audio import OpenAIAudioSimulator
from antiphon.testing.simulators.recording import Recording
from antiphon.testing.simulators.speaking import speak, spoken
from antiphon.wire.resolve import stt_from_string, tts_from_string
from tests.providers.test_vendor_sdks import PYTHON, talk

SPECS = Path(os.environ.get("ANTIPHON_SPECS", "no-specs"))
TEXT = "I would like to book a table for two on Monday"
RECORDING = Recording.of(TEXT, lead=0.0, pause=0.0)
SAMPLE = SpeechSample.pcm(TEXT, RECORDING.pcm, 16_000)
REFUSALS = {
    "http_401": (Fault("refuse", None, status=401),),
    "http_402": (Fault("refuse", None, status=402),),
    "http_403": (Fault("refuse", None, status=403),),
    "http_404": (Fault("refuse", None, status=404),),
    "http_429": (Fault("refuse", None, status=429),),
    "http_429_once": (Fault("refuse", status=429),),
    "http_500": (Fault("refuse", None, status=500),),
    "http_503_once": (Fault("refuse", status=503),),
    "slow_start": (Fault("slow", None, seconds=0.5),),
}
VOICE_FAULTS: dict[str, Callable[[], OpenAIAudioSimulator]] = {
    "bursts": lambda: OpenAIAudioSimulator(speed=0),
    "odd_bytes": OpenAIAudioSimulator,
    "breaks": lambda: OpenAIAudioSimulator(cut=20_000),
    "breaks_always": lambda: OpenAIAudioSimulator(cut=20_000),
}
Make = Callable[[str], Any]


def rig(make: Make, faults: dict[str, Callable[[], OpenAIAudioSimulator]]) -> Any:
    """What goes wrong over HTTP, on a port of this machine."""

    @asynccontextmanager
    async def enter(service: OpenAIAudioSimulator) -> AsyncIterator[Any]:
        async with serving(service) as url:
            model = make(f"{url}/v1")
            yield model
            await model.aclose()

    @asynccontextmanager
    async def nobody() -> AsyncIterator[Any]:
        model = make("http://127.0.0.1:9/v1")
        yield model
        await model.aclose()

    def cause(fault: str) -> AbstractAsyncContextManager[Any] | None:
        if fault == "nobody_listens":
            return nobody()
        if fault in faults:
            return enter(faults[fault]())
        if fault in REFUSALS:
            return enter(OpenAIAudioSimulator([RECORDING], faults=FaultScript.of(*REFUSALS[fault])))
        return None

    return cause


def kit(check: Callable[[Callable[[], Any]], Any], make: Make) -> Report:
    """Run the kit; every model of it talks to one simulator."""

    async def main() -> Report:
        async with serving(OpenAIAudioSimulator([RECORDING])) as url:
            report: Report = await check(lambda: make(f"{url}/v1"))
            return report

    return run(main())


def recogniser(url: str) -> STT:
    return openai_audio.STT(api_key="secret", base_url=url)


def voice(url: str) -> TTS:
    return openai_audio.TTS(api_key="secret", base_url=url)


def test_the_recogniser_passes_the_kit() -> None:
    report = kit(lambda make: check_stt(make, SAMPLE, rig=rig(recogniser, {})), recogniser)
    assert report.ok and report.count("passed") > 15, report


def test_the_voice_passes_the_kit() -> None:
    def decode(frames: list[Any]) -> str:
        return spoken(b"".join(frame.data for frame in frames), FIRST + SECOND)

    report = kit(lambda make: check_tts(make, rig=rig(voice, VOICE_FAULTS), decode=decode), voice)
    assert report.ok and report.count("passed") > 18, report


def test_what_is_asked_for_is_what_was_meant() -> None:
    service = OpenAIAudioSimulator([RECORDING])

    async def main() -> None:
        async with serving(service) as url:
            stt = openai_audio.STT(
                language="de-DE", prompt="At a restaurant.", keyterms=["table", "Monday"], api_key="k", base_url=url
            )
            assert await recognised(stt, SAMPLE) == TEXT
            await stt.aclose()
            timed = openai_audio.STT("whisper-1", word_times=True, api_key="k", base_url=url)
            stream = timed.stream(language="en")
            for frame in SAMPLE.marked(0.0):
                stream.push(frame)
            stream.end_input()
            events = [event async for event in stream]
            words = [word for event in events for word in event.words]
            assert [word.text for word in words] == TEXT.split() and words[-1].end > 2
            await timed.aclose()
            tts = openai_audio.TTS(voice="cedar", instructions="Cheerfully.", speed=1.2, api_key="k", base_url=url)
            speech = tts.stream()
            speech.push_text("Hello.")
            speech.end_input()
            assert sum([frame.samples async for frame in speech]) > 1_000
            await tts.aclose()

    run(main())
    first, second, third = (fields for _, fields in service.requests)
    assert dict(first) == {
        "model": "gpt-transcribe",
        "response_format": "json",
        "language": "de",
        "prompt": "At a restaurant.",
        "keywords[]": "Monday",
    }
    assert [value for name, value in first if name == "keywords[]"] == ["table", "Monday"]
    assert dict(second)["timestamp_granularities[]"] == "word" and dict(second)["language"] == "en"
    assert dict(third) == {
        "model": "gpt-4o-mini-tts",
        "voice": "cedar",
        "input": "Hello.",
        "response_format": "pcm",
        "instructions": "Cheerfully.",
        "speed": 1.2,
    }


@pytest.mark.parametrize("make", [openai_audio.STT, openai_audio.TTS])
def test_a_wrong_key_is_found_when_connecting_ahead(make: type[openai_audio.STT] | type[openai_audio.TTS]) -> None:
    async def test() -> None:
        async with serving(OpenAIAudioSimulator(key="the-right-key-of-all")) as url:
            wrong, right = (
                make(base_url=f"{url}/v1", api_key=f"the-{which}-key-of-all") for which in ("wrong", "right")
            )
            with pytest.raises(ModelError, match="401") as caught:
                await wrong.prewarm()
            assert "OPENAI_API_KEY" in caught.value.hint and "the-wrong-key" not in str(caught.value)
            await right.prewarm()
            await wrong.aclose()
            await right.aclose()
        unreachable = make(base_url=f"{url}/v1", api_key="the-right-key-of-all")
        with pytest.raises(ModelError, match="Nothing answers"):
            await unreachable.prewarm()
        await unreachable.aclose()

    asyncio.run(test())


def test_by_string(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(ConfigurationError, match="OPENAI_API_KEY"):
        stt_from_string("openai/gpt-transcribe")
    monkeypatch.setenv("OPENAI_API_KEY", "secret-key")
    stt, tts = stt_from_string("openai/gpt-transcribe:de"), tts_from_string("openai/gpt-4o-mini-tts:cedar")
    assert (stt.provider, stt.model, tts.provider, tts.model) == (
        "openai", "gpt-transcribe", "openai", "gpt-4o-mini-tts",
    )  # fmt: skip
    assert "secret-key" not in repr(stt) + repr(tts)


def test_answers_that_are_none() -> None:
    codec = TranscriptionRequestCodec(TranscriptionOptions())
    for body in (b"", b"{}", b"[]", b'{"text": 3}', b"\xff"):
        with pytest.raises(ModelError, match="no text"):
            codec.read(body)
    assert codec.read(b'{"text": " hi ", "languages": [{"code": "en"}], "words": [3, null]}').language == "en"
    assert read_fault(b'{"error": {"message": "m", "code": "insufficient_quota"}}').final
    assert read_fault(b'{"error": "m"}') == read_fault(b"\xff") == read_fault(b"{}")


@pytest.mark.skipif(not (SPECS / "openai").exists(), reason="ANTIPHON_SPECS is not set")
def test_answers_fit_the_vendors_schema() -> None:
    definitions = json.loads((SPECS / "openai" / "sdk-chat-audio.schema.json").read_text())["$defs"]
    service = OpenAIAudioSimulator([RECORDING])
    for model, name in (("gpt-transcribe", "Transcription"), ("whisper-1", "TranscriptionVerbose")):
        codec = TranscriptionRequestCodec(TranscriptionOptions(model=model, word_times=name == "TranscriptionVerbose"))
        made = codec.request(RECORDING.pcm, "en")
        headers = {"authorization": "Bearer k", "content-type": made.headers["Content-Type"]}
        asked = {"method": "POST", "path": "/v1/audio/transcriptions", "headers": headers, "body": made.body}
        status, _, body = asyncio.run(service.answer(Request(**asked)))
        assert status == 200, body
        validator = jsonschema.Draft202012Validator({"$ref": f"#/$defs/{name}", "$defs": definitions})
        validator.validate(json.loads(body))


@pytest.mark.skipif(not PYTHON.exists() and not os.environ.get("CI"), reason="scripts/install-vendor-sdks was not run")
def test_openais_library_is_heard_and_hears(tmp_path: Path) -> None:
    wav = tmp_path / "speech.wav"
    wav.write_bytes(wav_bytes(RECORDING.pcm, 16_000))
    messages = dict(talk(OpenAIAudioSimulator([RECORDING], key="secret"), "openai_audio.py", str(wav)))
    assert messages["transcription"]["text"] == TEXT
    assert messages["speech"]["bytes"] == len(speak("Hello there.", 24_000).pcm)
