"""What our codecs send, and what our simulators answer, is what the vendors' own schemas allow."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from antiphon.audio.frames import EAR_RATE, FLUSH, AudioFrame
from antiphon.models.stt import STT
from antiphon.models.tts import TTS
from antiphon.providers import assemblyai, cartesia, deepgram, elevenlabs
from antiphon.testing.loop import virtual_loop
from antiphon.testing.simulators import MemoryConnector, Simulator
from antiphon.testing.simulators.assemblyai import AssemblyAISimulator
from antiphon.testing.simulators.cartesia import CartesiaSimulator
from antiphon.testing.simulators.deepgram import DeepgramSimulator
from antiphon.testing.simulators.elevenlabs import ElevenLabsSimulator
from antiphon.testing.simulators.recording import Recording

SPECS = Path(os.environ.get("ANTIPHON_SPECS", "no-specs"))
ORDER = Recording.of("one large coffee please", "and a croissant")

pytestmark = pytest.mark.skipif(not (SPECS / "deepgram").exists(), reason="ANTIPHON_SPECS is not set")


def conversation(simulator: Simulator, model: STT | TTS) -> tuple[list[Any], list[Any]]:
    """A short use of a model: the messages that it sent, and those that it got."""

    async def hear(stt: STT) -> None:
        stream = stt.stream(language="en")
        for at in range(0, len(ORDER.pcm), 1024):
            data = ORDER.pcm[at : at + 1024]
            stream.push(AudioFrame.pcm(data, EAR_RATE, at=at / 2 / EAR_RATE, speech=any(data)))
            if at == 65536:
                stream.push(FLUSH)
        stream.end_input()
        async for _ in stream:
            pass

    async def speak(tts: TTS) -> None:
        stream = tts.stream()
        stream.push_text("Your order is ready.")
        stream.end_input()
        async for _ in stream:
            pass
        cut = tts.stream()
        cut.push_text("A text that is cut short.")
        async for _ in cut:
            break
        await cut.aclose()
        await asyncio.sleep(1.0)
        await tts.aclose()

    with virtual_loop(0) as loop:
        loop.run_until_complete(hear(model) if isinstance(model, STT) else speak(model))
    peer = simulator.clients[0]
    received = [json.loads(frame) for frame in peer.received if isinstance(frame, str)]
    return received, [json.loads(frame) for frame in peer.sent if isinstance(frame, str)]


def check(file: str, messages: list[Any], *names: str) -> set[str]:
    """Each message is valid as one of the definitions. Which of them occurred."""
    definitions = json.loads((SPECS / file).read_text())["$defs"]
    validators = {
        name: jsonschema.Draft202012Validator({"$ref": f"#/$defs/{name}", "$defs": definitions}) for name in names
    }
    found = set()
    for message in messages:
        fits = [name for name, validator in validators.items() if validator.is_valid(message)]
        assert fits, message
        known = set().union(*(definitions[name].get("properties", {}) for name in fits))
        assert set(message) <= known, f"fields that the vendor does not know: {set(message) - known}"
        found.update(fits)
    return found


def test_deepgram_nova() -> None:
    simulator = DeepgramSimulator([ORDER])
    model = deepgram.STT(api_key="k", connector=MemoryConnector(simulator), diarize=True)
    sent, answered = conversation(simulator, model)
    file = "deepgram/sdk-listen.schema.json"
    assert check(file, sent, "ListenV1Finalize", "ListenV1KeepAlive", "ListenV1CloseStream")
    assert check(file, answered, "ListenV1Results", "ListenV1Metadata") == {"ListenV1Results", "ListenV1Metadata"}


def test_deepgram_flux() -> None:
    simulator = DeepgramSimulator([ORDER])
    model = deepgram.STT("flux-general-en", api_key="k", connector=MemoryConnector(simulator), eager_eot_threshold=0.4)
    sent, answered = conversation(simulator, model)
    file = "deepgram/sdk-listen.schema.json"
    assert check(file, sent, "ListenV2CloseStream", "ListenV2ForceEndTurn")
    assert check(file, answered, "ListenV2Connected", "ListenV2TurnInfo") == {"ListenV2Connected", "ListenV2TurnInfo"}


def test_cartesia_sonic() -> None:
    simulator = CartesiaSimulator()
    model = cartesia.TTS(api_key="k", connector=MemoryConnector(simulator), speed=1.1, emotion="content")
    sent, answered = conversation(simulator, model)
    file = "cartesia/sdk-websockets.schema.json"
    assert check(file, sent, "GenerationRequest", "CancelContextRequest") == {
        "GenerationRequest",
        "CancelContextRequest",
    }
    assert check(file, answered, "Chunk", "Timestamps", "FlushDone", "Done") == {
        "Chunk",
        "Timestamps",
        "FlushDone",
        "Done",
    }


def test_deepgram_aura() -> None:
    simulator = DeepgramSimulator()
    sent, answered = conversation(simulator, deepgram.TTS(api_key="k", connector=MemoryConnector(simulator)))
    file = "deepgram/sdk-speak.schema.json"
    assert check(file, sent, "SpeakV1Text", "SpeakV1Flush", "SpeakV1Clear") >= {"SpeakV1Text", "SpeakV1Flush"}
    assert check(file, answered, "SpeakV1Metadata", "SpeakV1Flushed", "SpeakV1Cleared") >= {
        "SpeakV1Metadata",
        "SpeakV1Flushed",
    }
    assert {message["type"] for message in sent} == {"Speak", "Flush", "Clear"}
    assert {message["type"] for message in answered} == {"Metadata", "Flushed", "Cleared"}


def test_elevenlabs_multi_context() -> None:
    simulator = ElevenLabsSimulator()
    model = elevenlabs.TTS(
        api_key="k",
        connector=MemoryConnector(simulator),
        stability=0.4,
        speed=1.1,
        pronunciation_dictionaries=[("dictionary", "1")],
    )
    sent, answered = conversation(simulator, model)
    file = "elevenlabs/sdk-websockets.schema.json"
    names = ("InitializeConnectionMulti", "SendTextMulti", "CloseContext")
    assert check(file, sent, *names) == set(names)
    assert check(file, answered, "AudioOutputMulti", "FinalOutputMulti") == {"AudioOutputMulti", "FinalOutputMulti"}


@pytest.mark.parametrize("name", ["universal-streaming-english", "u3-rt-pro"])
def test_assemblyai_streaming(name: str) -> None:
    simulator = AssemblyAISimulator([ORDER])
    model = assemblyai.STT(name, api_key="k", connector=MemoryConnector(simulator), diarize=True, keyterms=["latte"])
    sent, answered = conversation(simulator, model)
    file = "assemblyai/sdk-streaming-v3.schema.json"
    assert check(file, sent, "ForceEndpoint", "KeepAlive", "TerminateSession")
    answers = {"BeginEvent", "TurnEvent", "TerminationEvent"} | (
        {"SpeechStartedEvent"} if name == "u3-rt-pro" else set()
    )
    assert check(file, answered, *answers) == answers
    definitions = json.loads((SPECS / file).read_text())["$defs"]
    asked = {name for name, _ in simulator.clients[0].request.query}
    assert asked <= set(definitions["RealTimeParameters"]["properties"])


def test_cartesia_ink() -> None:
    simulator = CartesiaSimulator([ORDER])
    model = cartesia.STT(api_key="k", connector=MemoryConnector(simulator), keyterms=["latte"])
    sent, answered = conversation(simulator, model)
    file = "cartesia/sdk-websockets.schema.json"
    assert check(file, sent, "STTAutoFinalizeCloseCommand")
    names = {f"STTAutoFinalize{name}" for name in ("Connected", "TurnStart", "TurnUpdate", "TurnEagerEnd", "TurnEnd")}
    assert check(file, answered, *names) == names


def test_elevenlabs_scribe_is_sent_what_it_takes() -> None:
    """The vendor's schema has no messages of the other direction: its library's classes read those."""
    simulator = ElevenLabsSimulator([ORDER])
    model = elevenlabs.STT(api_key="k", connector=MemoryConnector(simulator), keyterms=["latte"])
    sent, answered = conversation(simulator, model)
    assert check("elevenlabs/sdk-websockets.schema.json", sent, "InputAudioChunkPayload") and answered
