"""Days and times in the caller's words: what the model may write, and what is reckoned from it."""

from __future__ import annotations

import json
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.local import call_lines
from antiphon.local.spoken_digits import joined
from antiphon.local.spoken_times import day_of, in_words, resolve
from antiphon.models.llm import ToolSpec

TUESDAY = date(2026, 11, 24)
BOOK = ToolSpec(
    "book-table",
    "Book a table.",
    {
        "type": "object",
        "$defs": {"Slot": {"type": "object", "properties": {"at": {"type": "string", "format": "time"}}}},
        "properties": {
            "day": {"type": "string", "format": "date"},
            "until": {"anyOf": [{"type": "string", "format": "date-time"}, {"type": "null"}], "default": None},
            "slots": {"type": "array", "items": {"$ref": "#/$defs/Slot"}},
            "note": {"type": "string"},
        },
        "required": ["day"],
    },
)


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("today", "2026-11-24"),
        ("tomorrow", "2026-11-25"),
        ("Day after tomorrow", "2026-11-26"),
        ("yesterday", "2026-11-23"),
        ("friday", "2026-11-27"),
        ("tuesday", "2026-12-01"),
        ("next friday", "2026-12-04"),
        ("wednesday next week", "2026-12-02"),
        ("last tuesday", "2026-11-17"),
        ("last monday", "2026-11-23"),
        ("in 3 days", "2026-11-27"),
        ("in 2 weeks", "2026-12-08"),
        ("in 3 months", "2027-02-24"),
        ("3 march", "2027-03-03"),
        ("1 november", "2026-11-01"),
        ("24 november", "2026-11-24"),
        ("29 february", "2028-02-29"),
        ("5 may 1984", "1984-05-05"),
        ("2026-12-24", "2026-12-24"),
        ("31 february", "31 february"),
        ("some day", "some day"),
    ],
)
def test_days(said: str, meant: str) -> None:
    assert resolve("date", said, TUESDAY) == meant


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("14:30", "14:30:00"),
        ("9:05", "09:05:00"),
        ("3 pm", "15:00:00"),
        ("12 am", "00:00:00"),
        ("12:15 pm", "12:15:00"),
        ("noon", "12:00:00"),
        ("midnight", "00:00:00"),
        ("half past nine", "09:30:00"),
        ("half past six", "18:30:00"),
        ("quarter to one", "12:45:00"),
        ("quarter to twelve", "11:45:00"),
        ("twenty-five past eleven in the evening", "23:25:00"),
        ("five to seven in the morning", "06:55:00"),
        ("three", "15:00:00"),
        ("25:00", "25:00"),
        ("late", "late"),
    ],
)
def test_times_of_day(said: str, meant: str) -> None:
    assert resolve("time", said, TUESDAY) == meant


def test_a_day_with_a_time() -> None:
    assert resolve("date-time", "Friday at half past four", TUESDAY) == "2026-11-27T16:30:00"
    assert resolve("date-time", "friday", TUESDAY) == "friday"


@given(st.dates(date(1990, 1, 1), date(2060, 1, 1)), st.integers(-400, 800))
def test_what_a_prompt_says_of_a_day_means_that_day(today: date, away: int) -> None:
    day = today + timedelta(away)
    assert day_of(in_words(day.isoformat(), today), today) == day


@given(st.text(max_size=30))
def test_anything_else_stays_as_it_is_or_is_a_day(text: str) -> None:
    for kind in ("date", "time", "date-time"):
        resolve(kind, text, TUESDAY)
    in_words(text, TUESDAY)


def test_the_values_of_a_call_are_reckoned_wherever_they_are() -> None:
    call = call_lines.read('book-table(day="friday", until="tomorrow at noon", slots=[{"at": "3 pm"}], note="friday")')
    assert call is not None and call[0] == "book-table"
    assert json.loads(call_lines.settle(BOOK, call[1], TUESDAY)) == {
        "day": "2026-11-27",
        "until": "2026-11-25T12:00:00",
        "slots": [{"at": "15:00:00"}],
        "note": "friday",
    }


def test_the_model_is_shown_words_and_reads_its_own_calls_in_words() -> None:
    assert call_lines.form(BOOK).startswith('book-table(day="<today|tomorrow|friday|3 march>"[, until="<tomorrow at')
    line = call_lines.write("book-table", '{"day": "2026-11-27", "at": "15:00:00", "note": "x"}', TUESDAY)
    assert line == 'book-table(day="friday", at="15:00", note="x")'


@pytest.mark.parametrize(
    ("said", "read"),
    [
        ("ticket four one seven please", "ticket 417 please"),
        ("five five five oh one four two", "5550142"),
        ("Seven-seven-one", "771"),
        ("for two one large", "for two one large"),
        ("one two three hundred", "one two three hundred"),
        ("one two three four hundred", "123 four hundred"),
        ("oh one two three", "oh 123"),
        ("nobody one's three", "nobody one's three"),
    ],
)
def test_rows_of_spoken_digits(said: str, read: str) -> None:
    assert joined(said) == read
