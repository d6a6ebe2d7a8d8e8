"""AssemblyAI's traps: messages of a length, finals that come twice, close codes of its own."""

from __future__ import annotations

import asyncio
import json

import pytest

from antiphon.audio.frames import EAR_RATE, FLUSH, AudioFrame
from antiphon.models.endings import Closed, Ending, Refused, ServiceError
from antiphon.models.speech_codec import (
    Audio,
    AudioUsage,
    Covered,
    EndAudio,
    Ended,
    Finalize,
    Heard,
    HeardWord,
    Notice,
    TurnEdge,
)
from antiphon.models.stt import STTEvent
from antiphon.providers import assemblyai
from antiphon.providers.assemblyai_streaming import StreamingCodec, StreamingOptions
from antiphon.testing import run
from antiphon.testing.simulators import MemoryConnector
from antiphon.testing.simulators.assemblyai import AssemblyAISimulator
from antiphon.testing.simulators.recording import Recording

ORDER = Recording.of("One large coffee, please.", "And a croissant.")


def listen(simulator: AssemblyAISimulator, model: str, *, flush_at: float = 0.0, frame: int = 320) -> list[STTEvent]:
    async def main() -> list[STTEvent]:
        stt = assemblyai.STT(model, api_key="secret", connector=MemoryConnector(simulator))
        stream = stt.stream()
        for at in range(0, len(ORDER.pcm), 2 * frame):
            data = ORDER.pcm[at : at + 2 * frame]
            stream.push(AudioFrame.pcm(data, EAR_RATE, at=at / 2 / EAR_RATE, speech=any(data)))
            if flush_at and at / 2 / EAR_RATE <= flush_at < (at / 2 + frame) / EAR_RATE:
                stream.push(FLUSH)
        stream.end_input()
        events = [event async for event in stream]
        await stt.aclose()
        return events

    return run(main())


def finals(events: list[STTEvent]) -> list[tuple[str, int]]:
    return [(event.text, event.revision) for event in events if event.kind == "final"]


def test_a_turn_ends_with_what_was_heard_and_is_written_properly_afterwards() -> None:
    events = listen(AssemblyAISimulator([ORDER], mishears="peas"), "universal-streaming-english")
    kinds = [event.kind for event in events if event.kind != "partial"]
    assert kinds == ["turn_start", "final", "turn_end", "final"] * 2
    texts = [text for text, _ in finals(events)]
    assert texts == ["one large coffee peas", "One large coffee, please.", "and a peas", "And a croissant."]
    segments = [event.segment for event in events if event.kind == "final"]
    assert segments[0] == segments[1] != segments[2] == segments[3]
    assert events[-1].revision > 1


def test_newer_models_end_a_turn_once() -> None:
    events = listen(AssemblyAISimulator([ORDER]), "u3-rt-pro")
    assert [text for text, _ in finals(events)] == ["One large coffee, please.", "And a croissant."]
    assert [event.kind for event in events if event.kind.startswith("turn")] == ["turn_start", "turn_end"] * 2


def test_partials_hold_words_that_may_still_change() -> None:
    """The transcript of a turn that goes on lacks them; its words do not."""
    events = listen(AssemblyAISimulator([ORDER]), "universal-streaming-english")
    partials = [event.text for event in events if event.kind == "partial"]
    assert partials[:4] == ["one", "one large", "one large coffee", "one large coffee please"]


def test_a_mark_of_silence_brings_the_final_at_once() -> None:
    simulator = AssemblyAISimulator([ORDER])
    first = ORDER.words[3].end
    listen(simulator, "universal-streaming-english", flush_at=first + 0.05)
    (peer,) = simulator.clients
    forced = peer.received.index('{"type":"ForceEndpoint"}')
    before = sum(len(frame) for frame in peer.received[:forced] if isinstance(frame, bytes)) / 2 / EAR_RATE
    assert first < before < first + 0.1
    assert peer.closed == (1000, "")


@pytest.mark.parametrize("frame", [80, 160, 512, 5_000, 40_000])
def test_messages_are_of_a_length_that_is_taken_whatever_the_frames_are(frame: int) -> None:
    simulator = AssemblyAISimulator([ORDER])
    listen(simulator, "universal-streaming-english", flush_at=1.0, frame=frame)
    messages = [
        len(part) / 2 / EAR_RATE for peer in simulator.clients for part in peer.received if isinstance(part, bytes)
    ]
    assert all(0.05 <= length <= 1.0 for length in messages)
    assert sum(messages) == pytest.approx(ORDER.seconds, abs=0.05)


def test_a_pause_after_which_it_has_nothing_to_say_is_no_silence_of_a_dead_service() -> None:
    """A forced end of no turn is not answered: where the microphone took a noise for speech, or the turn is over already."""
    simulator = AssemblyAISimulator([ORDER])

    async def main() -> None:
        stt = assemblyai.STT(api_key="secret", connector=MemoryConnector(simulator))
        stream = stt.stream()

        async def breathe() -> None:
            for step in range(500):
                noise = bytes([1, 0]) * 320 if 50 <= step < 60 else bytes(640)
                stream.push(AudioFrame.pcm(noise, EAR_RATE, at=step / 50, speech=50 <= step < 60))
                if step == 75:
                    stream.push(FLUSH)
                await asyncio.sleep(0.02)
            stream.end_input()

        breathing = asyncio.create_task(breathe())
        assert [event async for event in stream] == []
        await breathing
        await stt.aclose()

    run(main())
    assert len(simulator.clients) == 1


