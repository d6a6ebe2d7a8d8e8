"""The eot-bench metric on pauses made by hand, whose answers can be worked out on paper."""

from __future__ import annotations

import math

import pytest

from antiphon.bench.turn_data import Pause
from antiphon.bench.turn_metric import GRID, SILENCE_GRID, board, cut_by_silence, cut_turns, figures


def hold(length: float, *, turn: str = "t", speaker: str = "s", slices: tuple[str, ...] = ()) -> Pause:
    return Pause("set", turn, speaker, length, slices=slices)


def end(*, turn: str = "t", speaker: str = "s", slices: tuple[str, ...] = ()) -> Pause:
    return Pause("set", turn, speaker, math.inf, slices=slices)


def test_the_grid_is_eot_benchs() -> None:
    assert len(GRID) == 101 * 9 * 6
    assert GRID[0] == (0.0, 0.2, 1.0) and GRID[-1] == (1.0, 1.0, 3.5)
    assert len(SILENCE_GRID) == 331, "every 10 ms from 0.2 to 3.5 s"


def test_a_perfect_detector_answers_at_once_and_cuts_nobody() -> None:
    own = figures([hold(0.9), hold(0.7), end(), end()], [0.1, 0.2, 0.9, 0.8], rounds=10)
    assert (own.cut_300, own.cut_600) == (0.0, 0.0)
    assert own.lat_5 == own.lat_10 == pytest.approx(0.2)
    assert (own.p50, own.p95, own.per_turn) == (pytest.approx(0.2), pytest.approx(0.2), 0.0)


def test_a_constant_score_is_a_fixed_delay() -> None:
    """Fired on all: the delay decides. 0.5 s cuts the pauses that are longer than that."""
    pauses = [hold(0.35), hold(0.45), hold(0.55), hold(0.65), end()]
    own = figures(pauses, [0.5] * 5, rounds=10)
    assert own.cut_300 == pytest.approx(1.0), "0.3 s cuts all four"
    assert own.cut_600 == pytest.approx(0.25), "0.6 s cuts one"
    assert own.lat_5 == pytest.approx(0.7)


def test_silence_alone_has_every_ten_milliseconds() -> None:
    own = figures([hold(0.305), hold(0.615), end()], None, rounds=10)
    assert own.cut_300 == pytest.approx(1.0) and own.cut_600 == pytest.approx(0.5)
    assert own.lat_5 == own.lat_10 == pytest.approx(0.62)


def test_the_missed_end_waits_for_the_time_out() -> None:
    """One of two ends is missed: nothing under (0.2 + 1.0) / 2 s but by answering the pause as well."""
    own = figures([hold(2.0), end(), end()], [0.5, 0.9, 0.1], rounds=10)
    assert own.cut_300 == 1.0
    assert own.lat_5 == pytest.approx((0.2 + 2.0) / 2)


def test_a_pause_is_cut_only_if_the_caller_is_still_silent() -> None:
    assert cut_by_silence([hold(0.5), end()], 0.5) == 0.0
    assert cut_by_silence([hold(0.5), end()], 0.499) == 1.0


def test_a_mark_that_no_setting_reaches_is_not_a_number_but_none() -> None:
    own = figures([hold(4.9), end()], [0.9, 0.1], rounds=10)
    assert own.lat_5 is None and "lat_5" not in own.ci95


def test_turns_count_once_however_often_they_are_cut() -> None:
    pauses = [hold(1.0, turn="a"), hold(1.0, turn="a"), end(turn="a"), hold(0.3, turn="b"), end(turn="b")]
    assert cut_turns(pauses, [0.5] * 5) == 0.5


def test_the_interval_resamples_speakers_and_is_the_same_for_the_same_seed() -> None:
    one = [hold(1.0, speaker="a")] * 20 + [end(speaker="a")]
    other = [hold(0.21, speaker="b")] * 20 + [end(speaker="b")]
    own = figures(one + other, None, seed=3)
    assert own.cut_600 == 0.5
    assert own.ci95["cut_600"] == (0.0, 1.0), "two speakers, so all or nothing"
    assert own.ci95 == figures(one + other, None, seed=3).ci95
    assert own.ci95 != figures(one + other + [hold(0.7, speaker="c")], None, seed=3).ci95


def test_slices_are_reported_at_the_settings_of_the_whole_set() -> None:
    pauses = [hold(0.65, slices=("short",)), hold(0.4, slices=("long",)), end(slices=("long",))]
    own = figures(pauses, None, rounds=10)
    assert own.slices["short"] == {"holds": 1, "ends": 0, "cut": 1.0}
    assert own.slices["long"] == {"holds": 1, "ends": 1, "cut": 0.0, "latency": pytest.approx(0.4)}


def test_speakers_add_up() -> None:
    made = board([hold(1.0, speaker="a"), hold(0.3, speaker="b"), end(speaker="b")], [0.9, 0.9, 0.9])
    assert made.holds.tolist() == [1, 1] and made.ends.tolist() == [0, 1]
    setting = made.settings.index((0.5, 0.5, 1.0))
    assert made.cut[:, setting].tolist() == [1, 0] and made.late[:, setting].tolist() == [0, 0.5]
