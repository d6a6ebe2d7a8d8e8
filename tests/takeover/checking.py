"""What must hold of every call of the campaign, whatever befell its processes: the store, the caller and the world compared.

- The log is gapless, an epoch has one process, epochs never go down; facts that were told to be durable are stored.
- At most one effect for a key, and for a write without a rule one for a turn; every call of a tool ended: done, in doubt or refused.
- Each word of the agent's was heard once, in order. At a cut ``TORN`` words may be said again; where the media process died, ``UNTOLD``.
- Nothing that a process made is heard once another one has the call.
- History has what was heard, to the same tolerance. The call ended because the caller hung up, who had all answers.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import msgspec

from antiphon.models.store import StoredLog, StoredSession
from antiphon.store.sqlite import SQLiteStore
from tests.takeover.diary import EFFECTS, EVENTS, read
from tests.takeover.words import GREETING, answer, marked, order_of, plain

TORN = 1
"""Words of a cut that may be heard twice or be missing in history: the one that sounded then, or that was made in the last tenth of a second, which
is not in the log, and had sounded before another process had the call."""
UNTOLD = 3
"""Words that may be where the media process died: acknowledgements come every 0.2 s, the log is written 0.1 s later."""

Cuts = Callable[[str], list[float]]


class Account(msgspec.Struct):
    """Of one call. ``broken``: what did not hold."""

    job: str
    broken: list[str] = []
    lost: int = 0
    """Facts that were told to be durable and are not stored."""
    doubled: int = 0
    """Effects that happened more than once."""
    in_doubt: int = 0
    unanswered: int = 0
    again: int = 0
    """Words that were heard again."""
    off: int = 0
    """Words by which history differs from what was heard."""
    takeovers: int = 0


class Call(msgspec.Struct):
    """All that is known of one call. ``cuts``: times when one of its processes was killed or stopped; ``lines``: when its media process was."""

    job: str
    stored: StoredSession
    log: StoredLog
    record: list[dict[str, Any]]
    events: list[dict[str, Any]]
    effects: list[dict[str, Any]]
    cuts: list[float]
    lines: list[float]
    reason: str = "participant_disconnected"

    def facts(self, *kinds: str) -> list[dict[str, Any]]:
        return [entry.body for entry in self.log.entries if entry.lane == "fact" and entry.kind in kinds]

    @property
    def heard(self) -> list[str]:
        """Words that the caller heard whole."""
        return marked([line["text"] for line in self.record if line["kind"] == "word" and line["whole"]])


def check(call: Call) -> Account:
    """Everything."""
    account = Account(call.job)
    serving = [line for line in call.events if line["kind"] == "serving"]
    account.takeovers = sum(line["resumed"] for line in serving)
    _log(call, account)
    _tools(call, account)
    _heard(call, account)
    _by_others(call, account)
    _end(call, account)
    return account


def _log(call: Call, account: Account) -> None:
    epochs, broken = call.log.epochs, account.broken
    if [entry.seq for entry in call.log.entries] != list(range(1, len(epochs) + 1)):
        broken.append("its log has a gap")
    if epochs != sorted(epochs):
        broken.append("an epoch went down")
    owners: dict[int, set[int]] = {}
    for line in call.events:
        if line["kind"] == "serving":
            owners.setdefault(line["epoch"], set()).add(line["pid"])
    broken += [f"epoch {epoch} had {len(pids)} owners" for epoch, pids in owners.items() if len(pids) > 1]
    for line in call.events:
        if line["kind"] == "durable":
            stored = sum(
                entry.lane == "fact" and epoch <= line["epoch"]
                for entry, epoch in zip(call.log.entries, epochs, strict=True)
            )
            account.lost = max(account.lost, line["position"] - stored)
    if account.lost:
        broken.append(f"{account.lost} facts were told to be durable and are not stored")


def _tools(call: Call, account: Account) -> None:
    broken = account.broken
    intents = {fact["call_id"]: fact for fact in call.facts("tool.intent")}
    ended = Counter(fact["call_id"] for fact in call.facts("tool.result", "tool.in_doubt") if not fact.get("late", 0))
    account.in_doubt = len(call.facts("tool.in_doubt"))
    broken += [f"{intents[id]['name']} {id} never ended" for id in intents if not ended[id]]
    keys = Counter((line["kind"], line["key"]) for line in call.effects)
    account.doubled = sum(count - 1 for (kind, _), count in keys.items() if kind != "pack")
    known = set(intents)
    for line in call.effects:
        if line["call"] not in known:
            broken.append(f"{line['kind']} of turn {line['turn']} acted without an intent in the log")
    if account.doubled:
        broken.append(f"{account.doubled} effects happened twice")
    for kind in ("book", "pay", "send"):
        turns = Counter(line["turn"] for line in call.effects if line["kind"] == kind)
        broken += [f"{kind} of turn {turn} happened {count} times" for turn, count in turns.items() if count > 1]
    for id, intent in intents.items():
        outputs = [fact for fact in call.facts("tool.result") if fact["call_id"] == id]
        done = any(not fact["is_error"] for fact in outputs)
        happened = {line["kind"] for line in call.effects if line["call"] == id}
        wanted = {"book": {"book"}, "pay": {"pay"}, "ship": {"pack", "send"}}.get(intent["name"], set())
        if done and happened != wanted:
            broken.append(f"{intent['name']} {id} is done, and did {sorted(happened)}")


def _heard(call: Call, account: Account) -> None:
    heard, broken = call.heard, account.broken
    last, again, order = (-1, -1), 0, Counter[str]()
    for word in heard:
        order[word] += 1
        if order_of(word) <= last:
            again += 1
        last = max(last, order_of(word))
    account.again = again
    allowed = TORN * len(call.cuts) + UNTOLD * len(call.lines)
    if again > allowed:
        broken.append(f"{again} words were heard again or out of order: {_around(heard)}")
    asked = {line["turn"] for line in call.record if line["kind"] == "said"}
    if any(line["kind"] == "hung_up" and line["why"] == "left" for line in call.record):
        asked.discard(max(asked))  # its answer was not wanted
        allowed += TORN
    wanted = [word for turn in asked for word in _answer(turn)] + _answer(0)
    missing = [word for word in wanted if word not in order]
    if len(missing) > allowed:
        broken.append(f"never heard: {' '.join(missing)}")
    told = marked(" ".join(fact["text"] for fact in _said(call)).split())
    difference = Counter(told)
    difference.subtract(Counter(heard))
    account.off = sum(abs(count) for count in difference.values())
    if account.off > allowed:
        wrong = {word: count for word, count in difference.items() if count}
        broken.append(f"history is not what was heard: {wrong}")


def _by_others(call: Call, account: Account) -> None:
    """What a former owner made when it was one no more."""
    serving = [line for line in call.events if line["kind"] == "serving"]
    for word in (line for line in call.record if line["kind"] == "word" and line["made"]):
        owner = max(
            (line for line in serving if line["at"] <= word["made"]), key=lambda line: int(line["epoch"]), default=None
        )
        if owner is not None and owner["pid"] != word["by"]:
            account.broken.append(f"{word['text']} was made by a process that had lost the call, and heard")


def _said(call: Call) -> list[dict[str, Any]]:
    """What history has of the agent's words."""
    return sorted(
        (fact for fact in call.facts("speech.heard") if fact.get("in_history", True)),
        key=lambda fact: float(fact["order"]),
    )


