"""Two services for one task, the first of which fails in any seeded way: nothing is lost, and nobody hears of an error."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from antiphon import FallbackAdapter
from antiphon.audio.frames import FLUSH
from antiphon.models.fallback_stt import FallbackSTT
from antiphon.models.stt import STT
from antiphon.models.tts import TTS
from antiphon.providers import cartesia, deepgram
from antiphon.session.bindings import resolve
from antiphon.testing import run
from antiphon.testing.conformance import SpeechSample
from antiphon.testing.conformance.running import left_behind
from antiphon.testing.conformance.simulated import SOCKET_FAULTS
from antiphon.testing.conformance.stt_checks import recognised
from antiphon.testing.conformance.tts_checks import FIRST, SECOND, speak
from antiphon.testing.simulators import Fault, FaultScript, MemoryConnector, Simulator
from antiphon.testing.simulators.cartesia import CartesiaSimulator
from antiphon.testing.simulators.deepgram import DeepgramSimulator
from antiphon.testing.simulators.recording import Recording

TEXT = "I would like to book a table for two on Monday"
RECORDING = Recording.of(TEXT, lead=0.0, pause=0.0)
SAMPLE = SpeechSample.pcm(TEXT, RECORDING.pcm, 16_000)
FAULTS = {
    **{f"seed {seed}": FaultScript.seeded(seed) for seed in range(12)},
    **{name: FaultScript.of(*faults) for name, faults in SOCKET_FAULTS.items()},
}


async def both(
    kind: str,
    make: Callable[[MemoryConnector], Any],
    services: tuple[Simulator, Simulator],
    use: Callable[[Any], Any],
) -> Any:
    """What comes of it with both; nothing may be left of either."""
    before = asyncio.all_tasks()
    connectors = [MemoryConnector(service) for service in services]
    members = [make(connector) for connector in connectors]
    model = resolve(kind, FallbackAdapter(members))
    got = await use(model)
    await model.aclose()
    for member in members:
        await member.aclose()
    assert [connector.open for connector in connectors] == [0, 0]
    for connector in connectors:
        await connector.aclose()
    assert await left_behind(before) == ""
    return got


@pytest.mark.parametrize("name", FAULTS)
def test_two_recognisers_hear_every_word(name: str) -> None:
    services = DeepgramSimulator([RECORDING], faults=FAULTS[name]), DeepgramSimulator([RECORDING])

    def nova(connector: MemoryConnector) -> STT:
        return deepgram.STT("nova-3", api_key="secret", connector=connector)

    assert run(both("stt", nova, services, lambda stt: recognised(stt, SAMPLE))) == TEXT


@pytest.mark.parametrize("kind", ["silent", "abort", "close"])
def test_a_recogniser_that_begins_and_never_finishes_is_left_and_stays_left(kind: Any) -> None:
    """Each of its connections gives a few partials and then nothing more: neither they nor a trial count as work."""
    faults = FaultScript.of(Fault(kind, None, after=3))
    services = DeepgramSimulator([RECORDING], faults=faults), DeepgramSimulator([RECORDING])
    members: list[bool] = []

    async def call(stt: FallbackSTT) -> list[tuple[str, float]]:
        stream, finals = stt.stream(), []

        async def caller() -> None:
            frames = [msgspec.structs.replace(frame, speech=True) for frame in SAMPLE.frames]
            for frame in frames:
                stream.push(frame)
                await asyncio.sleep(frame.duration)
            stream.push(FLUSH)
            at = frames[-1].at
            for _ in range(900):  # silence, through the first trial
                at += frames[-1].duration
                stream.push(msgspec.structs.replace(frames[-1], data=bytes(len(frames[-1].data)), at=at, speech=False))
                await asyncio.sleep(frames[-1].duration)
            members.extend(member.available for member in stt.availability.members)
            stream.end_input()

        began = asyncio.get_running_loop().time()
        calling = asyncio.create_task(caller())
        async for event in stream:
            if event.kind == "final" and event.text:
                finals.append((event.text, asyncio.get_running_loop().time() - began))
        await calling
        return finals

    def nova(connector: MemoryConnector) -> STT:
        return deepgram.STT("nova-3", api_key="secret", connector=connector)

    ((text, after),) = run(both("stt", nova, services, call))
    assert text == TEXT and after < RECORDING.seconds + 3.0
    assert members == [False, True]


@pytest.mark.parametrize("name", FAULTS)
def test_two_voices_say_every_word_once(name: str) -> None:
    services = CartesiaSimulator(faults=FAULTS[name]), CartesiaSimulator()

    def sonic(connector: MemoryConnector) -> TTS:
        return cartesia.TTS(api_key="secret", connector=connector)

    frames = run(both("tts", sonic, services, lambda tts: speak(tts, FIRST, SECOND)))
    words = {n: [word for frame in frames if frame.segment == n for word in frame.words] for n in (0, 1)}
    assert [word.text for word in [*words[0], *words[1]]] == (FIRST + SECOND).split()
    for timed in words.values():
        assert [word.start for word in timed] == sorted(word.start for word in timed)
