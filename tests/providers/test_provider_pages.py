"""The pages of the providers are current, and the one on writing a provider runs."""

from __future__ import annotations

import re
import subprocess
import sys
import types
from pathlib import Path

import pytest

from antiphon.providers.prices import bundled_prices
from antiphon.providers.registry import ROWS, SPEECH
from antiphon.providers.verification import proofs
from antiphon.testing.simulators.openai_dialects import DIALECTS
from tests.test_docs import blocks

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs" / "providers"


def test_the_pages_are_those_of_the_data() -> None:
    script = ROOT / "scripts" / "provider_pages.py"
    done = subprocess.run([sys.executable, str(script), "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_page_on_a_new_provider_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("docs_new_provider")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    for number, code in enumerate(blocks(DOCS / "new.md", "python")):
        exec(compile(code, f"new.md[{number}]", "exec"), vars(module))
    report = vars(module)["report"]
    assert report.count("passed") > 25, report


def test_links_lead_to_files() -> None:
    missing = [
        f"{page.name}: {target}"
        for page in DOCS.glob("*.md")
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8"))
        if "://" not in target and not (page.parent / target).exists()
    ]
    assert missing == []


def test_each_proof_names_a_test_that_exists_and_a_provider_that_is_there() -> None:
    known = {(row.prefix, row.kind) for row in (*ROWS, *SPEECH)}
    assert len(proofs()) >= 3
    for proof in proofs():
        file, _, name = proof.test.partition("::")
        assert f"def {name}(" in (ROOT / file).read_text(encoding="utf-8"), proof
        assert (proof.provider, proof.kind) in known, proof
        assert re.fullmatch(r"20\d\d-\d\d-\d\d", proof.as_of), proof


def test_prices_are_of_providers_that_are_there_or_said_to_come() -> None:
    known = {(row.prefix, row.kind) for row in (*ROWS, *SPEECH)} | {("local", kind) for kind in ("stt", "llm", "tts")}
    later = {(row.model.partition("/")[0], row.kind) for row in bundled_prices().prices} - known
    assert later <= {
        ("elevenlabs", "stt"),
        ("openai", "stt"), ("openai", "tts"),
    }  # fmt: skip


def test_a_page_without_a_proof_says_what_was_run_and_claims_no_more() -> None:
    shown = {(proof.provider, proof.kind) for proof in proofs()}
    unproven = [row.prefix for row in ROWS if (row.prefix, "llm") not in shown]
    assert unproven
    for name in unproven:
        page = (DOCS / f"{name}.md").read_text(encoding="utf-8")
        assert name in DIALECTS and "Shared tests were run over the simulator" in page and "verified by" not in page
