"""Logs that earlier builds wrote (``scripts/golden_logs.py``) are read by this one; those of a later version are refused by name."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from antiphon.errors import FormatError, StoreError
from antiphon.kernel.kernel import Kernel
from antiphon.models.log import LOG_VERSION, LogEntry, LogHeader
from antiphon.store.log_reader import parse_log, read_log
from antiphon.store.recovery import recover
from antiphon.store.sqlite import SQLiteStore
from antiphon.store.sqlite_file import SCHEMA

GOLDEN = Path(__file__).parent / "golden"
FILES = sorted(GOLDEN.glob("event-log-v*.jsonl"))
STORES = sorted(GOLDEN.glob("store-v*.db"))
SAID = ["zwei Tees bitte \U0001f375", "what do you have", "stop", "I want to pay"]


def version(path: Path) -> int:
    return int(re.findall(r"-v(\d+)\.", path.name)[0])


def conversation(header: LogHeader, entries: list[LogEntry], build: str) -> list[Any]:
    """The items that whoever goes on has."""
    recovered = recover(header, entries, build=build)
    assert recovered.exact or recovered.why
    assert recovered.ended == "participant_disconnected"
    return list(Kernel.load(recovered.kernel).state.conversation.items)


def is_the_call(header: LogHeader, entries: list[LogEntry]) -> None:
    assert header.build == "golden"
    assert [e.body["text"] for e in entries if e.lane == "fact" and e.kind == "turn.committed"] == SAID
    for build in ("golden", "a later build"):
        items = str(conversation(header, entries, build))
        assert all(text in items or repr(text)[1:-1] in items for text in SAID)
        assert "ordered two teas" in items and "till" in items and "That is four euros" in items
        assert "yellow teas" not in items, "the caller did not hear that"


def test_there_is_a_golden_file_of_each_version_up_to_this_one() -> None:
    assert [version(path) for path in FILES] == list(range(1, LOG_VERSION + 1))
    assert [version(path) for path in STORES] == list(range(1, SCHEMA + 1))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_golden_log_is_read(path: Path) -> None:
    log = read_log(path)
    assert not log.torn and not log.missing and len(log.facts()) > 20
    is_the_call(log.header, log.entries)


@pytest.mark.parametrize("path", STORES, ids=lambda path: path.name)
def test_a_golden_store_is_read_and_its_orphan_goes_on(path: Path, tmp_path: Path) -> None:
    shutil.copy(path, tmp_path / "calls.db")

    async def story() -> None:
        store = SQLiteStore(tmp_path / "calls.db")
        assert [(s.id, s.status, s.reason) for s in await store.sessions()] == [
            ("call", "ended", "participant_disconnected"),
            ("orphan", "orphaned", ""),
        ]
        stored = await store.read("call")
        assert [entry.seq for entry in stored.entries] == list(range(1, len(stored.entries) + 1))
        assert set(stored.epochs) == {1}
        is_the_call(stored.header, stored.entries)
        (lease,) = await store.claim_orphans(owner="now", ttl=3.0, limit=9)
        log = store.log(lease)
        log.append("fact", 1.0, {"kind": "x"})
        await log.until_durable(1, timeout=10.0)
        assert (await store.read("orphan")).epochs == [2]
        await store.aclose()

    asyncio.run(story())


@pytest.mark.parametrize("other", [LOG_VERSION + 1, LOG_VERSION + 100, 0, -1, None, "1", 1.5])
def test_a_log_of_a_version_that_is_not_known_is_refused_by_name(other: Any) -> None:
    first, _, rest = FILES[-1].read_bytes().partition(b"\n")
    header = {**json.loads(first), "version": other}
    with pytest.raises(FormatError, match=f"version {re.escape(str(other))}.*golden"):
        parse_log(json.dumps(header).encode() + b"\n" + rest)


def test_fields_that_a_later_build_added_are_passed_over() -> None:
    lines = [json.loads(line) for line in FILES[-1].read_text(encoding="utf-8").splitlines()]
    lines[0]["host"] = "elsewhere"
    for line in lines[1:]:
        line["trace"] = {"id": 7}
        if line["lane"] == "fact":
            line["body"]["mood"] = "good"
    log = parse_log(b"".join(json.dumps(line).encode() + b"\n" for line in lines))
    assert log.facts() == read_log(FILES[-1]).facts()


def test_a_store_of_a_later_version_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "calls.db"
    shutil.copy(STORES[-1], path)
    with sqlite3.connect(path) as db:
        db.execute(f"pragma user_version = {SCHEMA + 1}")
    db.close()
    before = path.read_bytes()
    with pytest.raises(StoreError, match=f"version {SCHEMA + 1}") as refused:
        SQLiteStore(path)
    assert refused.value.reason == "newer" and path.read_bytes() == before
