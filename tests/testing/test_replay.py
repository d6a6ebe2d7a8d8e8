"""Replaying a log: the same, another way, damaged."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from antiphon import Agent
from antiphon.errors import AntiphonError
from antiphon.safety.redaction import TextRedaction
from antiphon.store.event_log import MemoryEventLog
from antiphon.store.log_reader import RecordedLog, parse_log
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


def redacted(log: MemoryLog, replace: dict[str, str]) -> RecordedLog:
    """The log as a session with this redaction would have written it."""

    def redact(text: str) -> str:
        for secret, mask in replace.items():
            text = text.replace(secret, mask)
        return text

    written = MemoryEventLog(redaction=TextRedaction([redact]))
    for lane, at, body in log._kept:
        written.append(lane, at, body)
    data = b"\n".join(map(msgspec.json.encode, [written.header, *written.entries])) + b"\n"
    return parse_log(data)


def test_a_redacted_log_replays_where_the_words_did_not_matter(log: MemoryLog) -> None:
    report = replay(redacted(log, {"there": "[name]"}))
    assert report.same and report.redacted > 0
    assert "were redacted" in str(report)


def test_where_words_decided_the_replay_of_a_redacted_log_says_that_it_cannot_tell(log: MemoryLog) -> None:
    report = replay(redacted(log, {"Hello there": ""}))
    assert not report.same and report.redacted > 0
    assert str(report).startswith("CANNOT BE TOLD") and "DIFFERENT" not in str(report)


def test_a_difference_before_anything_was_redacted_is_a_difference(log: MemoryLog) -> None:
    recorded = redacted(log, {"Hi.": "[greeting]"})
    recorded.entries.remove(next(e for e in recorded.entries if e.kind == "turn.committed"))
    assert str(replay(recorded)).startswith("DIFFERENT")
