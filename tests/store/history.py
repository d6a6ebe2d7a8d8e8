"""Histories of processes that share one store, and what must hold of every one.

A history is what each process wrote down: an operation when it began and again when it was answered, by the machine's clock, which
is the same for all. ``broken`` compares it with what the store holds in the end:

- the log of a session is gapless, each entry once, its epochs never go down and none is above the session's;
- an epoch has one owner, who wrote all its entries, in the order in which it appended them;
- what was acknowledged is stored, under the epoch it was acknowledged for; what is stored was appended by somebody;
- a claim that began when another was answered has the higher epoch; nothing is acknowledged for a former owner that
  began behind its successor's claim;
- nobody gets a lease that somebody else was sure to hold: renewed for so many seconds, and neither released nor over.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import msgspec

SLACK = 0.002
"""Seconds between a process's look at the clock and the store's."""


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """One operation. ``began``, ``answered``: seconds; ``answered`` infinite: nobody knows what came of it. ``good``: it was not
    refused. ``value``: what was appended; ``ttl``: of a claim or renewal."""

    process: str
    kind: str
    session: str
    began: float
    answered: float = float("inf")
    good: bool = False
    epoch: int = 0
    value: str = ""
    ttl: float = 0.0


class Stored(msgspec.Struct, frozen=True):
    """A session in the store: ``entries`` as (seq, epoch, value)."""

    epoch: int
    seq: int
    entries: list[tuple[int, int, str]]


def read_history(paths: Iterable[Path]) -> list[Done]:
    """From the files of all processes: a line where an operation began, another with the same ``n`` where it was answered."""
    found = []
    for path in paths:
        operations: dict[int, dict[str, object]] = {}
        for line in path.read_text().splitlines():
            try:
                said = json.loads(line)
            except json.JSONDecodeError:
                continue  # the process died while it wrote
            operations.setdefault(said.pop("n"), {"process": path.stem}).update(said)
        found += [msgspec.convert(each, Done) for each in operations.values()]
    return sorted(found, key=lambda done: done.began)


def broken(history: list[Done], stored: dict[str, Stored]) -> list[str]:
    """What does not hold; empty: all does."""
    wrong: list[str] = []
    for session in sorted({done.session for done in history} | stored.keys()):
        told = [done for done in history if done.session == session]
        if session not in stored:
            if any(done.good for done in told):
                wrong.append(f"{session} is lost")
            continue
        here = stored[session]
        for problem in (
            *_log(told, here),
            *_owners(told, here),
            *_acknowledged(told, here),
            *_in_time(told),
            *_leases(told),
        ):
            wrong.append(f"{session}: {problem}")
    return wrong


def _log(told: list[Done], here: Stored) -> Iterable[str]:
    if [seq for seq, _, _ in here.entries] != list(range(1, here.seq + 1)):
        yield f"the log has {len(here.entries)} entries, not 1 to {here.seq}"
    epochs = [epoch for _, epoch, _ in here.entries]
    if epochs != sorted(epochs) or (epochs and epochs[-1] > here.epoch):
        yield f"epochs go down, or beyond {here.epoch}: {epochs}"
    values = [value for _, _, value in here.entries]
    if len(set(values)) < len(values):
        yield "an entry is stored twice"
    if unknown := set(values) - {done.value for done in told if done.kind == "append"}:
        yield f"stored, and appended by nobody: {sorted(unknown)}"


def _owners(told: list[Done], here: Stored) -> Iterable[str]:
    owners: dict[int, set[str]] = defaultdict(set)
    for done in told:
        if done.kind == "claim" and done.good:
            owners[done.epoch].add(done.process)
    appended = {done.value: done for done in told if done.kind == "append"}
    order: dict[int, list[float]] = defaultdict(list)
    for _, epoch, value in here.entries:
        if value in appended:
            owners[epoch].add(appended[value].process)
            order[epoch].append(appended[value].began)
    for epoch, processes in sorted(owners.items()):
        if len(processes) > 1:
            yield f"epoch {epoch} has several owners: {sorted(processes)}"
        if order[epoch] != sorted(order[epoch]):
            yield f"epoch {epoch} is not in the order of its appends"


def _acknowledged(told: list[Done], here: Stored) -> Iterable[str]:
    epochs = {value: epoch for _, epoch, value in here.entries}
    for done in told:
        if done.kind == "append" and done.good and epochs.get(done.value) != done.epoch:
            yield f"{done.value} was acknowledged for epoch {done.epoch}, and is stored for {epochs.get(done.value)}"


def _in_time(told: list[Done]) -> Iterable[str]:
    claims = [done for done in told if done.kind == "claim" and done.good]
    for earlier in claims:
        for done in told:
            if done.good and done.began > earlier.answered and done.epoch < earlier.epoch:
                yield f"{done.kind} of {done.process} for epoch {done.epoch} began behind the claim of {earlier.epoch}"


def _leases(told: list[Done]) -> Iterable[str]:
    held = [done for done in told if done.kind in ("claim", "renew", "append") and done.good]
    for claim in held:
        if claim.kind != "claim":
            continue
        for before in held:
            mine = before.process == claim.process or before.epoch != claim.epoch - 1
            let_go = any(
                done.kind == "release" and done.epoch == before.epoch and done.began < claim.answered for done in told
            )
            sure = before.answered < claim.began and claim.answered < before.began + before.ttl - SLACK
            if not mine and not let_go and sure:
                yield f"{claim.process} claimed epoch {claim.epoch} while {before.process} held the lease"
