"""The checker of the takeover campaign finds each kind of break."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from antiphon.models.log import LogEntry, LogHeader
from antiphon.models.store import StoredLog, StoredSession
from tests.takeover.checking import Call, check
from tests.takeover.words import GREETING, answer

KEY = "call.1.c1"
Facts = list[tuple[str, dict[str, Any]]]


def facts() -> Facts:
    return [
        ("speech.heard", {"text": GREETING, "order": 1.0}),
        ("tool.intent", {"call_id": "c1", "name": "pay", "key": KEY}),
        ("tool.result", {"call_id": "c1", "name": "pay", "output": "done 1", "is_error": False}),
        ("speech.heard", {"text": " ".join(answer(1)), "order": 9.0}),
        ("session.ended", {"reason": "participant_disconnected"}),
    ]


def stored(made: Facts) -> StoredLog:
    entries = [LogEntry(n, 1.0, "fact", kind, body) for n, (kind, body) in enumerate(made, start=1)]
    return StoredLog(LogHeader(version=1, build=""), entries, [1, 1, 2, 2, 2][: len(made)])


def word(text: str, at: float, by: int) -> dict[str, Any]:
    return {"kind": "word", "text": text, "by": by, "made": at, "start": at, "end": at + 0.3, "whole": True}


def good() -> Call:
    """Cut once, in the tool: process 1, then process 2."""
    said = {"kind": "said", "turn": 1, "text": "turn 1 pay", "until": 3.0}
    heard = [*(word(text, 1.0 + n, 1) for n, text in enumerate(GREETING.split()))]
    heard += [word(text, 20.0 + n, 2) for n, text in enumerate(answer(1))]
    serving = {"kind": "serving", "job": "call"}
    return Call(
        job="call",
        stored=StoredSession("call", "ended", "w", 2, 0.0, 5, 5, "", 0.0, 0.0),
        log=stored(facts()),
        record=[*heard[:5], said, *heard[5:], {"kind": "hung_up", "why": "done"}],
        events=[
            {**serving, "pid": 1, "epoch": 1, "resumed": False, "at": 0.5},
            {"kind": "durable", "epoch": 1, "position": 2},
            {**serving, "pid": 2, "epoch": 2, "resumed": True, "at": 10.0},
            {"kind": "durable", "epoch": 2, "position": 5},
        ],
        effects=[{"kind": "pay", "turn": 1, "key": f"{KEY} pay", "call": "c1"}],
        cuts=[9.0],
        lines=[],
    )


def without(call: Call, kind: str) -> None:
    call.log = stored([fact for fact in facts() if fact[0] != kind])


def heard_less(call: Call) -> None:
    call.record = [line for line in call.record if line.get("text") not in ("t1f", "t1g")]


def heard_twice(call: Call) -> None:
    call.record += [word("t1e", 40.0, 2), word("t1f", 40.3, 2)]


def acts_twice(call: Call) -> None:
    call.effects *= 2


def acts_by_two_keys(call: Call) -> None:
    call.effects += [{**call.effects[0], "key": "another"}]


def acts_unrecorded(call: Call) -> None:
    call.effects += [{**call.effects[0], "call": "c2", "turn": 2, "key": "k"}]


def two_owners(call: Call) -> None:
    call.events[2]["epoch"] = 1


def epochs_fall(call: Call) -> None:
    call.log = msgspec.structs.replace(call.log, epochs=[1, 2, 1, 2, 2])


def gap(call: Call) -> None:
    call.log.entries[2] = msgspec.structs.replace(call.log.entries[2], seq=9)


def loses_what_was_durable(call: Call) -> None:
    call.events[1]["position"] = 3


def zombie_is_heard(call: Call) -> None:
    call.record[8]["by"] = 1


def abandoned(call: Call) -> None:
    call.stored = msgspec.structs.replace(call.stored, status="live")


def waits(call: Call) -> None:
    call.record.append({"kind": "unanswered", "turn": 1})


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (heard_less, "never heard: t1f t1g"),
        (heard_twice, "heard again"),
        (acts_twice, "1 effects happened twice"),
        (acts_by_two_keys, "pay of turn 1 happened 2 times"),
        (acts_unrecorded, "without an intent"),
        (two_owners, "epoch 1 had 2 owners"),
        (epochs_fall, "an epoch went down"),
        (gap, "its log has a gap"),
        (loses_what_was_durable, "1 facts were told to be durable"),
        (zombie_is_heard, "by a process that had lost the call"),
        (abandoned, "the store says live"),
        (waits, "waited in vain in turns [1]"),
        (lambda call: without(call, "tool.result"), "pay c1 never ended"),
        (lambda call: without(call, "tool.intent"), "without an intent"),
        (lambda call: without(call, "speech.heard"), "history is not what was heard"),
        (lambda call: without(call, "session.ended"), "it ended as []"),
        (lambda call: call.effects.clear(), "is done, and did []"),
    ],
)
def test_each_kind_of_break_is_found(spoil: Callable[[Call], object], told: str) -> None:
    call = good()
    spoil(call)
    assert told in "\n".join(check(call).broken)


def test_a_call_that_was_cut_once_and_went_on_is_whole() -> None:
    account = check(good())
    assert account.broken == [] and account.takeovers == 1
    torn = good()
    torn.record.append(word("t1z.", 40.0, 2))
    assert check(torn).broken == [], "the word that sounded when it was cut may be said again"
