"""A process that holds a session is killed; another goes on from the file. See ``killed.py``."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def outcomes() -> dict[str, list[dict[str, Any]]]:
    done = subprocess.run(
        [sys.executable, Path(__file__).with_name("killed.py"), "8"],
        capture_output=True, text=True, timeout=240, env={**os.environ, "PYTHONPATH": str(ROOT / "src")}, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told: dict[str, list[dict[str, Any]]] = json.loads(done.stdout)
    return told


@pytest.fixture(scope="module")
def kills(outcomes: dict[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    *killed, last = outcomes["kills"]
    assert not last["killed"] and len(killed) > 20
    return killed


def test_no_acknowledged_fact_is_lost(kills: list[dict[str, Any]]) -> None:
    assert [kill for kill in kills if kill["facts"] < kill["acknowledged"]] == []
    assert any(kill["acknowledged"] > 3 for kill in kills)


def test_the_log_has_no_gap_and_one_owner_an_epoch(kills: list[dict[str, Any]]) -> None:
    assert [kill for kill in kills if not kill["gapless"] or not kill["epochs"]] == []


def test_the_kernel_is_what_it_was_and_stays_so_for_the_next_owner(kills: list[dict[str, Any]]) -> None:
    assert [kill for kill in kills if not (kill["exact"] and kill["position"] and kill["same"])] == []


def test_the_dead_owners_lease_is_refused(kills: list[dict[str, Any]]) -> None:
    assert [kill for kill in kills if "another owner 'second'" not in kill["refused"]] == []


def test_the_conversation_grows_with_what_was_written_and_never_shrinks(kills: list[dict[str, Any]]) -> None:
    said = [kill["said"] for kill in kills]
    assert said[-1] == ["One tea, please.", "That is all."]
    for turns in said:
        assert turns == ["One tea, please.", "That is all."][: len(turns)]


def test_killed_in_the_middle_of_commits_it_keeps_all_that_was_acknowledged(
    outcomes: dict[str, list[dict[str, Any]]],
) -> None:
    assert [load["wrong"] for load in outcomes["loads"] if load["wrong"]] == []
    assert sum(load["acknowledged"] for load in outcomes["loads"]) > 100
