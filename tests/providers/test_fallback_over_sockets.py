"""Two services for one task, the first of which fails in any seeded way: nothing is lost, and nobody hears of an error."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from antiphon import FallbackAdapter
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
from antiphon.testing.simulators import FaultScript, MemoryConnector, Simulator
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
