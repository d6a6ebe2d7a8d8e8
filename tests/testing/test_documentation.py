"""The tests in docs/testing.md pass as they stand."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

import pytest

from antiphon.testing import run

PAGE = Path(__file__).parents[2] / "docs" / "testing.md"
CODE = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def documented() -> list[Any]:
    tests = []
    for number, code in enumerate(CODE):
        names: dict[str, Any] = {}
        exec(compile(code, f"testing.md[{number}]", "exec"), names)
        tests += [pytest.param(value, id=name) for name, value in names.items() if name.startswith("test_")]
    return tests


@pytest.mark.parametrize("documented_test", documented())
def test_the_page(documented_test: Any, call: Any) -> None:
    takes = inspect.signature(documented_test).parameters
    if inspect.iscoroutinefunction(documented_test):
        run(documented_test(*[None for _ in takes]))
    else:
        documented_test(*[call for _ in takes])


def test_there_are_tests_on_the_page() -> None:
    assert len(documented()) >= 5
