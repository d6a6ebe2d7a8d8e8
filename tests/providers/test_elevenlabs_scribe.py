"""Scribe's traps: commits that must cover some audio, finals that come twice, no word of an end."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from antiphon.audio.frames import EAR_RATE, FLUSH, AudioFrame
from antiphon.models.endings import Refused, ServiceError
from antiphon.models.speech_codec import (
    Audio,
    Covered,
    EndAudio,
    Ended,
    Finalize,
    Heard,
    HeardWord,
    Notice,
    Ready,
    STTSignal,
)
from antiphon.models.stt import STTEvent
from antiphon.providers import elevenlabs
from antiphon.providers.elevenlabs_scribe import ScribeCodec, ScribeOptions
from antiphon.testing import run
from antiphon.testing.loop import virtual_loop
from antiphon.testing.simulators import MemoryConnector
from antiphon.testing.simulators.elevenlabs import ElevenLabsSimulator
from antiphon.testing.simulators.recording import Recording

ORDER = Recording.of("One large coffee, please.", "And a croissant.")
SECOND = Audio(bytes(2 * EAR_RATE))


def listen(*marks: float) -> list[STTEvent]:
    """The order, with marks of silence at these seconds."""

    async def main() -> list[STTEvent]:
        stt = elevenlabs.STT(api_key="secret", connector=MemoryConnector(ElevenLabsSimulator([ORDER])))
        stream = stt.stream(language="en-US")
        for at in range(0, len(ORDER.pcm), 640):
            data = ORDER.pcm[at : at + 640]
            stream.push(AudioFrame.pcm(data, EAR_RATE, at=at / 2 / EAR_RATE, speech=any(data)))
            if at / 2 / EAR_RATE in marks:
                stream.push(FLUSH)
        stream.end_input()
        events = [event async for event in stream]
        await stt.aclose()
        return events

    return run(main())


def test_a_final_comes_at_once_and_again_with_its_words() -> None:
    finals = [event for event in listen(2.0) if event.kind == "final"]
    texts = ["One large coffee, please."] * 2 + ["And a croissant."] * 2
    assert [event.text for event in finals] == texts
    assert finals[0].segment == finals[1].segment != finals[2].segment == finals[3].segment
    assert finals[0].words == () and [word.text for word in finals[3].words] == ["And", "a", "croissant."]
    assert finals[3].start == pytest.approx(ORDER.words[4].start, abs=0.02)


def test_marks_that_follow_each_other_are_one() -> None:
    """A commit of less than 0.3 s of audio would end the session."""
    finals = [event.text for event in listen(2.0, 2.1, 2.2) if event.kind == "final"]
    assert finals == ["One large coffee, please."] * 2 + ["And a croissant."] * 2


def test_the_end_needs_no_waiting() -> None:
    """The service has no word for it: the final of the last commit is the last."""
    with virtual_loop(0) as loop:

        async def main() -> float:
            stt = elevenlabs.STT(api_key="secret", connector=MemoryConnector(ElevenLabsSimulator([ORDER])))
            stream = stt.stream()
            stream.push(AudioFrame.pcm(ORDER.pcm[:6400], EAR_RATE, at=0.0, speech=True))
            stream.end_input()
            began = loop.time()
            async for _ in stream:
                pass
            await stt.aclose()
            return loop.time() - began

        assert loop.run_until_complete(main()) < 0.2


def codec(**options: object) -> ScribeCodec:
    return ScribeCodec(ScribeOptions(**options))  # type: ignore[arg-type]


def sent(made: ScribeCodec, command: Any) -> list[tuple[int, bool]]:
    """Bytes of audio, and whether it commits."""
    messages = [json.loads(frame) for frame in made.encode(command)]
    return [(len(base64.b64decode(message["audio_base_64"])), message["commit"]) for message in messages]


def decoded(made: ScribeCodec, kind: str, **fields: object) -> list[STTSignal]:
    return made.decode(json.dumps({"message_type": kind, **fields}))


def test_what_is_sent() -> None:
    made = codec()
    assert sent(made, SECOND) == [(32_000, False)]
    assert sent(made, Finalize()) == [(0, True)]
    assert sent(made, Audio(bytes(3_200))) == [(3_200, False)]
    assert sent(made, Finalize()) == [], "0.1 s is too little"
    (end,) = sent(made, EndAudio())
    assert end[1] and end[0] / 2 / EAR_RATE >= 0.2
    assert [json.loads(frame)["audio_base_64"] for frame in made.on_idle()] == [""]


def test_options_become_parameters() -> None:
    spec = codec(language="de", keyterms=("latte", "mocha"), no_verbatim=True, logging=False).connect("secret")
    assert spec.headers == {"xi-api-key": "secret"}
    assert spec.query[4:] == (
        ("language_code", "de"),
        ("keyterms", "latte"),
        ("keyterms", "mocha"),
        ("no_verbatim", "true"),
        ("enable_logging", "false"),
    )


def test_a_final_covers_the_audio_up_to_its_commit() -> None:
    made = codec()
    for _ in range(3):
        made.encode(SECOND)
    assert decoded(made, "partial_transcript", text="Yes") == [Heard("0", "Yes", start=2.0, end=3.0)]
    made.encode(SECOND)
    made.encode(Finalize())
    made.encode(SECOND)
    final = Heard("0", "Yes.", final=True, start=2.0, end=4.0)
    assert decoded(made, "committed_transcript", text="Yes.") == [final, Covered(4.0)]
    words = [{"text": "Yes.", "start": 2.5, "end": 2.9, "type": "word"}, {"text": " ", "type": "spacing"}]
    timed = Heard("0", "Yes.", True, 2.5, 4.0, (HeardWord("Yes.", 2.5, 2.9),), "en")
    answer = decoded(made, "committed_transcript_with_timestamps", text="Yes.", words=words, language_code="en")
    assert answer == [timed]


def test_what_comes_again_says_nothing_new() -> None:
    made = codec()
    made.encode(SECOND)
    made.encode(Finalize())
    assert len(decoded(made, "committed_transcript", text="Yes.")) == 2
    assert decoded(made, "committed_transcript", text="Yes.") == [Notice("empty")]
    for _ in range(2):
        assert decoded(made, "committed_transcript_with_timestamps", text="Yes.") == [Notice("empty")]


def test_the_service_may_commit_by_itself() -> None:
    made = codec()
    for text in ("Yes", "No"):
        made.encode(SECOND)
        decoded(made, "partial_transcript", text=text)
        made.encode(SECOND)
        signals = decoded(made, "committed_transcript", text=text)
        end = 1.0 if text == "Yes" else 3.0
        assert signals[1] == Covered(end)


def test_the_last_final_ends_it() -> None:
    made = codec()
    made.encode(SECOND)
    made.encode(EndAudio())
    assert Ended() not in decoded(made, "committed_transcript", text="")
    assert Ended() in decoded(made, "committed_transcript_with_timestamps", text="")


@pytest.mark.parametrize(
    ("kind", "again"),
    [("auth_error", False), ("quota_exceeded", False), ("rate_limited", True), ("session_time_limit_exceeded", True)],
)
def test_an_error_says_whether_to_try_again(kind: str, again: bool) -> None:
    made = codec()
    assert decoded(made, kind, error="No.") == [ServiceError("No.", code=kind)]
    failure = made.classify(ServiceError("No.", code=kind))
    assert failure.retryable is again and "No." in failure.message
    assert "Wrong." in made.classify(Refused(401, b'{"detail":{"message":"Wrong."}}')).message


def test_other_messages() -> None:
    assert decoded(codec(), "session_started", session_id="s") == [Ready(session="s")]
    assert decoded(codec(), "warning", warning="Slow.") == [Notice("warning", "Slow.")]
