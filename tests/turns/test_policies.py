"""Endpointing and barge-in as pure functions."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from antiphon.kernel.policy import BargeInPolicy, TurnPolicy
from antiphon.turns.barge_in import Overlap, is_backchannel, is_command, judge, too_little
from antiphon.turns.endpointing import (
    Evidence,
    again,
    delay,
    exceeds_limits,
    learn_pause,
    likely,
    reads_out,
    unfinished,
)
from antiphon.turns.expectation import Expectation
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
    assert unfinished(text, POLICY, "en") and delay(POLICY, Evidence(text=text, score=1.0)) == POLICY.max_delay


def test_finished_or_empty_text_changes_nothing() -> None:
    assert not unfinished("", POLICY, "en") and not unfinished("a coffee", POLICY, "en")


def test_slow_speakers_raise_the_floor() -> None:
    assert delay(POLICY, Evidence(score=0.5, usual_pause=1.2)) > delay(POLICY, Evidence(score=0.5))
    assert learn_pause(0.0, 0.8) == 0.8 and 0.4 < learn_pause(0.4, 0.8) < 0.8
    assert learn_pause(0.4, 30.0) == learn_pause(0.4, -1.0) == 0.4


PHONE = Expectation("digits", 10)


def test_a_number_with_digits_missing_waits_longest_whatever_the_audio_says() -> None:
    seven, ten = "five five five one two three four", "five five five one two three four five six seven"
    assert delay(POLICY, Evidence(text=seven, score=0.99, expects=PHONE)) == POLICY.max_delay
    assert delay(POLICY, Evidence(text=seven, score=0.99)) == POLICY.min_delay
    assert delay(POLICY, Evidence(text=ten, score=0.6, expects=PHONE)) == POLICY.min_delay
    assert delay(POLICY, Evidence(text=ten, score=0.4, expects=PHONE)) > POLICY.min_delay
    assert delay(POLICY, Evidence(text=ten, expects=PHONE)) > POLICY.min_delay, "the audio has to agree"


def test_a_yes_to_a_yes_or_no_question_ends_where_the_audio_agrees() -> None:
    asked = Expectation("yes_no")
    assert delay(POLICY, Evidence(text="yes please", score=0.55, expects=asked)) == POLICY.min_delay
    assert delay(POLICY, Evidence(text="yes please", score=0.55)) > POLICY.min_delay
    assert delay(POLICY, Evidence(text="yes please", score=0.1, expects=asked)) > 1.0


def test_a_complete_sentence_shortens_nothing() -> None:
    plain = delay(POLICY, Evidence(score=0.5))
    assert delay(POLICY, Evidence(text="I would like a coffee.", score=0.5)) == plain


def test_who_reads_something_out_has_time_where_no_score_helps() -> None:
    read = Evidence(text="a b seven", expects=Expectation("digits"))
    assert reads_out(read) and not reads_out(Evidence(text="a b seven"))
    assert delay(POLICY, read) > delay(POLICY, Evidence(text="a b seven"))


def test_a_name_may_end_in_a_letter_that_is_a_word() -> None:
    spelling = Expectation("spelling")
    assert delay(POLICY, Evidence(text="a n n a", score=0.9, expects=spelling)) < 0.5
    assert delay(POLICY, Evidence(text="a n n and", score=0.9, expects=spelling)) == POLICY.max_delay


def test_a_score_made_later_counts_from_later() -> None:
    assert delay(POLICY, Evidence(score=0.5, scored_at=0.4)) > delay(POLICY, Evidence(score=0.5, scored_at=0.2))


def test_only_uncertain_scores_are_asked_for_again_and_not_for_ever() -> None:
    assert again(0.5, 1) and again(0.5, 2) and not again(0.5, 3)
    assert not again(0.05, 1) and not again(0.95, 1) and not again(None, 1)


def test_a_reply_is_worth_preparing_where_the_end_is_likely_or_nobody_can_tell() -> None:
    assert likely(POLICY, Evidence(text="a coffee")) and likely(POLICY, Evidence(text="a coffee", score=0.35))
    assert not likely(POLICY, Evidence(text="a coffee", score=0.25))
    assert not likely(POLICY, Evidence(text="a coffee and", score=0.9))
    assert not likely(POLICY, Evidence(text="five five five", score=0.9, expects=PHONE))


def test_limits() -> None:
    assert not exceeds_limits(POLICY, "a b c", 99.0)
    assert exceeds_limits(TurnPolicy(max_words=2), "a b c", 0.0)
    assert exceeds_limits(TurnPolicy(max_duration=5.0), "", 6.0)


def test_lists_and_commands() -> None:
    assert is_backchannel("Uh-huh.", BARGE) and not is_backchannel("stop", BARGE)
    assert (
        is_backchannel("oh yeah, I see", BARGE)
        and not is_backchannel("yeah but", BARGE)
        and not is_backchannel("", BARGE)
    )
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


def test_the_table_in_the_documents_is_what_is_waited() -> None:
    page = (Path(__file__).parents[2] / "docs" / "turn-taking.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (0\.\d+)(, or no score)? \|(.*)\|$", page, re.MULTILINE)
    assert len(rows) == 7
    for score, none_too, cells in rows:
        told = [float(cell) for cell in cells.split("|")]
        for known in [float(score), None] if none_too else [float(score)]:
            for latency, seconds in zip((0.0, 0.25, 0.5, 0.75, 1.0), told, strict=True):
                waits = delay(TurnPolicy(latency=latency), Evidence(score=known))
                assert waits == pytest.approx(seconds, abs=0.006), (score, latency)
