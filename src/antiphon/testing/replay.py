"""Replay: the inputs of a recorded log through a fresh kernel, and whether the same facts come out (K7).

No model, no sound, no user code runs: what they answered is in the log. Only the build that wrote a log can be expected
to replay it; facts alone can be read by every later one. A redacted log may lack the very words that decided: where its
replay goes another way, nobody can tell whether the kernel would have.
"""

from __future__ import annotations

import os
from typing import Any

import msgspec

from antiphon import __version__
from antiphon.kernel.effects import AnyEffect, Record
from antiphon.kernel.events import AnyEvent
from antiphon.kernel.facts import AnyFact
from antiphon.kernel.kernel import Kernel
from antiphon.store.log_reader import RecordedLog, event_of, read_log

_CONTEXT = 5
"""Inputs shown before the first difference."""


class Difference(msgspec.Struct, frozen=True):
    """The first place where the replay went another way. ``position``: the fact's number, from 1. ``recorded`` or
    ``replayed`` is ``None`` where that side had no more facts. ``inputs``: what the kernel was told just before."""

    position: int
    recorded: AnyFact | None
    replayed: AnyFact | None
    inputs: tuple[AnyEvent, ...]


class ReplayReport(msgspec.Struct, frozen=True):
    """``same``: the facts are those of the log. ``redacted``: entries up to the difference (or the end) whose words are not
    the ones that were said; with any, a difference proves nothing. ``effects``: how many the kernel asked for."""

    same: bool
    inputs: int
    facts: int
    effects: int
    build: str
    torn: bool = False
    missing: int = 0
    redacted: int = 0
    difference: Difference | None = None
    error: str = ""

    def __str__(self) -> str:
        head = (
            f"{self.inputs} inputs, {self.facts} recorded facts, {self.effects} effects, written by {self.build or '?'}"
        )
        notes = []
        if self.build and self.build != __version__:
            notes.append(f"note: this is build {__version__}; only the build that wrote a log replays it for certain")
        if self.torn:
            notes.append("note: the log's last line is cut off")
        if self.missing:
            notes.append(f"note: {self.missing} entries are missing from the log")
        if self.redacted:
            notes.append(f"note: {self.redacted} entries were redacted when the log was written")
        if self.same:
            return "\n".join([f"same facts: {head}", *notes])
        if self.redacted:
            lines = [f"CANNOT BE TOLD: {head}", *notes]
            lines.append("words that the kernel decided by are not in this log; its facts can be read, not be replayed")
        else:
            lines = [f"DIFFERENT: {head}", *notes]
        if self.error:
            lines.append(f"the kernel raised: {self.error}")
        if self.difference is not None:
            d = self.difference
            lines.append(f"first difference at fact {d.position}, after these inputs:")
            lines += [f"    {_show(event)}" for event in d.inputs]
            lines.append(f"  recorded: {_show(d.recorded)}")
            lines.append(f"  replayed: {_show(d.replayed)}")
        return "\n".join(lines)


def replay(log: str | os.PathLike[str] | RecordedLog) -> ReplayReport:
    """Replay a log file, or one already read. Raises ``FormatError`` where it is no log of this version."""
    recorded = log if isinstance(log, RecordedLog) else read_log(log)
    wanted = recorded.facts()
    inputs: list[AnyEvent] = []
    made: list[AnyFact] = []
    effects = 0
    error = ""
    kernel = Kernel(epoch=_epoch(recorded))
    for entry in recorded.entries:
        if entry.lane == "fact":
            continue
        event = event_of(entry)
        inputs.append(event)
        try:
            asked: list[AnyEffect] = kernel.step(event)
        except Exception as exc:
            error = f"{type(exc).__name__}: {exc}"
            break
        effects += len(asked)
        for effect in asked:
            if isinstance(effect, Record):
                made.append(effect.fact)
                if len(made) > len(wanted) or effect.fact != wanted[len(made) - 1]:
                    return _report(recorded, wanted, made, inputs, effects, len(made) - 1, error)
    place = None if len(made) == len(wanted) and not error else min(len(made), len(wanted))
    return _report(recorded, wanted, made, inputs, effects, place, error)


def _report(
    recorded: RecordedLog,
    wanted: list[AnyFact],
    made: list[AnyFact],
    inputs: list[AnyEvent],
    effects: int,
    place: int | None,
    error: str,
) -> ReplayReport:
    difference = None
    if place is not None:
        difference = Difference(
            position=place + 1,
            recorded=wanted[place] if place < len(wanted) else None,
            replayed=made[place] if place < len(made) else None,
            inputs=tuple(inputs[-_CONTEXT:]),
        )
    return ReplayReport(
        same=place is None,
        inputs=sum(entry.lane == "input" for entry in recorded.entries),
        facts=len(wanted),
        effects=effects,
        build=recorded.header.build,
        torn=recorded.torn,
        missing=recorded.missing,
        redacted=_redacted(recorded, len(inputs), len(wanted) if place is None else place + 1),
        difference=difference,
        error=error,
    )


def _redacted(recorded: RecordedLog, inputs: int, facts: int) -> int:
    """How many of the first entries of each lane were redacted."""
    lanes = (("input", inputs), ("fact", facts))
    return sum(e.redacted for lane, count in lanes for e in [x for x in recorded.entries if x.lane == lane][:count])


def _epoch(recorded: RecordedLog) -> int:
    """The owner's epoch, as the first answer in the log names it."""
    for entry in recorded.entries:
        op: Any = entry.body.get("op")
        if entry.lane == "input" and op:
            return int(op[0])
    return 1


def _show(thing: Any) -> str:
    if thing is None:
        return "nothing more"
    values = {name: getattr(thing, name) for name in thing.__struct_fields__}
    defaults = dict(zip(thing.__struct_fields__, _defaults(type(thing)), strict=True))
    shown = ", ".join(f"{k}={v!r}" for k, v in values.items() if v != defaults[k])
    return f"{type(thing).__name__}({shown})"


def _defaults(kind: type) -> list[Any]:
    return [field.default for field in msgspec.structs.fields(kind)]
