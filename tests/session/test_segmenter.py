"""Text to speakable segments."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.session.segmenter import Segmenter


def cut(text: str, size: int = 3) -> list[str]:
    segmenter = Segmenter()
    out: list[str] = []
    for at in range(0, len(text), size):
        out += segmenter.push(text[at : at + size])
    return out + segmenter.flush()


@pytest.mark.parametrize(
    ("text", "segments"),
    [
        ("", []),
        ("   ", []),
        ("Hi.", ["Hi."]),
        ("Sure, one latte. It costs 3.50 today. Bye.", ["Sure, one latte. ", "It costs 3.50 today. ", "Bye."]),
        ("Certainly sir, I will look. One moment.", ["Certainly sir, ", "I will look. One moment."]),
        ("Dr. Smith is in at 9 a.m. on Monday. Come then.", ["Dr. Smith is in at 9 a.m. on Monday. ", "Come then."]),
        ("Is that all for today? Great!", ["Is that all for today? ", "Great!"]),
        ("First line of it\nSecond line of the text\n", ["First line of it\n", "Second line of the text\n"]),
    ],
)
def test_cuts_where_a_speaker_would_breathe(text: str, segments: list[str]) -> None:
    assert cut(text) == segments


@given(st.text(max_size=600), st.integers(1, 40))
def test_loses_and_adds_nothing(text: str, size: int) -> None:
    segments = cut(text, size)
    assert "".join(segments).split() == text.split()
    assert all(segment.strip() for segment in segments)


@given(st.text(alphabet="abc .,!?", max_size=400))
def test_segments_stay_short(text: str) -> None:
    assert all(len(segment.rstrip()) <= 260 for segment in cut(text))
