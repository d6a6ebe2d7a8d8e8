"""A recogniser behind a WebSocket: what a session gets from it on good days and bad ones."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import pytest

from antiphon.audio.frames import EAR_RATE, FLUSH, AudioFrame
from antiphon.models.stt import STTEvent
from antiphon.providers import deepgram
from antiphon.testing.loop import virtual_loop
from antiphon.testing.simulators import Fault, FaultScript, MemoryConnector
from antiphon.testing.simulators.deepgram import DeepgramSimulator
from antiphon.testing.simulators.recording import Recording

ORDER = Recording.of("one large coffee please", "and a croissant")
FRAME = 0.032


def frames_of(recording: Recording, *, seconds: float = FRAME) -> Iterable[AudioFrame]:
    """The recording as the plane would give it, marked where there is speech."""
    size = 2 * round(seconds * EAR_RATE)
    for at in range(0, len(recording.pcm), size):
        data = recording.pcm[at : at + size]
        yield AudioFrame.pcm(data, EAR_RATE, at=100.0 + at / 2 / EAR_RATE, speech=any(data))


async def hear(stt: deepgram.STT, recording: Recording = ORDER, *, flush: bool = True) -> list[STTEvent]:
    """Play a recording to a stream at the speed of speech."""
    stream = stt.stream(language="en")

    async def play() -> None:
        spoke = False
        for frame in frames_of(recording):
            await asyncio.sleep(frame.duration)
            stream.push(frame)
            if flush and spoke and not frame.speech:
                stream.push(FLUSH)
            spoke = bool(frame.speech)
        stream.end_input()

    playing = asyncio.create_task(play())
    events = [event async for event in stream]
    await playing
    return events


def text(events: list[STTEvent]) -> str:
    """What stands in the end: the last revision of each segment that has a final."""
    last: dict[str, STTEvent] = {}
    for event in events:
        if event.kind in ("partial", "final"):
            assert event.revision > last[event.segment].revision if event.segment in last else True
            last[event.segment] = event
    return " ".join(event.text for event in last.values() if event.kind == "final" and event.text)


def run(model: str = "nova-3", *faults: Fault, **options: object) -> tuple[list[STTEvent], DeepgramSimulator]:
    simulator = DeepgramSimulator([ORDER], faults=FaultScript.of(*faults))
    with virtual_loop(0) as loop:
        connector = MemoryConnector(simulator)
        stt = deepgram.STT(model, api_key="secret", connector=connector, **options)  # type: ignore[arg-type]
        events = loop.run_until_complete(hear(stt))
        assert connector.open == 0
    return events, simulator


@pytest.mark.parametrize("model", ["nova-3", "flux-general-en"])
def test_what_was_said_arrives_word_by_word_and_timed(model: str) -> None:
    events, _ = run(model)
    assert text(events) == "one large coffee please and a croissant"
    assert any(event.kind == "partial" for event in events)
    final = next(event for event in events if event.kind == "final" and event.text)
    assert final.start == pytest.approx(100.3, abs=0.05)
    assert [word.text for word in final.words] == ["one", "large", "coffee", "please"]
    assert final.words[1].start == pytest.approx(0.3, abs=0.05)


@pytest.mark.parametrize("model", ["nova-3", "flux-general-en"])
@pytest.mark.parametrize("kind", ["close", "abort", "silent", "refuse", "vanish"])
def test_a_lost_socket_loses_no_word(model: str, kind: str) -> None:
    events, simulator = run(model, Fault(kind, after=3))  # type: ignore[arg-type]
    assert text(events) == "one large coffee please and a croissant"
    assert len(simulator.clients) + len(simulator.refused) > 1
