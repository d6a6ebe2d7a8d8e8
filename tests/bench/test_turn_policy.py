"""The shipped policy on pauses made by hand: it is endpointing's own delay, with its own second looks."""

from __future__ import annotations

import math

import msgspec
import pytest

from antiphon.bench.turn_data import Pause
from antiphon.bench.turn_policy import LATENCIES, ended_at, policy_curve, policy_figures
from antiphon.bench.turn_scores import ScoredPause
from antiphon.kernel.policy import TurnPolicy
from antiphon.turns.endpointing import Evidence, delay
from antiphon.turns.expectation import Expectation

POLICY = TurnPolicy()


def end(*scores: float, text: str = "") -> ScoredPause:
    return ScoredPause(Pause("set", "t", "s", math.inf, text=text), scores)


def hold(length: float, *scores: float) -> ScoredPause:
    return ScoredPause(Pause("set", "t", "s", length), scores)


def test_a_sure_end_is_answered_at_the_least_delay() -> None:
    assert ended_at(end(0.99, 0.99, 0.99), POLICY) == POLICY.min_delay


def test_without_a_score_words_and_silence_decide() -> None:
    assert ended_at(end(), POLICY) == delay(POLICY, Evidence())
    assert ended_at(end(text="I would like to"), POLICY) == POLICY.max_delay


def test_an_unsure_pause_is_looked_at_again() -> None:
    once = delay(POLICY, Evidence(score=0.4, scored_at=0.2))
    assert once > 0.4
    assert ended_at(end(0.4), POLICY) == once
    assert ended_at(end(0.4, 0.99, 0.1), POLICY) == 0.4, "the second look is sure, and the third comes too late"
    assert ended_at(end(0.4, 0.4, 0.02), POLICY) > once


def test_a_sure_pause_is_not_looked_at_again() -> None:
    assert ended_at(end(0.01, 0.99, 0.99), POLICY) == delay(POLICY, Evidence(score=0.01, scored_at=0.2))


def test_what_was_asked_for_counts() -> None:
    digits = msgspec.structs.replace(end(0.4).pause, expects=Expectation("digits"), text="five five")
    waits = ended_at(ScoredPause(digits, (0.4, 0.4, 0.4)), POLICY)
    assert waits != ended_at(end(0.4, 0.4, 0.4, text="five five"), POLICY)


def test_figures_beside_silence_alone() -> None:
    scored = [end(0.99, 0.99, 0.99), end(0.99, 0.99, 0.99), hold(0.9, 0.01, 0.01, 0.01), hold(0.35, 0.99)]
    own = policy_figures(scored, POLICY)
    assert own is not None
    assert (own.cut, own.mean, own.p95) == (0.5, pytest.approx(0.3), pytest.approx(0.3))
    assert own.vad_at_mean == own.vad_at_p95 == 1.0 and own.limit == 0.0
    assert policy_figures([end(0.5)], POLICY) is None, "no pauses, no share of them"


def test_the_knob_runs_from_few_interruptions_to_quick_answers() -> None:
    curve = policy_curve([end(0.6, 0.6, 0.6), hold(0.5, 0.6, 0.6)])
    assert [point.latency for point in curve] == list(LATENCIES)
    assert [point.mean for point in curve] == sorted((point.mean for point in curve), reverse=True)
