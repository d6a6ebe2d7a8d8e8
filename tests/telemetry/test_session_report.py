"""The session report as a document."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from telemetry_story import Story, ordinary_call

from antiphon.errors import ConfigurationError, FormatError
from antiphon.kernel import facts
from antiphon.safety.redaction import TextRedaction
from antiphon.telemetry.records import Stall
from antiphon.telemetry.report import SessionReport, read_report, report_of


def finished_call() -> SessionReport:
    story = ordinary_call()
    story.turn(2, ended=6.0, committed=6.4, text="Mail it to jo@example.com")
    story.fact(facts.AgentEntered(at=0.0, item="i", agent="counter"))
    story.collector.stall(Stall(loop="user", running="tool order", where="app.py:12", function="order", seconds=0.5))
    story.fact(facts.SessionEnded(at=9.0, reason="hangup"))
    return report_of(
        story.collector, build="0.1.0", session="s", started_at="2026-11-22T10:00:00Z", recording="call.wav",
        history=[{"type": "message", "role": "user", "text": "jo@example.com"}],
    )  # fmt: skip


def test_it_is_written_and_read_back(tmp_path: Path) -> None:
    report = finished_call()
    report.write(tmp_path / "out" / "call.json")
    data = (tmp_path / "out" / "call.json").read_bytes()
    assert read_report(data) == report
    assert list((tmp_path / "out").iterdir()) == [tmp_path / "out" / "call.json"]
    plain = json.loads(data)
    assert plain["format"] == "antiphon.report" and plain["version"] == 1
    assert [m["model"] for m in plain["models"]] == ["moonshine", "qwen3", "piper"]
    first, second = plain["turns"]
    assert first["latency"] == pytest.approx(1.1) == round(sum(first["waterfall"].values()), 4)
    assert second["latency"] is None and second["outcome"] == "unanswered"
    assert plain["close_reason"] == "hangup" and plain["duration"] == 9.0 and plain["agents"] == ["counter"]
    assert plain["stalls"][0]["where"] == "app.py:12"


def test_redaction_reaches_every_text_but_no_name() -> None:
    data = finished_call().to_json(TextRedaction())
    assert b"jo@example.com" not in data and b"[email]" in data
    assert read_report(data).turns[0].reply == "Two coffees."


def test_an_empty_call_has_a_report() -> None:
    report = report_of(Story().collector)
    assert read_report(report.to_json()) == report and report.turns == []


def test_what_cannot_be_written_is_a_typed_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="another path"):
        finished_call().write(tmp_path / "file" / "call.json")
    with pytest.raises(ConfigurationError, match="another path"):
        finished_call().write(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b'{"format":"antiphon.report","version":2}',
        b'{"format":"antiphon.report","version":1,"turns":3}',
    ],
)
def test_other_documents_are_refused(data: bytes) -> None:
    with pytest.raises(FormatError):
        read_report(data)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=100))
def test_noise_is_refused(data: bytes) -> None:
    with pytest.raises(FormatError):
        read_report(data)
