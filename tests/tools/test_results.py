"""What tools return, as models read it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from pydantic import BaseModel

from antiphon import ToolError
from antiphon.tools.policy import says_yes
from antiphon.tools.results import RESULT_LIMIT, result_text


@dataclass
class Room:
    number: int


class Guest(BaseModel):
    name: str


class Odd:
    def __str__(self) -> str:
        return "odd"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("plain", "plain"),
        ({"a": [1, None]}, '{"a": [1, null]}'),
        (Room(3), '{"number": 3}'),
        (Guest(name="Zoë"), '{"name":"Zoë"}'),
        ([Guest(name="Ann")], '[{"name": "Ann"}]'),
        (Odd(), '"odd"'),
    ],
)
def test_values_become_text(value: Any, text: str) -> None:
    assert result_text(value) == text


def test_what_is_too_long_is_cut_and_says_so() -> None:
    text = result_text("x" * 5_000_000)
    assert len(text) < RESULT_LIMIT + 100 and "5,000,000 characters" in text
    assert result_text(list(range(100)), limit=10).startswith("[0, 1, 2, ")


@pytest.mark.parametrize("value", [b"raw", bytearray(b"raw"), {"image": b"raw"}, [memoryview(b"raw")]])
def test_bytes_are_refused(value: Any) -> None:
    with pytest.raises(ToolError, match="cannot read"):
        result_text(value)


def test_a_value_that_contains_itself_is_refused() -> None:
    loop: list[Any] = []
    loop.append(loop)
    with pytest.raises(ToolError, match="contains itself"):
        result_text(loop)


@pytest.mark.parametrize(
    "text", ["Yes.", "Yeah, do it", "Okay", "that's right", "Sure, go ahead", "yes please cancel it"]
)
def test_a_clear_yes_is_one(text: str) -> None:
    assert says_yes(text)


@pytest.mark.parametrize(
    "text",
    [
        "No.",
        "Yes, but not the second one",
        "Well, maybe",
        "okay what does it cost?",
        "don't",
        "Wait, yes",
        "the blue one",
        "",
    ],
)
def test_everything_else_is_none(text: str) -> None:
    assert not says_yes(text)


def test_other_languages_agree_in_their_own_words() -> None:
    assert says_yes("Ja, genau", "de-AT") and not says_yes("Ja, aber nicht heute", "de")
    assert says_yes("sí, claro", "es") and says_yes("oui", "fr") and says_yes("oui", "nl")
    assert not says_yes("yes", "de")
