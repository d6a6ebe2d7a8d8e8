"""ElevenLabs' traps: five contexts a socket, times by characters, sockets that tire."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest

from antiphon.audio.frames import AudioFrame
from antiphon.errors import ConfigurationError
from antiphon.models.endings import Closed, Refused, ServiceError
from antiphon.models.speech_codec import (
    CancelContext,
    ContextDone,
    EndContext,
    SegmentDone,
    Sound,
    Speak,
    SpokenWord,
    Words,
)
from antiphon.providers import elevenlabs
from antiphon.providers.character_alignment import Character, CharacterAlignment
from antiphon.providers.elevenlabs_multi_context import MultiContextCodec, MultiContextOptions
from antiphon.testing import run
from antiphon.testing.simulators import MemoryConnector
from antiphon.testing.simulators.elevenlabs import ElevenLabsSimulator
from antiphon.testing.simulators.speaking import spoken

TEXTS = ("Your order is ready.", "Please come to the counter.")
PIECE = "AAAAAA=="
"""Two samples."""


T = TypeVar("T")


def using(simulator: ElevenLabsSimulator, scene: Callable[[elevenlabs.TTS], Awaitable[T]]) -> T:
    async def main() -> T:
        tts = elevenlabs.TTS(api_key="secret", connector=MemoryConnector(simulator))
        try:
            return await scene(tts)
        finally:
            await tts.aclose()

    return run(main())


async def say(tts: elevenlabs.TTS, *texts: str) -> list[AudioFrame]:
    stream = tts.stream()
    for text in texts:
        stream.push_text(text)
    stream.end_input()
    return [frame async for frame in stream]


def heard(frames: list[AudioFrame], segment: int | None = None) -> str:
    pcm = b"".join(frame.data for frame in frames if segment in (None, frame.segment))
    return spoken(pcm, " ".join(TEXTS))


@pytest.mark.parametrize("timed", ["piece", "context"])
def test_words_and_texts_are_told_by_the_times_of_characters(timed: str) -> None:
    frames = using(ElevenLabsSimulator(timed=timed), lambda tts: say(tts, *TEXTS))
    assert [heard(frames, 0), heard(frames, 1)] == list(TEXTS)
    assert {frame.segment for frame in frames} == {0, 1}, "the pause behind the last word is no text of its own"
    words = [word for frame in frames if frame.segment == 1 for word in frame.words]
    assert [word.text for word in words] == TEXTS[1].split()
    assert words[0].start == pytest.approx(0.0, abs=0.01)
    assert words[-1].end == pytest.approx(0.06 * len(TEXTS[1]), abs=0.02)


def test_a_voice_that_times_nothing_is_heard_without_labels() -> None:
    frames = using(ElevenLabsSimulator(timed=""), lambda tts: say(tts, *TEXTS))
    assert heard(frames) == " ".join(TEXTS)
    assert {frame.segment for frame in frames} == {-1}


async def interrupted(tts: elevenlabs.TTS) -> None:
    stream = tts.stream()
    stream.push_text("A long text that is cut short by somebody who has something else to say.")
    async for _ in stream:
        break
    await stream.aclose()


def test_many_interruptions_never_open_a_sixth_context() -> None:
    """A context counts until the service says that it is over, not until it is closed from here."""
    simulator = ElevenLabsSimulator(speed=1.0)

    async def scene(tts: elevenlabs.TTS) -> str:
        for _ in range(12):
            await interrupted(tts)
        return heard(await say(tts, TEXTS[0]))

    assert using(simulator, scene) == TEXTS[0]
    assert simulator.most == 5
    assert not any(peer.closed and peer.closed[0] == 1008 for peer in simulator.clients)


def test_where_a_socket_takes_fewer_contexts_than_is_known_another_is_opened() -> None:
    simulator = ElevenLabsSimulator(speed=1.0, contexts=1)

    async def scene(tts: elevenlabs.TTS) -> str:
        await interrupted(tts)
        return heard(await say(tts, TEXTS[0]))

    assert using(simulator, scene) == TEXTS[0]
    assert [peer.closed and peer.closed[0] for peer in simulator.clients] == [1008, 1000]


def test_a_context_that_tired_of_waiting_is_followed_by_another() -> None:
    """The service ends a context after three minutes without text, and a socket likewise."""
    simulator = ElevenLabsSimulator()

    async def scene(tts: elevenlabs.TTS) -> str:
        stream = tts.stream()
        stream.push_text(TEXTS[0])
        frames = []

        async def listen() -> None:
            async for frame in stream:
                frames.append(frame)

        listening = asyncio.create_task(listen())
        await asyncio.sleep(200)
        stream.push_text(TEXTS[1])
        stream.end_input()
        await listening
        await asyncio.sleep(1_000)
        return f"{heard(frames)} {heard(await say(tts, TEXTS[0]))}"

    assert using(simulator, scene) == " ".join([*TEXTS, TEXTS[0]])
    opened = [json.loads(frame) for peer in simulator.clients for frame in peer.received]
    assert all(message["text"] == " " for message in opened if "flush" not in message and "text" in message)


def codec(**options: object) -> MultiContextCodec:
    return MultiContextCodec(MultiContextOptions(voice="v", **options))  # type: ignore[arg-type]


def test_a_context_opens_with_a_space_and_its_settings() -> None:
    made = codec(stability=0.4, speed=1.1, dictionaries=(("d", "1"),))
    opening, text = [json.loads(frame) for frame in made.encode(Speak("a", "Hello.", first=True))]
    assert opening == {
        "text": " ",
        "context_id": "a",
        "voice_settings": {"stability": 0.4, "speed": 1.1},
        "pronunciation_dictionary_locators": [{"pronunciation_dictionary_id": "d", "version_id": "1"}],
    }
    assert text == {"text": "Hello. ", "context_id": "a", "flush": True}
    assert made.encode(EndContext("a")) == ['{"context_id":"a","close_context":true}']


def test_nothing_is_sent_to_a_context_that_is_over() -> None:
    """It would be opened anew, without its settings, and count."""
    made = codec()
    made.encode(Speak("a", "Hello.", first=True))
    assert made.decode('{"isFinal":true,"contextId":"a"}') == [SegmentDone("a"), ContextDone("a")]
    assert made.encode(Speak("a", "More.")) == made.encode(EndContext("a")) == []
    made.encode(Speak("b", "Hello.", first=True))
    made.encode(EndContext("b"))
    assert made.encode(CancelContext("b")) == []


def audio(of: str, chars: str, **names: str) -> str:
    times = {
        "chars": list(chars),
        names.get("starts", "charStartTimesMs"): [10 * n for n in range(len(chars))],
        names.get("lengths", "charDurationsMs"): [10] * len(chars),
    }
    return json.dumps({"audio": PIECE, names.get("context", "contextId"): of, "alignment": times})


def test_both_ways_of_writing_names_are_read() -> None:
    for names in ({}, {"context": "context_id", "starts": "charsStartTimesMs", "lengths": "charsDurationsMs"}):
        made = codec()
        made.encode(Speak("a", "Hi.", first=True))
        assert made.decode(audio("a", "Hi. ", **names)) == [
            Words("a", (SpokenWord("Hi.", 0.0, 0.03),)),
            Sound("a", bytes(4)),
            SegmentDone("a"),
        ]
    assert made.decode('{"is_final":true,"context_id":"a"}') == [ContextDone("a")]


def test_a_word_may_come_in_two_pieces() -> None:
    made = codec(rate=8_000)
    made.encode(Speak("a", "Hello you", first=True))
    assert made.decode(audio("a", "Hel")) == [Sound("a", bytes(4))]
    (words, _) = made.decode(audio("a", "lo "))
    assert isinstance(words, Words) and words.words[0].text == "Hello"
    assert words.words[0].start == 0.0 and words.words[0].end == pytest.approx(4 / 2 / 8_000 + 0.02)


def characters(text: str) -> list[Character]:
    return [Character(char, n / 10, (n + 1) / 10) for n, char in enumerate(text)]


def test_a_service_may_leave_out_what_has_no_sound() -> None:
    alignment = CharacterAlignment()
    for text in ("**It is** ready \U0001f600", "\U0001f600", "Please come."):
        alignment.push(text)
    assert alignment.spoken(characters("It is ready "))[1] == 2
    assert alignment.begun(characters("Please ")) == ((), 0)
    assert alignment.spoken(characters("Please come"))[1] == 0
    words, ended = alignment.spoken(characters(". "))
    assert (words[0].text, ended) == ("come.", 1)
    assert alignment.rest() == ((), 0)


def test_a_text_of_which_something_was_left_out_ends_where_the_next_begins() -> None:
    alignment = CharacterAlignment()
    for text in ("Press (1) one", "Or hold the line."):
        alignment.push(text)
    assert alignment.spoken(characters("Press one "))[1] == 0
    words, ended = alignment.begun(characters("Or hold "))
    assert (words, ended) == ((), 1)
    assert alignment.spoken(characters("Or hold the line."))[1] == 1


def test_what_an_ending_means() -> None:
    made = codec()
    full = Closed(1008, "Maximum simultaneous contexts per WebSocket connection exceeded (5).")
    assert made.classify(full).retryable
    assert made.classify(Closed(1008, "input_timeout_exceeded")).retryable
    assert not made.classify(Closed(1008, "No such voice.")).retryable
    assert made.classify(ServiceError("Too many.", code="max_active_conversations")).retryable
    assert not made.classify(ServiceError("No credit.", code="quota_exceeded")).retryable
    details = (
        b'{"detail":{"status":"s","message":"Wrong."}}',
        b'{"detail":"Wrong."}',
        b'{"detail":[{"msg":"Wrong."}]}',
    )
    for body in details:
        assert "Wrong." in made.classify(Refused(401, body)).message


def test_an_error_in_one_context_leaves_the_others() -> None:
    made = codec()
    error = made.decode('{"error":"invalid_text","message":"No.","code":1008,"contextId":"a"}')
    assert error == [ServiceError("No.", code="invalid_text", context="a")]


def test_more_contexts_than_a_socket_has_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="5 contexts"):
        elevenlabs.TTS(api_key="k", contexts=6)
