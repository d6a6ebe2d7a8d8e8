"""A voice behind a WebSocket: what a session gets from it on good days and bad ones."""

from __future__ import annotations

import pytest

from antiphon.audio.frames import AudioFrame
from antiphon.providers import cartesia
from antiphon.testing.loop import virtual_loop
from antiphon.testing.simulators import Fault, FaultScript, MemoryConnector
from antiphon.testing.simulators.cartesia import CartesiaSimulator
from antiphon.testing.simulators.speaking import spoken

TEXTS = ("Your order is ready.", "Please come to the counter.")


async def say(tts: cartesia.TTS, *texts: str) -> list[AudioFrame]:
    stream = tts.stream()
    for text in texts:
        stream.push_text(text)
    stream.end_input()
    return [frame async for frame in stream]


def run(*faults: Fault) -> tuple[list[AudioFrame], CartesiaSimulator]:
    simulator = CartesiaSimulator(faults=FaultScript.of(*faults))
    with virtual_loop(0) as loop:
        connector = MemoryConnector(simulator)
        tts = cartesia.TTS(api_key="secret", connector=connector)
        frames = loop.run_until_complete(say(tts, *TEXTS))
        loop.run_until_complete(tts.aclose())
        assert connector.open == 0
    return frames, simulator


def said(frames: list[AudioFrame], segment: int) -> str:
    pcm = b"".join(frame.data for frame in frames if frame.segment == segment)
    return spoken(pcm, " ".join(TEXTS))


def test_audio_is_labelled_with_the_text_it_speaks() -> None:
    frames, _ = run()
    assert [said(frames, 0), said(frames, 1)] == list(TEXTS)
    words = [word for frame in frames if frame.segment == 1 for word in frame.words]
    assert [word.text for word in words] == TEXTS[1].split()
    assert words[0].start == 0.0


@pytest.mark.parametrize("kind", ["close", "abort", "silent", "refuse", "vanish"])
def test_a_socket_lost_before_any_audio_is_replaced(kind: str) -> None:
    frames, simulator = run(Fault(kind))  # type: ignore[arg-type]
    assert [said(frames, 0), said(frames, 1)] == list(TEXTS)
    assert len(simulator.clients) + len(simulator.refused) > 1
