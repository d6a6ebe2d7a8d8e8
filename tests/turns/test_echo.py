"""Echo by words."""

from __future__ import annotations

import pytest

from antiphon.kernel.policy import BargeInPolicy
from antiphon.turns.echo import in_order, is_echo

SAYING = "your large latte will be ready in five minutes okay stop by"


@pytest.mark.parametrize(
    ("heard", "echo"),
    [
        ("large latte will be", True),
        ("Your large lattes will be ready", True),
        ("latte", True),
        ("will", True),
        ("", False),
        ("five minutes is too long", False),
        ("minutes five in ready", False),
        ("by", True),
        ("stop", False),
        ("no I said tea", False),
    ],
)
def test_what_the_agent_says_is_an_echo_and_what_the_caller_says_is_not(heard: str, echo: bool) -> None:
    assert is_echo(heard, SAYING, BargeInPolicy()) == echo


def test_a_silent_agent_has_no_echo() -> None:
    assert not is_echo("hello there", "", BargeInPolicy())


def test_words_in_their_order() -> None:
    assert in_order(["a", "b", "c"], ["a", "x", "b", "c"]) == 3
    assert in_order(["c", "b", "a"], ["a", "b", "c"]) == 1
