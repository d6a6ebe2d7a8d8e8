"""The vendors' own client libraries complete a conversation with our simulators: a simulator that they do not understand would
prove nothing about our codecs."""

from __future__ import annotations

import asyncio
import base64
import json
import os
from pathlib import Path

import pytest

from antiphon.testing.simulators import Simulator, serving
from antiphon.testing.simulators.assemblyai import AssemblyAISimulator
from antiphon.testing.simulators.cartesia import CartesiaSimulator
from antiphon.testing.simulators.deepgram import DeepgramSimulator
from antiphon.testing.simulators.elevenlabs import ElevenLabsSimulator
from antiphon.testing.simulators.recording import Recording
from antiphon.testing.simulators.speaking import speak, spoken

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".cache" / "vendor-sdks" / "bin" / "python"
SCRIPTS = ROOT / "tests" / "vendor_sdks"
UNIVERSAL = "universal-streaming-english"
ORDER = Recording.of("one large coffee please", "and a croissant")

pytestmark = pytest.mark.skipif(
    not PYTHON.exists() and not os.environ.get("CI"), reason="scripts/install-vendor-sdks was not run"
)


def talk(simulator: Simulator, script: str, *arguments: str) -> list[tuple[str, dict[str, object]]]:
    """Run a vendor's library against the simulator: the messages it delivered, by the name of their class there."""

    async def main() -> str:
        async with serving(simulator) as url:
            process = await asyncio.create_subprocess_exec(
                str(PYTHON),
                str(SCRIPTS / script),
                url,
                *arguments,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
            out, err = await process.communicate()
            assert process.returncode == 0, err.decode()
            return out.decode()

    lines = [line.partition(" ") for line in asyncio.run(main()).splitlines()]
    return [(name, json.loads(body)) for name, _, body in lines]


@pytest.fixture
def recorded(tmp_path: Path) -> str:
    path = tmp_path / "order.pcm"
    path.write_bytes(ORDER.pcm)
    return str(path)


def test_deepgrams_library_hears_nova(recorded: str) -> None:
    messages = talk(DeepgramSimulator([ORDER], key="secret"), "deepgram_listen.py", "v1", recorded)
    results = [body for name, body in messages if name == "ListenV1Results" and body["is_final"]]
    said = [body["channel"]["alternatives"][0]["transcript"] for body in results]  # type: ignore[index]
    assert " ".join(filter(None, said)) == "one large coffee please and a croissant"
    assert results[-1]["from_finalize"] is True
    assert messages[-1][0] == "ListenV1Metadata" and messages[-1][1]["duration"] == pytest.approx(
        ORDER.seconds, abs=0.02
    )


def test_deepgrams_library_hears_flux(recorded: str) -> None:
    messages = talk(DeepgramSimulator([ORDER], key="secret"), "deepgram_listen.py", "v2", recorded)
    assert messages[0][0] == "ListenV2Connected"
    events = [str(body["event"]) for name, body in messages if name == "ListenV2TurnInfo"]
    assert [event for event in events if event != "Update"] == ["StartOfTurn", "EagerEndOfTurn", "EndOfTurn"] * 2
    ends = [body["transcript"] for _, body in messages if body.get("event") == "EndOfTurn"]
    assert ends == ["one large coffee please", "and a croissant"]


def test_cartesias_library_hears_sonic() -> None:
    messages = talk(CartesiaSimulator(key="secret"), "cartesia_tts.py")
    names = [name for name, _ in messages]
    assert set(names) == {"Timestamps", "Chunk", "FlushDone", "Done"} and names[-1] == "Done"
    assert [body["flush_id"] for name, body in messages if name == "FlushDone"] == [0, 1]
    words = [body["word_timestamps"]["words"] for name, body in messages if name == "Timestamps"]  # type: ignore[index]
    assert words == [["Your", "order", "is", "ready."], ["Please", "come."]]


def test_deepgrams_library_hears_aura() -> None:
    messages = talk(DeepgramSimulator(key="secret"), "deepgram_speak.py")
    kinds = [body["type"] for name, body in messages if name != "bytes"]
    assert kinds == ["Metadata", "Flushed", "Flushed", "Cleared"]
    marks = [at for at, (name, _) in enumerate(messages) if name == "SpeakV1Flushed"]
    sound = sum(int(size) for name, size in messages[: marks[-1]] if name == "bytes")  # type: ignore[call-overload]
    whole = len(speak("Your order is ready.", 24_000).pcm) + len(speak("Please come.", 24_000).pcm)
    assert sound == whole


def test_elevenlabs_library_speaks_in_one_context() -> None:
    messages = talk(ElevenLabsSimulator(key="secret"), "elevenlabs_tts.py", "single")
    pcm = b"".join(base64.b64decode(str(body["audio"])) for _, body in messages)
    assert spoken(pcm, "Your order is ready.") == "Your order is ready."


def test_elevenlabs_library_reads_several_contexts() -> None:
    """Its own classes make what is sent and read what comes; it has no client for this endpoint."""
    messages = talk(ElevenLabsSimulator(key="secret"), "elevenlabs_tts.py", "multi")
    assert {name for name, _ in messages} == {"AudioOutputMulti", "FinalOutputMulti"}
    for context, said in (("one", "Your order is ready. "), ("two", "Please come. ")):
        own = [(name, body) for name, body in messages if body["contextId"] == context]
        assert [name for name, _ in own].index("FinalOutputMulti") == len(own) - 1
        chars = [body["alignment"]["chars"] for name, body in own if name == "AudioOutputMulti"]  # type: ignore[index]
        assert "".join("".join(piece) for piece in chars) == said


def test_assemblyais_library_hears_universal(recorded: str) -> None:
    messages = talk(AssemblyAISimulator([ORDER], key="secret"), "assemblyai_streaming.py", UNIVERSAL, recorded)
    names = [name for name, _ in messages]
    assert (names[0], names[-1]) == ("BeginEvent", "TerminationEvent")
    turns = [body for name, body in messages if name == "TurnEvent"]
    ends = [
        (body["turn_order"], body["turn_is_formatted"], body["transcript"]) for body in turns if body["end_of_turn"]
    ]
    order, more = "one large coffee please", "and a croissant"
    assert ends == [(0, False, order), (0, True, order), (1, False, more), (1, True, more)]
    assert turns[1]["transcript"] == "one" and len(turns[1]["words"]) == 2  # type: ignore[arg-type]


def test_assemblyais_library_hears_a_newer_model(recorded: str) -> None:
    messages = talk(AssemblyAISimulator([ORDER], key="secret"), "assemblyai_streaming.py", "u3-rt-pro", recorded)
    assert [name for name, _ in messages].count("SpeechStartedEvent") == 2
    ends = [body["transcript"] for name, body in messages if name == "TurnEvent" and body["end_of_turn"]]
    assert ends == ["one large coffee please", "and a croissant"]


def test_cartesias_library_hears_ink(recorded: str) -> None:
    messages = talk(CartesiaSimulator([ORDER], key="secret"), "cartesia_stt.py", recorded)
    assert messages[0][0] == "STTAutoFinalizeConnected"
    events = [str(body["type"]) for _, body in messages[1:]]
    steps = ["turn.start", "turn.eager_end", "turn.end"]
    assert [event for event in events if event != "turn.update"] == steps * 2
    ends = [body["transcript"] for _, body in messages if body["type"] == "turn.end"]
    assert ends == ["one large coffee please", "and a croissant"]


def test_elevenlabs_library_hears_scribe(recorded: str) -> None:
    messages = talk(ElevenLabsSimulator([ORDER], key="secret"), "elevenlabs_scribe.py", recorded)
    names = [name for name, _ in messages if name != "PartialTranscriptPayload"]
    copies = ["CommittedTranscriptPayload", "CommittedTranscriptWithTimestampsPayload"]
    assert names == ["SessionStartedPayload", *copies, *copies]
    said = [str(body["text"]) for name, body in messages if name == copies[0]]
    assert " ".join(said) == "one large coffee please and a croissant"
