"""The tests in the documents pass as they stand, and their other code runs."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

import pytest

from antiphon.testing import run

DOCS = Path(__file__).parents[2] / "docs"
PAGES = ("testing.md", "turn-taking.md")


def code_of(page: str) -> list[str]:
    text = (DOCS / page).read_text(encoding="utf-8")
    return re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def documented() -> list[Any]:
    """The tests of each page; a block of code knows the names of those above it, as in one file."""
    tests = []
    for page in PAGES:
        names: dict[str, Any] = {}
        for number, code in enumerate(code_of(page)):
            exec(compile(code, f"{page}[{number}]", "exec"), names)
        tests += [pytest.param(value, id=name) for name, value in names.items() if name.startswith("test_")]
    return tests


@pytest.mark.parametrize("documented_test", documented())
def test_the_page(documented_test: Any, call: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    takes = inspect.signature(documented_test).parameters
    if inspect.iscoroutinefunction(documented_test):
        run(documented_test(*[None for _ in takes]))
    else:
        documented_test(*[call for _ in takes])


def test_there_are_tests_on_the_pages() -> None:
    assert len(documented()) >= 10
