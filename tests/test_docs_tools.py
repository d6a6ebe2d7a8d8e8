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
