"""The event log: what was appended is what is read, whatever happens to the disk or the process."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from antiphon.errors import AntiphonError, ConfigurationError, FormatError
from antiphon.kernel import events, facts
from antiphon.kernel.policy import AgentRef
from antiphon.models.log import LogEntry
from antiphon.safety.redaction import TextRedaction
from antiphon.store.event_log import FileEventLog, MemoryEventLog
from antiphon.store.log_reader import event_of, fact_of, parse_log, read_log

STORY: list[events.AnyEvent] = [
    events.Start(seq=1, now=0.0, agent=AgentRef(key="hello")),
    events.Vad(seq=2, now=1.0, edge="end", at=0.8),
    events.Synthesised(seq=3, now=2.0, op=(0, 1), index=0, start=0, samples=480, done=True, words=(("hi", 0, 480),)),
]


def test_what_was_appended_is_read_back(tmp_path: Path) -> None:
    log = FileEventLog(tmp_path / "deep" / "call.jsonl", build="0.1.0")
    for event in STORY:
        log.append("input", event.now, event)
    fact = facts.TurnCommitted(at=2.5, turn=1, item="i", text="ä \U0001f600", probability=None)
    assert log.append("fact", 2.5, fact) == 4
    log.close()
    read = read_log(log.path)
    assert read.header.build == "0.1.0" and not read.torn and read.missing == 0
    assert read.events() == STORY and read.facts() == [fact]
    assert [entry.seq for entry in read.entries] == [1, 2, 3, 4]
    first, second = log.path.read_text().splitlines()[:2]
    assert json.loads(first) == {"format": "antiphon.event-log", "version": 1, "build": "0.1.0"}
    assert list(json.loads(second)) == ["seq", "at", "lane", "kind", "body"]
    assert log.path.stat().st_mode & 0o077 == 0


def test_memory_and_file_hold_the_same(tmp_path: Path) -> None:
    memory, file = MemoryEventLog(), FileEventLog(tmp_path / "a")
    for log in (memory, file):
        for event in STORY:
            log.append("input", event.now, event)
        log.append("fact", 3.0, {"kind": "x", "text": "y"})
        asyncio.run(log.aclose())
        asyncio.run(log.aclose())
    read = read_log(file.path)
    assert [msgspec.to_builtins(e) for e in read.entries] == json.loads(msgspec.json.encode(memory.entries))


def test_a_dict_may_change_after_it_was_appended(tmp_path: Path) -> None:
    log = FileEventLog(tmp_path / "a")
    body = {"kind": "x", "list": [1]}
    log.append("fact", 0.0, body)
    body["list"].append(2)  # type: ignore[attr-defined]
    log.close()
    assert read_log(log.path).entries[0].body == {"list": [1]}


def test_what_was_flushed_survives_a_crash(tmp_path: Path) -> None:
    log = FileEventLog(tmp_path / "a")
    log.append("input", 1.0, STORY[1])
    assert log.flush()
    assert read_log(log.path).events() == [STORY[1]]
    log.close()


def test_a_full_disk_is_reported_once_and_the_call_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[AntiphonError] = []
    log = FileEventLog(tmp_path / "a", on_error=told.append)
    log.append("input", 1.0, STORY[1])
    assert log.flush()
    real, fd, room = os.write, log._fd, [30]

    def write(to: int, data: Any) -> int:
        if to != fd:
            return real(to, data)
        if room[0] <= 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        count = real(to, bytes(data)[: room[0]])
        room[0] -= count
        return count

    monkeypatch.setattr(os, "write", write)
    for _ in range(5):
        log.append("input", 2.0, STORY[2])
        assert not log.flush()
    assert len(told) == 1 and "No space" in str(told[0]) and "goes on" in told[0].hint
    assert log.dropped == 5
    log.close()
    read = read_log(log.path)
    assert read.events() == [STORY[1]] and not read.torn


def test_an_error_handler_that_fails_does_not_end_the_writer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = FileEventLog(tmp_path / "a", on_error=lambda error: 1 / 0)
    monkeypatch.setattr(os, "write", lambda fd, data: (_ for _ in ()).throw(OSError(errno.EIO, "I/O error")))
    log.append("input", 1.0, STORY[1])
    assert not log.flush()
    monkeypatch.undo()
    log.close()
    assert not log._thread.is_alive()


def test_a_slow_disk_costs_entries_not_the_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = FileEventLog(tmp_path / "a", max_waiting=10)
    real, fd, gate, stuck = os.write, log._fd, threading.Event(), threading.Event()

    def write(to: int, data: Any) -> int:
        if to == fd:
            stuck.set()
            gate.wait(5)
        return real(to, data)

    monkeypatch.setattr(os, "write", write)
    log.append("input", 0.0, STORY[1])
    assert stuck.wait(5)
    for _ in range(30):
        log.append("input", 0.0, STORY[1])
    assert log.dropped == 20
    assert not log.flush(timeout=0.01)
    gate.set()
    assert log.flush()
    log.append("input", 0.0, STORY[1])
    log.close()
    assert log.append("input", 0.0, STORY[1]) == 33
    assert read_log(log.path).missing == 20


def test_what_cannot_be_written_becomes_a_note(tmp_path: Path) -> None:
    class Odd:
        pass

    log = FileEventLog(tmp_path / "a")
    log.append("fact", 0.0, facts.SayQueued(speech=Odd(), source="say"))  # type: ignore[arg-type]
    log.append("input", 0.0, STORY[1])
    log.close()
    entries = read_log(log.path).entries
    assert entries[0].kind == "log.unwritable" and entries[1].kind == "vad"


def test_a_path_that_cannot_be_written_is_a_typed_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file" / "call.jsonl", tmp_path):
        with pytest.raises(ConfigurationError, match="another path"):
            FileEventLog(path)


def test_redaction_comes_before_the_disk(tmp_path: Path) -> None:
    log = FileEventLog(tmp_path / "a", redaction=TextRedaction())
    log.append("fact", 0.0, facts.TurnCommitted(turn=1, item="item_4155550100", text="call 415 555 0100"))
    log.close()
    fact = read_log(log.path).facts()[0]
    assert isinstance(fact, facts.TurnCommitted) and fact.text == "call [phone]" and fact.item == "item_4155550100"
    assert b"555 0100" not in log.path.read_bytes()


HEAD = b'{"format":"antiphon.event-log","version":1,"build":"b"}\n'
LINE = b'{"seq":%d,"at":0,"lane":"input","kind":"tick","body":{}}\n'


def test_a_torn_last_line_is_left_out() -> None:
    for tail in (b'{"seq":2,"at":0,"la', b"\x00\x00\x00", b'{"seq":2}\n'):
        read = parse_log(HEAD + LINE % 1 + tail)
        assert read.torn and len(read.entries) == 1


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "empty"),
        (b"{", "empty"),
        (b"\xff\xfe\n", "not an event log"),
        (b"[]\n", "not an event log"),
        (b'{"format":"other"}\n', "not an event log"),
        (b'{"format":"antiphon.event-log","version":2,"build":"9.9"}\n', r"version 2.*9\.9"),
        (HEAD + b"junk\n" + LINE % 1, "line 2"),
        (HEAD + LINE % 2 + LINE % 1, "follows"),
    ],
)
def test_other_files_are_refused(data: bytes, says: str) -> None:
    with pytest.raises(FormatError, match=says):
        parse_log(data)


def test_a_missing_file_and_unknown_kinds(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="cannot be read"):
        read_log(tmp_path / "none")
    for convert, lane in ((event_of, "input"), (fact_of, "fact")):
        with pytest.raises(FormatError, match="build that wrote it"):
            convert(LogEntry(seq=1, at=0, lane=lane, kind="from.the.future", body={}))  # type: ignore[arg-type]


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60), st.integers(0, 400))
def test_damage_anywhere_is_a_typed_error_or_a_shorter_log(noise: bytes, at: int) -> None:
    whole = HEAD + b"".join(LINE % n for n in range(1, 5))
    at = min(at, len(whole))
    for data in (whole[:at], whole[:at] + noise, whole[:at] + noise + whole[at + len(noise) :]):
        with suppress(FormatError):
            parse_log(data)
