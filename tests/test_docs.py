"""The documents' code is the code: samples are the example files, links lead somewhere, commands exist."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import Any

import pytest

from antiphon.kernel.policy import BargeInPolicy

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "benchmarks").glob("*.md")])
FENCED = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(page: Path, language: str) -> list[str]:
    return [text for found, text in FENCED.findall(page.read_text(encoding="utf-8")) if found == language]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_python_samples_are_valid(page: Path) -> None:
    for number, code in enumerate(blocks(page, "python")):
        compile(code, f"{page.name}[{number}]", "exec")


@pytest.mark.parametrize("name", ["README.md", "docs/tutorial.md"])
def test_the_fifteen_lines_are_the_example(name: str) -> None:
    example = (ROOT / "examples" / "hello.py").read_text(encoding="utf-8").split("\n", 2)[2]
    assert example.strip() in [code.strip() for code in blocks(ROOT / name, "python")]


def test_the_test_of_the_tutorial_passes(call: Any) -> None:
    names: dict[str, Any] = {}
    for code in blocks(ROOT / "docs" / "tutorial.md", "python"):
        if "class Shop" in code or "def test_" in code:
            exec(compile(code, "tutorial.md", "exec"), names)
    names["test_opening_hours"](call)


def test_the_sessions_of_the_barge_in_page_can_be_made() -> None:
    made = []
    for code in blocks(ROOT / "docs" / "barge-in.md", "python"):
        names: dict[str, Any] = {}
        exec(compile(code, "barge-in.md", "exec"), names)
        made.append(names["session"])
    assert len(made) == 2


def test_the_models_of_the_page_can_be_made() -> None:
    page = ROOT / "docs" / "language-models.md"
    names: dict[str, Any] = {}
    (code,) = blocks(page, "python")
    exec(compile(code, page.name, "exec"), names)
    assert [names[name].provider for name in ("fast", "claude", "gemini", "groq")] == [
        "openai",
        "anthropic",
        "google",
        "groq",
    ]
    rows = {row.prefix: row for row in importlib.import_module("antiphon.providers.registry").ROWS}
    text = page.read_text(encoding="utf-8")
    for prefix, variable in re.findall(r"^\| `([a-z-]+)/[^|]*\| `(\w+)`", text, re.MULTILINE):
        assert rows.pop(prefix).key_variable == variable
    for row in rows.values():
        named = f"`{row.prefix}/`" if row.local else row.title.split(" (")[0].split(" AI")[0].removeprefix("Alibaba ")
        assert named in text, row.title


def test_the_settings_of_the_barge_in_page_are_the_defaults() -> None:
    policy, page = BargeInPolicy(), (ROOT / "docs" / "barge-in.md").read_text(encoding="utf-8")
    for name, shown in (("duck_after", "120 ms"), ("pause_after", "350 ms"), ("decide_by", "500 ms"), ("hold_max", "0.8 s in"),
                        ("false_timeout", "0.5 s of")):  # fmt: skip
        number, unit = shown.split()[:2]
        assert getattr(policy, name) == float(number) / (1000 if unit == "ms" else 1)
        (row,) = [line for line in page.splitlines() if line.startswith("|") and f"`{name}`" in line]
        assert shown in row


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files(page: Path) -> None:
    text = FENCED.sub("", page.read_text(encoding="utf-8"))
    missing = [
        target
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text)
        if "://" not in target and not (page.parent / target).exists()
    ]
    assert missing == []


def test_commands_in_the_documents_are_targets_of_the_makefile() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = {
        target
        for page in PAGES
        for target in re.findall(r"(?:^|`)make ([a-z]+)", page.read_text(encoding="utf-8"), re.M)
    }
    assert named - targets == set()
