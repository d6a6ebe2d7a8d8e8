"""What is said for what is written."""

from __future__ import annotations

import pytest

from antiphon.local.moonshine import Transcript, tidy
from antiphon.local.piper import LONGEST_SENTENCE, sentences
from antiphon.local.spoken_text import say, speakable
from antiphon.local.stt import Segment, heard


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("7:30", "seven thirty"),
        ("7:05pm,", "seven oh five PM,"),
        ("10:00", "ten o'clock"),
        ("14:00.", "fourteen hundred."),
        ("555-0123", "five five five, zero one two three"),
        ("47291.", "four seven two nine one."),
        ("5-10", "5 to 10"),
        ("bob@example.com,", "bob at example dot com,"),
        ("www.example.org", "W W W dot example dot org"),
        ("e.g.", "for example"),
        ("**bold**", "bold"),
        ("\U0001f600", ""),
        ("$4.50,", "$4.50,"),
        ("3.14", "3.14"),
        ("p.m.", "p.m."),
        ("(latte)", "(latte)"),
        ("-", ""),
    ],
)
def test_words(written: str, said: str) -> None:
    assert say(written).strip() == said


def test_every_written_word_keeps_its_place() -> None:
    text = "Call 555-0123 \U0001f600 at 7:30 !"
    assert [written for written, _ in speakable(text)] == text.split()


def test_long_text_is_cut_at_marks() -> None:
    text = "One thing, " * 60 + "and the end. Next! " + "x" * 500
    pieces = sentences(text)
    assert all(len(piece) <= LONGEST_SENTENCE for piece in pieces)
    assert "".join(pieces).replace(" ", "") == text.replace(" ", "")


def test_loops_are_cut() -> None:
    assert tidy(" Add by add by add by add by") == "Add by"
    assert tidy("no no no") == "no no no"
    assert tidy("the the the the the cat") == "the cat"
    assert tidy("I said hello hello and left") == "I said hello hello and left"
    assert tidy("A latte with milk please latte with milk please latte with") == "A latte with milk please"
    assert tidy("with milk please I said with milk please") == "with milk please I said with milk please"
    number = "four one five, five five five five, two six two six two six"
    assert tidy(number) == number, "digits are repeated"
    assert tidy("It is 5 5 5 5 5 5 5 5") == "It is 5"
    assert tidy("no thanks no thanks no") == "no thanks no thanks no"


@pytest.mark.parametrize(
    ("text", "is_heard"), [("555-2671", True), ("It's 415 555 2671.", True), ("You.", False), ("Bye 2", False)]
)
def test_figures_take_as_long_to_say_as_words(text: str, is_heard: bool) -> None:
    segment = Segment("s1", 0.0, b"")
    segment.speech = 3.0
    assert heard(Transcript(text, 0.8), segment) is is_heard
