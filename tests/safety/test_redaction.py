"""Redaction: what goes, what stays, and that nothing gets loud."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from antiphon.kernel import events, facts
from antiphon.safety.detectors import card_numbers, email_addresses, national_ids, phone_numbers, spoken_digits
from antiphon.safety.redaction import DEFAULT, FAILED, TextRedaction


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("write to Jo.Do+x@mail.example.co.uk.", "write to [email]."),
        ("jo at example dot com please", "[email] please"),
        ("mary dot jane at big shop dot com", "mary dot jane at big shop dot com"),
        ("card 4111 1111 1111 1111, thanks", "card [card], thanks"),
        ("call +49 (0)30 901820 or (415) 555-0100", "call [phone] or [phone]"),
        ("on 2026-11-22 at 10:30 for 12 people, 3.50 each", "on 2026-11-22 at 10:30 for 12 people, 3.50 each"),
        ("four one five, five five five oh one double zero", "[digits]"),
        ("one two three, go", "one two three, go"),
        ("it is oh seven nine twelve thirty-four fifty six", "it is [digits]"),
        ("twenty, thirty or forty people", "twenty, thirty or forty people"),
        ("meine Nummer: null eins sieben sechs, zwo drei.", "meine Nummer: [digits]."),
        ("null eins sieben sechs dreiundzwanzig fünf und vierzig", "[digits]"),
        ("zwei Tee, drei Kaffee, vier Wasser", "zwei Tee, drei Kaffee, vier Wasser"),
        ("es el seis uno dos cero cero nueve tres", "es el [digits]"),
        ("seis doce treinta y cuatro cincuenta y seis setenta", "[digits]"),
        ("somos tres o cuatro, quizás cinco", "somos tres o cuatro, quizás cinco"),
        ("c'est le zéro six douze trente-quatre soixante-dix-huit quatre-vingt-dix", "c'est le [digits]"),
        ("zéro un deux trois quatre cinq", "[digits]"),
        ("un ou deux cafés, peut-être trois", "un ou deux cafés, peut-être trois"),
    ],
)
def test_the_default_detectors(text: str, redacted: str) -> None:
    assert TextRedaction().text(text) == redacted


def test_each_detector_alone() -> None:
    assert email_addresses("a@b") == "a@b"
    assert phone_numbers("order 12345") == "order 12345"
    assert spoken_digits("one one one one one one") == "[digits]"
    assert national_ids("078-05-1120 and DE89 3704 0044 0532 0130 00") == "[id] and [id]"
    assert national_ids("DE89 3704 0044 0532 0130 01") == "DE89 3704 0044 0532 0130 01"
    assert card_numbers("4111-1111-1111-1112") == "4111-1111-1111-1112"
    assert card_numbers("0000 0000 0000 0000") == "0000 0000 0000 0000"


def test_facts_and_events_stay_what_they_are() -> None:
    redaction = TextRedaction()
    intent = facts.ToolIntent(
        call_id="call_4155550100", item="i", name="book", effect="write", retry="never", key="4155550100", speech="s",
        arguments='{"phone": 4155550100, "mail": "a@b.co", "id": "4155550100", "n": [2, true, null]}',
    )  # fmt: skip
    data = redaction.data(msgspec.to_builtins(intent))
    assert json.loads(data["arguments"]) == {
        "phone": "[phone]",
        "mail": "[email]",
        "id": "[phone]",
        "n": [2, True, None],
    }
    back = msgspec.convert(data, facts.AnyFact)  # type: ignore[arg-type]
    assert back.call_id == "call_4155550100" and back.key == "4155550100"
    digit = redaction.data(msgspec.to_builtins(events.Dtmf(leg="l", digit="7")))
    assert msgspec.convert(digit, events.AnyEvent).digit == "*"  # type: ignore[arg-type]


def test_a_number_spread_over_words_and_the_beginning_of_one() -> None:
    words = (("415", 0, 10), ("555", 10, 20), ("0100", 20, 30))
    event = events.Synthesised(op=(0, 1), index=0, start=0, samples=30, done=True, words=words)
    data = TextRedaction().data(msgspec.to_builtins(event))
    assert [w[0] for w in data["words"]] == ["[redacted]"] * 3 and data["words"][2][1:] == [20, 30]
    harmless = TextRedaction().data({"words": [("hi", 0, 1)]})
    assert harmless == {"words": [["hi", 0, 1]]}
    partial = events.Partial(segment="s", revision=1, text="my number is 415 5")
    assert TextRedaction().data(msgspec.to_builtins(partial))["text"] == "my number is [digits]"


def test_users_own_redactors_and_failing_ones() -> None:
    assert (
        TextRedaction([*DEFAULT, lambda text: text.replace("Acme", "[company]")]).text("Acme, a@b.co")
        == "[company], [email]"
    )

    def broken(text: str) -> str:
        raise RuntimeError(text)

    for redactor in (broken, lambda text: None, lambda text: text[99], str.encode):
        assert TextRedaction([redactor]).text("secret") == FAILED  # type: ignore[list-item]
        assert TextRedaction([redactor]).data({"kind": "x", "text": "secret", "n": 3}) == {
            "kind": "x",
            "text": FAILED,
            "n": 3,
        }  # type: ignore[list-item]


def test_the_argument_is_not_changed_and_depth_is_bounded() -> None:
    data: dict[str, Any] = {"kind": "x", "body": {"text": "a@b.co", "list": ["a@b.co"]}}
    copy = json.loads(json.dumps(data))
    assert TextRedaction().data(data) == {"kind": "x", "body": {"text": "[email]", "list": ["[email]"]}}
    assert data == copy
    deep: Any = "a@b.co"
    for _ in range(300):
        deep = {"inner": deep}
    assert "a@b.co" not in str(TextRedaction().data(deep))
    assert TextRedaction().text("[" * 5000) == "[" * 5000
    assert TextRedaction().data({"text": "[" * 50_000}) is not None


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6) | st.sampled_from(["text", "words", "arguments", "digit", "kind"]), inner, max_size=4),
    max_leaves=20,
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(plain)
def test_any_plain_data_is_redacted_without_raising_and_the_same_twice(data: Any) -> None:
    redaction = TextRedaction()
    assert redaction.data(data) == redaction.data(data)
    json.dumps(redaction.data(data))


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=60), st.text(max_size=60))
def test_an_address_is_found_whatever_stands_around_it(before: str, after: str) -> None:
    assert "jo@example.com" not in TextRedaction().text(f"{before} jo@example.com {after}")


def test_long_texts_are_quick() -> None:
    for text in (
        "1 " * 50_000,
        "a@" * 50_000,
        "a." * 50_000 + "@",
        "one " * 50_000,
        "DE89 " * 30_000,
        "a dot " * 30_000,
    ):
        TextRedaction([*DEFAULT, national_ids]).text(text)
