"""Deepgram's results, read in one step where they are as described: what is wrong in one costs that field alone."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.models.speech_codec import Covered, Finalized, Heard, HeardWord, Notice, STTSignal, main_speaker
from antiphon.providers.deepgram_nova import NovaCodec, NovaOptions

anything: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.just(10**400) | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=4,
)


def some(usual: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return usual | anything


words = st.lists(
    some(
        st.fixed_dictionaries(
            {"start": some(st.floats(0, 9)), "end": some(st.floats(0, 9))},
            optional={
                "word": some(st.text(max_size=5)),
                "punctuated_word": some(st.text(max_size=5)),
                "confidence": some(st.floats(0, 1)),
                "speaker": some(st.integers(0, 3)),
            },
        )
    ),
    max_size=3,
)
alternatives = st.fixed_dictionaries(
    {},
    optional={
        "transcript": some(st.text(max_size=5)),
        "confidence": some(st.floats(0, 1)),
        "words": some(words),
        "languages": some(st.lists(some(st.just("en")), max_size=2)),
    },
)
messages = st.fixed_dictionaries(
    {
        "type": st.just("Results"),
        "channel": st.fixed_dictionaries({"alternatives": st.lists(alternatives, min_size=1)}),
    },
    optional={
        "start": some(st.floats(0, 9)),
        "duration": some(st.floats(0, 9)),
        "is_final": some(st.booleans()),
        "from_finalize": some(st.booleans()),
    },
)


def decode(message: object) -> list[STTSignal]:
    return NovaCodec(NovaOptions()).decode(json.dumps(message))


@given(messages)
def test_a_message_says_the_same_whether_or_not_something_beside_it_is_wrong(message: dict[str, Any]) -> None:
    said = decode(message)
    message["channel"]["alternatives"].append(7)
    assert decode(message) == said


@given(anything, anything)
def test_nothing_makes_it_raise(message: object, channel: object) -> None:
    decode(message)
    assert decode({"type": "Results", "channel": channel})


@pytest.mark.parametrize(
    ("broken", "left"),
    [
        ({"start": None}, ()),
        ({"start": 1.0, "end": "2"}, (HeardWord("Yes.", 1.0, 0.0),)),
        ({"start": 1, "end": 10**400}, (HeardWord("Yes.", 1.0, 0.0),)),
        ({"start": 1, "end": 2, "confidence": "high", "speaker": True}, (HeardWord("Yes.", 1.0, 2.0),)),
        ({"start": 1, "end": 2, "punctuated_word": 7, "speaker": 3}, (HeardWord("yes", 1.0, 2.0, speaker="3"),)),
    ],
)
def test_a_wrong_field_of_a_word_counts_as_missing(broken: dict[str, Any], left: tuple[HeardWord, ...]) -> None:
    word = {"word": "yes", "punctuated_word": "Yes.", **broken}
    best = {"transcript": "Yes.", "confidence": 0.5, "words": [word], "languages": [3, "en"]}
    message = {"type": "Results", "channel": {"alternatives": [best]}, "start": 1, "duration": 2, "is_final": True}
    said = decode({**message, "from_finalize": True})
    assert said == [
        Heard(
            segment="1.00",
            text="Yes.",
            final=True,
            start=1.0,
            end=3.0,
            words=left,
            confidence=0.5,
            speaker=main_speaker(left),
        ),
        Covered(3.0),
        Finalized(),
    ]


def test_a_message_without_alternatives_is_noticed() -> None:
    assert decode({"type": "Results", "channel": {"alternatives": []}}) == [
        Notice("unknown", "Results without alternatives")
    ]


def test_a_final_of_two_speakers_is_whose_words_are_more() -> None:
    said = [("hi", 0), ("oh", 1), ("hello", 1)]
    words = [{"word": word, "start": n, "end": n + 0.5, "speaker": who} for n, (word, who) in enumerate(said)]
    best = {"transcript": "hi oh hello", "words": words}
    frame = {"type": "Results", "is_final": True, "channel": {"alternatives": [best]}}
    heard = NovaCodec(NovaOptions(diarize=True)).decode(json.dumps(frame))[0]
    assert isinstance(heard, Heard) and heard.speaker == "1"
    assert [word.speaker for word in heard.words] == ["0", "1", "1"]
