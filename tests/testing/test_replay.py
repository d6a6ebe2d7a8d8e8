"""Replaying a log: the same, another way, damaged."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from antiphon import Agent
from antiphon.errors import AntiphonError
from antiphon.testing import Caller, simulate
from antiphon.testing.memory_log import MemoryLog
from antiphon.testing.replay import replay


class Hello(Agent):
    def __init__(self) -> None:
        super().__init__(instructions="Greet.")


@pytest.fixture(scope="module")
def log() -> MemoryLog:
    return simulate(Hello, Caller().says("Hello there", at=1.0).waits_for_agent(), llm="Hi.").log


def test_a_log_replays_from_its_file(log: MemoryLog, tmp_path: Path) -> None:
    log.write(tmp_path / "call.jsonl")
    report = replay(tmp_path / "call.jsonl")
    assert report.same
    assert str(report).startswith("same facts")


def test_a_torn_log_replays_up_to_the_tear(log: MemoryLog, tmp_path: Path) -> None:
    data = log.to_bytes().split(b"\n")
    (tmp_path / "call.jsonl").write_bytes(b"\n".join(data[:20]) + b"\n" + data[20][:10])
    report = replay(tmp_path / "call.jsonl")
    assert report.torn
    assert "cut off" in str(report)


def test_a_missing_fact_is_the_first_difference(log: MemoryLog) -> None:
    recorded = log.recorded()
    recorded.entries.remove(next(e for e in recorded.entries if e.kind == "turn.committed"))
    report = replay(recorded)
    assert not report.same
    assert report.difference is not None
    assert "TurnCommitted" in str(report.difference.replayed)
    assert "DIFFERENT" in str(report)


def test_a_fact_too_many_at_the_end_is_found(log: MemoryLog) -> None:
    recorded = log.recorded()
    recorded.entries.append(msgspec.structs.replace(recorded.entries[1], seq=10_000))
    report = replay(recorded)
    assert not report.same
    assert "nothing more" in str(report)


def test_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_text("{}\n")
    with pytest.raises(AntiphonError):
        replay(tmp_path / "x.jsonl")
