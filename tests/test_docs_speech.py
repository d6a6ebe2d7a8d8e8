"""The page on speech services: its samples run, its commands exist, its limits are the defaults."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import pytest

from antiphon.testing.simulators.faults import Kind
from antiphon.wire.socket import SpeechDeadlines
from antiphon.wire.stt import RETRY
from tests.test_docs import blocks

PAGE = Path(__file__).parents[1] / "docs" / "speech-services.md"


def test_the_samples_run(simulator: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("DEEPGRAM_API_KEY", "CARTESIA_API_KEY", "OPENAI_API_KEY"):
        monkeypatch.setenv(variable, "a key")
    names: dict[str, Any] = {}
    for code in blocks(PAGE, "python"):
        exec(compile(code, PAGE.name, "exec"), names)
    assert names["entrypoint_session"]() is not None
    names["test_a_voice_whose_first_connection_breaks"](simulator)


def test_the_limits_are_the_defaults() -> None:
    page, limits = PAGE.read_text(encoding="utf-8"), SpeechDeadlines()
    assert "found after 2 s of speech, or 1 s after a final" in page and (limits.deaf, limits.final) == (2.0, 1.0)
    assert "waits for 2 s" in page and limits.send == 2.0
    assert "no audio for 3 s" in page and limits.first == limits.between == 3.0
    assert "after 0.1, 0.3 and 1 s, for 3 s" in page and (RETRY.delays, RETRY.budget) == ((0.0, 0.1, 0.3, 1.0), 3.0)


def test_every_fault_is_on_the_page() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert [kind for kind in get_args(Kind) if f"`{kind}`" not in page] == []
