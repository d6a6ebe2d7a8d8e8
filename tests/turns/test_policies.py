"""Endpointing and barge-in as pure functions."""

from __future__ import annotations

import pytest

from antiphon.kernel.policy import BargeInPolicy, TurnPolicy
from antiphon.turns.barge_in import Overlap, is_backchannel, is_command, judge, too_little
from antiphon.turns.endpointing import Evidence, delay, exceeds_limits, learn_pause, unfinished
from antiphon.turns.words import same_words, words_of

POLICY = TurnPolicy()
BARGE = BargeInPolicy()


def test_words_are_lower_case_without_punctuation() -> None:
    assert words_of("I'm OK, -- really? “Don’t”") == ["i'm", "ok", "really", "don't"]
    assert same_words("Hello, you!", "hello you") and not same_words("hello", "hello you")


def test_the_delay_stays_inside_its_bounds_and_falls_with_the_score() -> None:
    delays = [delay(POLICY, Evidence(text="fine", score=p / 10)) for p in range(-2, 13)]
    assert delays == sorted(delays, reverse=True)
    assert min(delays) == POLICY.min_delay and max(delays) == POLICY.max_delay
    assert delay(TurnPolicy(min_delay=2.0, max_delay=1.0), Evidence(score=0.0)) == 2.0


def test_the_latency_knob_trades_waiting_for_cutting_in() -> None:
    fast, slow = (delay(TurnPolicy(latency=x), Evidence(score=0.6)) for x in (1.0, 0.0))
    assert fast < delay(POLICY, Evidence(score=0.6)) < slow


@pytest.mark.parametrize("text", ["i want a coffee and", "well, um", "so i was thinking,", "to the", "my name is..."])
def test_text_that_goes_on_waits_longest_and_no_text_shortens(text: str) -> None:
    assert unfinished(text, POLICY) and delay(POLICY, Evidence(text=text, score=1.0)) == POLICY.max_delay


def test_finished_or_empty_text_changes_nothing() -> None:
    assert not unfinished("", POLICY) and not unfinished("a coffee", POLICY)


def test_slow_speakers_and_digits_raise_the_floor() -> None:
    calm = delay(POLICY, Evidence(score=0.9))
    assert delay(POLICY, Evidence(score=0.5, usual_pause=1.2)) > delay(POLICY, Evidence(score=0.5))
    assert delay(POLICY, Evidence(score=0.9, expectation="digits")) > calm
    assert delay(POLICY, Evidence(score=0.9, expectation="yes_no")) == calm
    assert learn_pause(0.0, 0.8) == 0.8 and 0.4 < learn_pause(0.4, 0.8) < 0.8


def test_limits() -> None:
    assert not exceeds_limits(POLICY, "a b c", 99.0)
    assert exceeds_limits(TurnPolicy(max_words=2), "a b c", 0.0)
    assert exceeds_limits(TurnPolicy(max_duration=5.0), "", 6.0)


def test_lists_and_commands() -> None:
    assert is_backchannel("Uh-huh.", BARGE) and not is_backchannel("stop", BARGE)
    assert is_command("wait, what", BARGE) and not is_command("waiter", BARGE)
    own = BargeInPolicy(backchannels=("genau",), commands=("halt",), min_words=2)
    assert is_backchannel("genau", own) and not is_backchannel("mhm", own) and is_command("halt mal", own)
    assert too_little("nein", own) and not too_little("halt", own)


@pytest.mark.parametrize(
    ("overlap", "verdict"),
    [
        (Overlap("", 0.2, True), "undecided"),
        (Overlap("", 0.7, True), "hold"),
        (Overlap("", 3.5, True), "false"),
        (Overlap("", 0.3, False, quiet=0.1), "undecided"),
        (Overlap("", 0.3, False, quiet=0.6), "false"),
        (Overlap("mhm", 0.3, True), "undecided"),
        (Overlap("mhm", 0.3, False, quiet=0.6), "backchannel"),
        (Overlap("stop", 0.1, True), "interruption"),
        (Overlap("but why", 0.1, True), "interruption"),
    ],
)
def test_verdicts(overlap: Overlap, verdict: str) -> None:
    assert judge(BARGE, overlap) == verdict


def test_a_caller_who_goes_on_needs_no_minimum_of_words() -> None:
    strict = BargeInPolicy(min_words=3)
    assert judge(strict, Overlap("with milk", 0.4, True)) == "undecided"
    assert judge(strict, Overlap("with milk", 0.4, True, continues=True)) == "interruption"


def test_voice_alone_interrupts_only_where_the_recogniser_gives_no_words_in_time() -> None:
    finals_only = BargeInPolicy(wordless_after=1.2)
    assert judge(finals_only, Overlap("", 1.1, True)) == "hold"
    assert judge(finals_only, Overlap("", 1.3, True)) == "interruption"
    assert judge(BARGE, Overlap("", 1.3, True)) == "hold"
    assert judge(BARGE, Overlap("", 3.1, True)) == "false"