def codec(**options: object) -> StreamingCodec:
    return StreamingCodec(StreamingOptions(**options))  # type: ignore[arg-type]


def test_the_rest_of_the_audio_is_filled_up_before_the_end() -> None:
    made = codec()
    assert made.encode(Audio(bytes(1_000))) == []
    assert made.encode(Finalize()) == ['{"type":"ForceEndpoint"}']
    assert made.encode(EndAudio()) == [bytes(1_600), '{"type":"Terminate"}']
    assert codec().encode(EndAudio()) == ['{"type":"Terminate"}']


def test_options_become_parameters() -> None:
    spec = codec(keyterms=("latte", "mocha"), languages=("de",), min_turn_silence=300, diarize=True).connect("secret")
    query = dict(spec.query)
    assert spec.headers == {"Authorization": "secret"}, "without a scheme"
    assert json.loads(query["keyterms_prompt"]) == ["latte", "mocha"] and json.loads(query["language_codes"]) == ["de"]
    assert (query["min_turn_silence"], query["speaker_labels"]) == ("300", "true")
    assert "continuous_partials" not in query
    assert dict(codec(model="universal-3-6-pro").connect("k").query)["continuous_partials"] == "true"


@pytest.mark.parametrize(
    ("model", "language", "spoken", "asked"),
    [
        ("universal-streaming-english", "", "en-US", None),
        ("universal-streaming-multilingual", "", "es-MX", '["es"]'),
        ("universal-streaming-multilingual", "fr", "es", '["fr"]'),
        ("u3-rt-pro", "", "", None),
    ],
)
def test_the_language_is_that_of_the_session_where_a_model_takes_one(
    model: str, language: str, spoken: str, asked: str | None
) -> None:
    stt = assemblyai.STT(model, language=language, api_key="k")
    assert dict(stt.codec(spoken).connect("k").query).get("language_codes") == asked


def turn(**fields: object) -> str:
    word = {"text": "yes", "start": 500, "end": 800, "confidence": 0.9, "word_is_final": True, "speaker": "B"}
    return json.dumps({"type": "Turn", "turn_order": 3, "transcript": "yes", "words": [word], **fields})


def test_a_turn_has_its_words_and_its_speaker() -> None:
    word = HeardWord("yes", 0.5, 0.8, 0.9, "B")
    heard = Heard("3", "yes", True, 0.5, 0.8, (word,), "en", "B")
    answer = codec().decode(turn(end_of_turn=True, language_code="en"))
    assert answer == [TurnEdge("start"), heard, TurnEdge("end")]


def test_an_empty_turn_ends_nothing() -> None:
    edges = [
        signal
        for signal in codec().decode(turn(end_of_turn=True, transcript="", words=[]))
        if isinstance(signal, TurnEdge)
    ]
    assert edges == []


def test_the_session_is_billed_as_long_as_it_was_open() -> None:
    made = codec()
    made.encode(Audio(bytes(2 * 7 * EAR_RATE)))
    frame = '{"type":"Termination","audio_duration_seconds":7,"session_duration_seconds":12}'
    assert made.decode(frame) == [AudioUsage(12.0), Ended()]
    made.encode(EndAudio())
    assert made.decode(frame) == [AudioUsage(12.0), Covered(7.0), Ended()]


def test_messages_that_need_nothing_prove_that_it_hears() -> None:
    for kind in ("SpeechStarted", "Heartbeat", "Silence", "SpeakerRevision"):
        assert codec().decode(json.dumps({"type": kind})) == [Notice("empty")]
    assert codec().decode('{"type":"Warning","warning_code":7,"warning":"Slow."}') == [Notice("7", "Slow.")]


@pytest.mark.parametrize(
    ("ending", "again", "said"),
    [
        (Closed(3005, "Server error"), True, "failed"),
        (Closed(3008), True, "expired"),
        (Closed(4102), True, "too many sessions"),
        (Closed(1013), True, "too much to do"),
        (Closed(1008, "Missing Authorization header"), False, "1008"),
        (Closed(3007, "Input duration violation"), False, "too much or too little audio"),
        (ServiceError("Not Authorized", code="4001"), False, "Not Authorized"),
        (ServiceError("Hiccup", code="0"), True, "Hiccup"),
        (Refused(401, b'{"error":"Invalid API key"}'), False, "Invalid API key"),
    ],
)
def test_what_an_ending_means(ending: Ending, again: bool, said: str) -> None:
    failure = codec().classify(ending)
    assert (failure.retryable, said in failure.message) == (again, True), failure


def test_a_wrong_key_says_what_to_do() -> None:
    assert "API key" in codec().classify(Closed(4001)).hint
    assert "credit" in codec().classify(ServiceError("No.", code="4002")).hint
