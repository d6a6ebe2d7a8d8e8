"""What is not spoken."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon import ConfigurationError
from antiphon.session.text_transforms import compile_transforms, filter_emoji, filter_markdown, replace


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("**bold** and *soft* `code`", "bold and soft code"),
        ("# Heading\n- one\n- two", "Heading\none\ntwo"),
        ("see [the page](http://x.test/a)", "see the page"),
        ("2 * 3 * 4", "2 * 3 * 4"),
        ("snake_case stays", "snake_case stays"),
        ("---", ""),
    ],
)
def test_markdown(written: str, spoken: str) -> None:
    assert filter_markdown(written) == spoken


def test_emoji() -> None:
    assert filter_emoji("Great \U0001f600 job \u2764\ufe0f!") == "Great job !"


def test_replace_whole_words() -> None:
    assert replace({"SQL": "sequel", "C++": "C plus plus"})("SQL, MySQL and C++") == "sequel, MySQL and C plus plus"
    assert replace({})("same") == "same"


def test_chain_and_unknown_name() -> None:
    run = compile_transforms(["filter_markdown", str.upper])
    assert run("**a**") == "A"
    assert compile_transforms(None)("**a**") == "**a**"
    with pytest.raises(ConfigurationError, match="shout"):
        compile_transforms(["shout"])


@given(st.text(max_size=300))
def test_never_fails(text: str) -> None:
    compile_transforms(["filter_markdown", "filter_emoji"])(text)
