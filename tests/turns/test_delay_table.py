"""The calibrated delay: its formula against a search, its directions, and its numbers against the data they come from."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from antiphon.turns.delay_table import MEAN_PAUSE, SCORED_AT, Profile, best_delay

ROOT = Path(__file__).parents[2]
DATA = ROOT.parent / "shared" / "turn-data"

scores = st.floats(0.0, 1.0)
costs = st.floats(0.1, 20.0)
profiles = st.sampled_from(sorted(MEAN_PAUSE))


@settings(deadline=None)
@given(scores, costs, profiles, st.floats(0.2, 1.0))
def test_no_other_delay_costs_less(score: float, cost: float, profile: Profile, at: float) -> None:
    sure = min(max(score, 0.01), 0.99)
    broken_off, complete = MEAN_PAUSE[profile]
    mean = broken_off + (complete - broken_off) * sure

    def loss(delay: float) -> float:
        return sure * delay + cost * (1 - sure) * math.exp(-(delay - at) / mean)

    best = best_delay(score, cost, profile, at=at)
    assert best >= at
    assert all(loss(best) <= loss(at + step / 100) + 1e-9 for step in range(600))


@settings(deadline=None)
@given(scores, scores, costs, profiles)
def test_the_surer_the_end_the_shorter_the_wait(one: float, other: float, cost: float, profile: Profile) -> None:
    low, high = sorted((one, other))
    assert best_delay(low, cost, profile) >= best_delay(high, cost, profile)


@settings(deadline=None)
@given(scores, costs, costs, profiles)
def test_the_dearer_an_interruption_the_longer_the_wait(
    score: float, one: float, other: float, profile: Profile
) -> None:
    low, high = sorted((one, other))
    assert best_delay(score, low, profile) <= best_delay(score, high, profile)


@settings(deadline=None)
@given(st.floats(0.02, 0.98), costs, profiles)
def test_a_small_error_of_the_score_is_a_small_change_of_the_delay(score: float, cost: float, profile: Profile) -> None:
    moved = 1 / (1 + math.exp(-(math.log(score / (1 - score)) + 0.1)))
    assert abs(best_delay(score, cost, profile) - best_delay(moved, cost, profile)) < 0.15


def test_a_sure_end_is_answered_at_once_and_a_sure_pause_is_waited_for() -> None:
    assert best_delay(1.0, 1.0) == SCORED_AT
    assert best_delay(1.0, 0.0) == SCORED_AT
    assert 1.2 < best_delay(0.05, 1.0) < 2.0
    assert best_delay(0.5, 1.0, "digits") < best_delay(0.5, 1.0), "between digits people pause shorter"


def test_the_numbers_are_those_that_the_training_script_prints() -> None:
    if not (DATA / "mrda_pauses.jsonl.gz").exists():
        pytest.skip("the turn-taking data is not here")
    command = [sys.executable, str(ROOT / "training" / "turn_heads" / "pauses.py"), str(DATA)]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert f"MEAN_PAUSE = {MEAN_PAUSE}" in printed
