"""``antiphon doctor``: what it lists, and that every problem comes with its mend."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from antiphon.cli import checks, doctor
from antiphon.cli.main import main
from antiphon.local import DEFAULT_MODELS


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without any model."""
    monkeypatch.setenv("ANTIPHON_MODELS", str(tmp_path / "models"))
    return tmp_path


def test_missing_models_come_with_their_commands(bare: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == 1
    shown = capsys.readouterr().out
    for name in DEFAULT_MODELS:
        assert f"mend: antiphon models pull {name}" in shown
    assert "cannot hold a conversation yet" in shown
    assert not (bare / "models").exists()


def test_as_json(bare: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert report["healthy"] is False
    missing = {finding["name"] for finding in report["findings"] if finding["state"] == "missing"}
    assert set(DEFAULT_MODELS) <= missing
    assert all(finding["mend"] for finding in report["findings"] if finding["state"] == "missing")


def test_little_memory_and_disk_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "free_memory", lambda: 1_000_000_000)
    monkeypatch.setattr(checks.shutil, "disk_usage", lambda path: type("Usage", (), {"free": 2_000_000_000})())
    found = {finding.name: finding for finding in checks.machine(tmp_path / "not" / "there")}
    assert found["memory"].state == "warn"
    assert "1.0 GB free" in found["memory"].detail
    assert found["disk"].state == "warn"
    assert "ANTIPHON_MODELS" in found["disk"].mend


def test_keys_are_named_and_never_shown() -> None:
    found = list(checks.keys({"OPENAI_API_KEY": "sk-secret"}))
    assert found[0].name == "OpenAI"
    assert all("sk-secret" not in finding.detail for finding in found)
    assert "DEEPGRAM_API_KEY" in found[-1].detail


def test_a_healthy_machine_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    import sys

    from antiphon.cli.screen import Screen

    doctor.show([checks.Finding("versions", "antiphon", "ok", "0.1.0")], Screen(sys.stdout))
    assert "can hold a conversation on this machine" in capsys.readouterr().out
