"""Cartesia's turns: without names, without times."""

from __future__ import annotations

import asyncio
import json

import pytest

from antiphon.audio.frames import EAR_RATE, AudioFrame
from antiphon.models.endings import Refused, ServiceError
from antiphon.models.speech_codec import Audio, EndAudio, Finalize, Heard, Notice, Ready, STTSignal, TurnEdge
from antiphon.models.stt import STTEvent
from antiphon.providers import cartesia
from antiphon.providers.cartesia_ink import InkCodec, InkOptions
from antiphon.testing import run
from antiphon.testing.simulators import MemoryConnector
from antiphon.testing.simulators.cartesia import CartesiaSimulator
from antiphon.testing.simulators.recording import Recording

ORDER = Recording.of("One large coffee, please.", "And a croissant.")
SECOND = Audio(bytes(2 * EAR_RATE))


def test_a_conversation_has_its_turns() -> None:
    async def main() -> list[STTEvent]:
        stt = cartesia.STT(api_key="secret", connector=MemoryConnector(CartesiaSimulator([ORDER])))
        stream = stt.stream()

        async def speak() -> None:
            for at in range(0, len(ORDER.pcm), 640):
                data = ORDER.pcm[at : at + 640]
                stream.push(AudioFrame.pcm(data, EAR_RATE, at=at / 2 / EAR_RATE, speech=any(data)))
                await asyncio.sleep(0.02)
            stream.end_input()

        speaking = asyncio.create_task(speak())
        events = [event async for event in stream]
        await speaking
        await stt.aclose()
        return events

    events = run(main())
    assert [event.text for event in events if event.kind == "final"] == [
        "One large coffee, please.",
        "And a croissant.",
    ]
    kinds = [event.kind for event in events if event.kind != "partial"]
    assert kinds == ["turn_start", "turn_likely", "final", "turn_end"] * 2
    first, second = (event for event in events if event.kind == "final")
    assert ORDER.words[3].end <= first.end <= second.start <= ORDER.words[4].start


def decoded(codec: InkCodec, kind: str, text: str | None = None) -> list[STTSignal]:
    fields = {} if text is None else {"transcript": text}
    return codec.decode(json.dumps({"type": kind, "request_id": "r", **fields}))


def codec(**options: object) -> InkCodec:
    return InkCodec(InkOptions(**options))  # type: ignore[arg-type]


def test_a_turn_covers_what_was_sent_when_its_text_last_changed() -> None:
    made = codec()
    made.encode(SECOND)
    made.encode(SECOND)
    assert decoded(made, "turn.start") == [TurnEdge("start")]
    made.encode(SECOND)
    assert decoded(made, "turn.update", "Yes") == [Heard("1", "Yes", start=1.0, end=3.0)]
    made.encode(SECOND)
    assert decoded(made, "turn.update", "Yes") == [Heard("1", "Yes", start=1.0, end=3.0)]
    assert decoded(made, "turn.end", "Yes") == [Heard("1", "Yes", final=True, start=1.0, end=3.0), TurnEdge("end")]


def test_an_end_that_comes_again_is_of_the_same_turn() -> None:
    made = codec()
    decoded(made, "turn.start")
    decoded(made, "turn.end", "Yes")
    assert decoded(made, "turn.end", "Yes.") == [Heard("1", "Yes.", final=True)]
    assert decoded(made, "turn.start") == [TurnEdge("start")]
    assert [signal.segment for signal in decoded(made, "turn.update", "No") if isinstance(signal, Heard)] == ["2"]


def test_words_begin_a_turn_that_nobody_announced() -> None:
    made = codec()
    decoded(made, "turn.start")
    decoded(made, "turn.end", "Yes")
    assert decoded(made, "turn.update", "No") == [TurnEdge("start"), Heard("2", "No")]


def test_a_turn_that_may_be_over_goes_on() -> None:
    made = codec()
    decoded(made, "turn.start")
    assert decoded(made, "turn.eager_end", "I would like") == [Heard("1", "I would like"), TurnEdge("likely")]
    assert decoded(made, "turn.resume") == [TurnEdge("start")]
    assert decoded(made, "turn.update", "") == [Notice("empty")]


def test_commands_and_options() -> None:
    made = codec(keyterms=("latte", "mocha"), turn_end_threshold=0.3, turn_end_timeout_ms=2_000)
    spec = made.connect("secret")
    assert spec.query[3:] == (
        ("turn_end_threshold", "0.3"),
        ("turn_end_timeout_ms", "2000"),
        ("keyterm", "latte"),
        ("keyterm", "mocha"),
    )
    assert spec.headers["Authorization"] == "Bearer secret"
    assert made.encode(Finalize()) == [] and made.encode(EndAudio()) == ['{"type":"close"}']
    assert decoded(made, "connected") == [Ready(session="r")]


@pytest.mark.parametrize(("status", "again"), [(400, False), (429, True), (500, True)])
def test_an_error_says_whether_to_try_again(status: int, again: bool) -> None:
    (error,) = codec().decode(json.dumps({"type": "error", "title": "T", "message": "No.", "status_code": status}))
    assert isinstance(error, ServiceError) and codec().classify(error).retryable is again
    assert "No." in codec().classify(Refused(status, b'{"message":"No."}')).message
