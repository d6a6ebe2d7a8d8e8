"""Of any history of processes on one store the invariants hold; and the checker sees where one does not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from tests.faults import Row
from tests.store.history import Done, Stored, broken

ROOT = Path(__file__).parents[2]


def did(
    process: str, kind: str, began: float, epoch: int, value: str = "", *, ttl: float = 1.0, took: float = 0.1
) -> Done:
    return Done(
        process=process, kind=kind, session="call", began=began, answered=began + took, good=True, epoch=epoch, value=value, ttl=ttl
    )  # fmt: skip


HISTORY = [
    did("p1", "claim", 0.0, 2),
    did("p1", "append", 0.2, 2, "a"),
    did("p1", "append", 0.3, 2, "b"),
    did("p2", "claim", 3.0, 3),
    did("p2", "append", 3.2, 3, "c"),
]
STORED = Stored(3, 3, [(1, 2, "a"), (2, 2, "b"), (3, 3, "c")])


def found(history: list[Done], stored: Stored | None = STORED) -> str:
    return "\n".join(broken(history, {} if stored is None else {"call": stored}))


def test_a_good_history_is_good() -> None:
    assert found(HISTORY) == ""
    unknown = msgspec.structs.replace(HISTORY[2], answered=float("inf"), good=False)
    assert found([*HISTORY[:2], unknown, *HISTORY[3:]]) == "", "what nobody answered may be stored"
    assert found([*HISTORY, msgspec.structs.replace(HISTORY[4], value="d", good=False)]) == "", "or not"


@pytest.mark.parametrize(
    ("says", "history", "stored"),
    [
        ("lost", HISTORY, None),
        ("entries, not 1 to 3", HISTORY, Stored(3, 3, STORED.entries[:2])),
        ("entries, not 1 to 3", HISTORY, Stored(3, 3, [(1, 2, "a"), (3, 2, "b"), (4, 3, "c")])),
        ("epochs go down", HISTORY, Stored(3, 3, [(1, 2, "a"), (2, 3, "c"), (3, 2, "b")])),
        ("epochs go down, or beyond 2", HISTORY, Stored(2, 3, STORED.entries)),
        ("stored twice", HISTORY, Stored(3, 4, [*STORED.entries, (4, 3, "c")])),
        ("appended by nobody", HISTORY, Stored(3, 4, [*STORED.entries, (4, 3, "ghost")])),
        ("acknowledged for epoch 3", HISTORY, Stored(3, 2, STORED.entries[:2])),
        ("order of its appends", HISTORY, Stored(3, 3, [(1, 2, "b"), (2, 2, "a"), (3, 3, "c")])),
        ("several owners: ['p1', 'p3']", [*HISTORY, did("p3", "claim", 2.0, 2)], STORED),
        (
            "several owners: ['p1', 'p2']",
            HISTORY,
            Stored(3, 3, [(1, 2, "a"), (2, 2, "c"), (3, 3, "b")]),
        ),
        ("began behind the claim of 3", [*HISTORY, did("p1", "renew", 3.5, 2)], STORED),
        ("began behind the claim of 3", [*HISTORY, did("p3", "claim", 9.0, 2)], STORED),
        ("while p1 held the lease", [*HISTORY, did("p1", "renew", 2.5, 2)], STORED),
        ("while p1 held the lease", [did("p1", "claim", 0.0, 2, ttl=9.0), *HISTORY[1:]], STORED),
    ],
)
def test_what_does_not_hold_is_found(says: str, history: list[Done], stored: Stored | None) -> None:
    assert says in found(history, stored)


def test_a_lease_that_was_let_go_may_be_claimed() -> None:
    history = [did("p1", "claim", 0.0, 2, ttl=9.0), *HISTORY[1:3], did("p1", "release", 2.0, 2), *HISTORY[3:]]
    assert found(history) == ""


def test_processes_that_are_killed_and_stopped_break_no_invariant() -> None:
    command = [sys.executable, "-m", "tests.faults", "--one", "store_owners", "--trials", "3", "--seed", "7"]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=ROOT, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    row = msgspec.json.decode(done.stdout, type=Row)
    assert row.broken == [] and row.trials == 3
    figures = dict(reversed(part.split()) for part in row.note.split(", "))  # type: ignore[misc]
    assert int(figures["killed"]) > 5 and int(figures["acknowledged"]) > 50, row.note