def _answer(turn: int) -> list[str]:
    return [plain(word) for word in (answer(turn) if turn else GREETING.split())]


def _around(heard: list[str]) -> str:
    """The words about each step back."""
    places = [n for n in range(1, len(heard)) if order_of(heard[n]) <= order_of(heard[n - 1])]
    return "; ".join(" ".join(heard[max(0, n - 3) : n + 3]) for n in places)


def _end(call: Call, account: Account) -> None:
    broken = account.broken
    ends = [fact["reason"] for fact in call.facts("session.ended")]
    if ends != [call.reason] or call.stored.status != "ended":
        broken.append(f"it ended as {ends}, the store says {call.stored.status} {call.stored.reason}")
    account.unanswered = sum(line["kind"] == "unanswered" for line in call.record)
    if account.unanswered:
        asked = [line["turn"] for line in call.record if line["kind"] == "unanswered"]
        broken.append(f"the caller waited in vain in turns {asked}")


async def read_calls(
    folder: Path, jobs: Collection[str], cuts: Cuts = lambda job: [], lines: Cuts = lambda job: []
) -> list[Call]:
    """Those of these jobs. ``cuts``, ``lines``: of a job, see ``Call``."""
    events, effects = read(folder / EVENTS), read(folder / EFFECTS)
    store = SQLiteStore(folder / "store" / "calls.db")
    try:
        found = []
        for stored in await store.sessions():
            job = json.loads(stored.about["job"])["id"]
            if job in jobs:
                found.append(
                    Call(
                        job=job,
                        stored=stored,
                        log=await store.read(stored.id),
                        record=read(folder / f"{job}.jsonl"),
                        events=[line for line in events if line.get("job") == job],
                        effects=[line for line in effects if line.get("job") == job],
                        cuts=cuts(job),
                        lines=lines(job),
                    )
                )
        return found
    finally:
        await store.aclose()
