"""The samples of the pages below run, and do what the page says."""

from __future__ import annotations

import re
import sys
import types
from pathlib import Path

import pytest

from tests.test_docs import blocks

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"


PAGES = ["tools.md", "mcp.md", "context.md", "models.md", "handoffs.md", "tasks.md"]


@pytest.mark.parametrize("page", PAGES)
def test_the_samples_run(page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType(f"docs_{page.partition('.')[0]}")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    for number, code in enumerate(blocks(DOCS / page, "python")):
        exec(compile(code, f"{page}[{number}]", "exec"), vars(module))


def test_each_row_of_the_list_names_a_test_that_exists() -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", (DOCS / "from-livekit.md").read_text(encoding="utf-8"))
    assert len(named) > 10
    missing = [f"{file}::{name}" for file, name in named if not runs(ROOT / file, name)]
    assert missing == []


WANTED = [3, *range(8, 12), 16, 30, 39, *range(51, 63), *range(65, 71), 73, 74, *range(76, 81), 82, 83, 85, 86, 92, 93, 132, 140, 141,
          147, 148]  # fmt: skip
"""Rows of LiveKit's list of features that have to be here: agents, tools, models, tests."""


def rows_of(page: str) -> dict[int, list[str]]:
    """Number of a row in the table of features to the tests that it names."""
    found: dict[int, list[str]] = {}
    for number, rest in re.findall(r"^\| (\d+) \|(.*)$", page, re.MULTILINE):
        found.setdefault(int(number), []).extend(re.findall(r"`(tests/[\w/]+\.py::\w+)`", rest))
    return found


def test_each_row_that_has_to_be_there_is_there_with_a_test() -> None:
    rows = rows_of((DOCS / "from-livekit.md").read_text(encoding="utf-8"))
    assert [number for number in WANTED if not rows.get(number)] == []


def test_a_row_without_a_test_counts_for_nothing() -> None:
    assert rows_of("| 8 | a | b | none yet |\n| 9 | a | b | `tests/x.py::test_y` |\n") == {
        8: [],
        9: ["tests/x.py::test_y"],
    }


def runs(file: Path, name: str) -> bool:
    """Whether the function is one that pytest runs: a test, or a scenario on its file's list."""
    text = file.read_text(encoding="utf-8") if file.is_file() else ""
    listed = name.startswith("test_") or re.search(rf"^    {name},$", text, re.MULTILINE)
    return f"def {name}(" in text and bool(listed)


def test_a_row_may_not_name_what_does_not_run() -> None:
    here = Path(__file__)
    assert runs(here, "test_the_samples_run") and not runs(here, "test_the_samples_do_not_run")
    assert not runs(here, "runs"), "a function, and nobody runs it"
    assert not runs(here.with_name("nowhere.py"), "test_the_samples_run")
