"""The kit on each speech codec, over its simulator: the contract, what is declared, the table of faults, seeded faults."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from antiphon.errors import ModelError
from antiphon.models.stt import STT
from antiphon.models.tts import TTS
from antiphon.providers import assemblyai, cartesia, deepgram, elevenlabs
from antiphon.testing import run
from antiphon.testing.conformance import Fault, Report, SpeechSample, check_stt, check_tts
from antiphon.testing.conformance.running import left_behind, run_fault
from antiphon.testing.conformance.simulated import speech_rig
from antiphon.testing.conformance.stt_checks import recognised
from antiphon.testing.conformance.tts_checks import FIRST, SECOND, speak
from antiphon.testing.simulators import Fault as SocketFault
from antiphon.testing.simulators import FaultScript, MemoryConnector, Simulator
from antiphon.testing.simulators.assemblyai import AssemblyAISimulator
from antiphon.testing.simulators.cartesia import CartesiaSimulator
from antiphon.testing.simulators.deepgram import DeepgramSimulator
from antiphon.testing.simulators.elevenlabs import ElevenLabsSimulator
from antiphon.testing.simulators.recording import Recording
from antiphon.testing.simulators.speaking import spoken

TEXT = "I would like to book a table for two on Monday"
RECORDING = Recording.of(TEXT, lead=0.0, pause=0.0)
SAMPLE = SpeechSample.pcm(TEXT, RECORDING.pcm, 16_000)
SEEDED = Fault("seeded", "close", ("stt", "tts"))


def deepgram_service(faults: FaultScript | None = None) -> Simulator:
    return DeepgramSimulator([RECORDING], faults=faults)


def nova(connector: MemoryConnector) -> STT:
    return deepgram.STT("nova-3", api_key="secret", connector=connector)


def flux(connector: MemoryConnector) -> STT:
    return deepgram.STT("flux-general-en", api_key="secret", connector=connector)


def assemblyai_service(faults: FaultScript | None = None) -> Simulator:
    return AssemblyAISimulator([RECORDING], faults=faults)


def universal(connector: MemoryConnector) -> STT:
    return assemblyai.STT(api_key="secret", connector=connector)


def universal_pro(connector: MemoryConnector) -> STT:
    return assemblyai.STT("u3-rt-pro", diarize=True, api_key="secret", connector=connector)


def cartesia_service(faults: FaultScript | None = None) -> Simulator:
    return CartesiaSimulator(faults=faults)


def ink_service(faults: FaultScript | None = None) -> Simulator:
    return CartesiaSimulator([RECORDING], faults=faults)


def ink(connector: MemoryConnector) -> STT:
    return cartesia.STT(keyterms=["table"], api_key="secret", connector=connector)


def sonic(connector: MemoryConnector) -> TTS:
    return cartesia.TTS(api_key="secret", connector=connector)


def aura(connector: MemoryConnector) -> TTS:
    return deepgram.TTS(api_key="secret", connector=connector)


def elevenlabs_service(faults: FaultScript | None = None) -> Simulator:
    return ElevenLabsSimulator(faults=faults)


def scribe_service(faults: FaultScript | None = None) -> Simulator:
    return ElevenLabsSimulator([RECORDING], faults=faults)


def scribe(connector: MemoryConnector) -> STT:
    return elevenlabs.STT(keyterms=["table"], api_key="secret", connector=connector)


def eleven(connector: MemoryConnector) -> TTS:
    return elevenlabs.TTS(api_key="secret", connector=connector)


def diarized(connector: MemoryConnector) -> STT:
    return deepgram.STT("nova-3", diarize=True, keyterms=["table", "Monday"], api_key="secret", connector=connector)


RECOGNISERS = {
    "deepgram/nova-3": (nova, deepgram_service),
    "deepgram/flux-general-en": (flux, deepgram_service),
    "assemblyai/universal-streaming-english": (universal, assemblyai_service),
    "assemblyai/u3-rt-pro": (universal_pro, assemblyai_service),
    "cartesia/ink-2": (ink, ink_service),
    "elevenlabs/scribe_v2_realtime": (scribe, scribe_service),
}
"""By model; each with its service."""
VOICES = {
    "cartesia/sonic-3": (sonic, cartesia_service),
    "deepgram/aura-2-thalia-en": (aura, deepgram_service),
    "elevenlabs/eleven_flash_v2_5": (eleven, elevenlabs_service),
}
EXPIRES = FaultScript.of(SocketFault("close", after=4, code=3008, reason="Session expired"))
OWN: dict[str, dict[str, Callable[[], Simulator]]] = {
    "assemblyai/universal-streaming-english": {
        "revised_final": lambda: AssemblyAISimulator([RECORDING], mishears="Sunday"),
        "session_limit": lambda: AssemblyAISimulator([RECORDING], faults=EXPIRES),
    },
    "assemblyai/u3-rt-pro": {"session_limit": lambda: AssemblyAISimulator([RECORDING], faults=EXPIRES)},
    "cartesia/sonic-3": {
        "bursts": lambda: CartesiaSimulator(speed=0),
        "contexts_full": lambda: CartesiaSimulator(contexts=1),
        "late_audio": lambda: CartesiaSimulator(speed=2),
    },
    "deepgram/aura-2-thalia-en": {
        "bursts": lambda: DeepgramSimulator(speed=0),
        "late_audio": lambda: DeepgramSimulator(speed=2),
    },
    "elevenlabs/eleven_flash_v2_5": {
        "bursts": lambda: ElevenLabsSimulator(speed=0),
        "contexts_full": lambda: ElevenLabsSimulator(contexts=1),
        "late_audio": lambda: ElevenLabsSimulator(speed=2),
        "leading_silence": lambda: ElevenLabsSimulator(silence=1.0),
        "odd_bytes": lambda: ElevenLabsSimulator(odd=True),
    },
}


def shown(report: Report) -> int:
    assert report.ok, report
    return report.count("passed")


@pytest.mark.parametrize("name", RECOGNISERS)
def test_recognisers_pass_the_kit(name: str) -> None:
    make, service = RECOGNISERS[name]
    rig = speech_rig(make, service, own=OWN.get(name), recogniser=True)
    assert shown(run(check_stt(lambda: make(MemoryConnector(service())), SAMPLE, rig=rig))) > 30


def test_speakers_are_told_apart_and_words_are_listened_for_where_asked() -> None:
    service = deepgram_service()
    report = run(check_stt(lambda: diarized(MemoryConnector(service)), SAMPLE))
    shown = {check.name: check.result for check in report.checks}
    assert report.ok and shown["diarization"] == "passed", report
    assert service.clients[0].request.all("keyterm") == ["table", "Monday"]


@pytest.mark.parametrize("name", VOICES)
def test_voices_pass_the_kit(name: str) -> None:
    make, service = VOICES[name]
    rig = speech_rig(make, service, own=OWN.get(name))

    def decode(frames: list[Any]) -> str:
        return spoken(b"".join(frame.data for frame in frames), FIRST + SECOND)

    assert shown(run(check_tts(lambda: make(MemoryConnector(service())), rig=rig, decode=decode))) > 30


@pytest.mark.parametrize("seed", range(40))
def test_whatever_goes_wrong_no_word_is_lost_in_silence(seed: int) -> None:
    """Any seeded schedule: the transcript and the audio are those of the good run, or an error says what happened."""

    async def heard(stt: STT) -> str:
        return await recognised(stt, SAMPLE)

    async def said(tts: TTS) -> str:
        return spoken(b"".join(frame.data for frame in await speak(tts, FIRST, SECOND)), FIRST + SECOND)

    script = FaultScript.seeded(seed)
    checks = [
        run(run_fault(SEEDED, speech_rig(make, lambda _, s=service: s(script))("breaks"), heard, TEXT))
        for make, service in RECOGNISERS.values()
    ]
    checks += [
        run(
            run_fault(
                SEEDED, speech_rig(make, lambda _, s=service: s(script))("breaks"), said, (FIRST + SECOND).strip()
            )
        )
        for make, service in VOICES.values()
    ]
    assert [check.result for check in checks] == ["passed"] * len(checks), checks


@pytest.mark.parametrize("name", VOICES)
def test_a_thousand_lost_sockets_leave_nothing_behind(name: str) -> None:
    """Every synthesis loses its socket in the middle: no task, no socket and no memory is left of it."""
    make, service_of = VOICES[name]
    service = service_of(FaultScript.of(SocketFault("abort", None, after=4)))

    async def main() -> None:
        before = asyncio.all_tasks()
        connector = MemoryConnector(service)
        tts = make(connector)
        lost, sizes = 0, []
        for round_ in (200, 800):
            for _ in range(round_):
                with suppress(ModelError):
                    await speak(tts, SECOND)
                lost += len(service.clients)
                service.clients.clear()
            gc.collect()
            sizes.append(len(gc.get_objects()))
        assert lost >= 1_000
        assert sizes[1] - sizes[0] < 800, "less than one object for each of them"
        await tts.aclose()
        assert await left_behind(before) == ""
        assert connector.open == 0
        await connector.aclose()

    run(main())
