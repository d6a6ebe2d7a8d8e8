"""The table of faults: what is broken is shown and ends with status 1; a module that dies is not taken for a good one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults import Row, __main__

ROOT = Path(__file__).parents[2]


def table(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *words: str) -> tuple[int, list[str]]:
    monkeypatch.setattr(sys, "argv", ["test-faults", *words])
    status = __main__.main()
    return status, capsys.readouterr().out.splitlines()


@pytest.mark.parametrize(
    ("row", "status"),
    [
        (Row("a fault", 7, [], "of note"), 0),
        (Row("a fault", 7, ["trial 3: two owners"]), 1),
        (Row("a fault", 0, []), 1),
    ],
)
def test_what_is_broken_is_shown(
    row: Row, status: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(__main__, "row_of", lambda name, trials, seed: row)
    found, lines = table(capsys, monkeypatch, "store_owners")
    assert found == status and lines[0].split()[:3] == ["fault", "trials", "broken"]
    assert lines[1].startswith("a fault") and str(row.trials) in lines[1] and lines[1].endswith(row.note)
    assert [line.strip() for line in lines[2:]] == row.broken


def test_a_module_that_ends_without_a_word_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(__main__, "NAMES", [*__main__.NAMES, "none"])
    assert __main__.row_of("none", 1, 0).broken


def test_every_module_has_its_line() -> None:
    done = subprocess.run(
        [ROOT / "scripts" / "test-faults", "--trials", "1", "agent_protocol", "store_kills"],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(done.stdout.splitlines()) == 3
    assert {"agent_protocol", "store_kills", "store_owners"} <= set(__main__.NAMES)
