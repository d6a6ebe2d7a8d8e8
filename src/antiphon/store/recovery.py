"""From a session's log to a kernel that goes on.

The inputs are replayed, whichever build wrote them: where they lead to the very facts of the log, the kernel is exactly as it
was, timers and open work included. Where they do not, the facts are folded: that gives the conversation, and the rest begins anew.

Owns: which of the two, and that what it makes agrees with the log. Never: who may go on (a lease says).
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from antiphon.errors import FormatError
from antiphon.kernel.effects import AnyEffect, Record
from antiphon.kernel.facts import AnyFact, SessionEnded
from antiphon.kernel.folding import folded
from antiphon.kernel.kernel import Kernel
from antiphon.models.log import LogEntry, LogHeader
from antiphon.store.log_reader import event_of, fact_of


class Recovered(msgspec.Struct, frozen=True):
    """``kernel``: its written state (``Kernel.load``). ``exact``: all of it was replayed, not the conversation alone. ``unwritten``: facts that
    the last input led to and that the log does not hold: the new owner writes them first. ``ended``: the session is over,
    with this reason. ``why``: what kept it from being exact."""

    kernel: bytes
    exact: bool
    unwritten: tuple[AnyFact, ...] = ()
    ended: str = ""
    why: str = ""


def recover(header: LogHeader, entries: Sequence[LogEntry], *, build: str) -> Recovered:
    """``entries``: the whole log, gapless. ``build``: the one that goes on, for ``why``. Raises ``FormatError`` for a log with gaps, and
    for a fact that this build does not know."""
    for number, entry in enumerate(entries, start=1):
        if entry.seq != number:
            raise FormatError(f"Entry {number} is missing: {entry.seq} follows.", hint="The log is damaged.")
    facts = [fact_of(entry) for entry in entries if entry.lane == "fact"]
    ended = next((fact.reason for fact in facts if isinstance(fact, SessionEnded)), "")
    if any(entry.redacted for entry in entries):
        why = "it was redacted"
    else:
        replayed = _replay(entries, facts)
        if not isinstance(replayed, str):
            kernel, made = replayed
            ended = ended or kernel.state.conversation.ended
            return Recovered(kernel=kernel.dump(), exact=True, unwritten=tuple(made[len(facts) :]), ended=ended)
        why = replayed
        if header.build != build:
            why += f"; it was written by build {header.build or 'unknown'}, this is {build or 'unknown'}"
    return Recovered(kernel=Kernel(folded(facts)).dump(), exact=False, ended=ended, why=why)


def _replay(entries: Sequence[LogEntry], facts: list[AnyFact]) -> tuple[Kernel, list[AnyFact]] | str:
    """The kernel and all facts that it made, or what is different."""
    first = _conversation_alone(entries)
    made = facts[: sum(entry.lane == "fact" for entry in entries[:first])]
    kernel = Kernel(folded(made)) if first else Kernel(epoch=_first_epoch(entries))
    for entry in entries[first:]:
        if entry.lane == "fact":
            continue
        try:
            effects: list[AnyEffect] = kernel.step(event_of(entry))
        except Exception as exc:  # what another build told its kernel may break any rule of this one
            return f"input {entry.seq} cannot be replayed ({type(exc).__name__}: {exc})"
        made += [effect.fact for effect in effects if isinstance(effect, Record)]
    for number, fact in enumerate(facts):
        if number >= len(made) or made[number] != fact:
            return f"fact {number + 1} does not follow from the inputs"
    return kernel, made


def _conversation_alone(entries: Sequence[LogEntry]) -> int:
    """Where the newest owner took up that had the conversation alone: what is before it counts as facts. 0: none did."""
    for number in range(len(entries) - 1, -1, -1):
        entry = entries[number]
        if entry.lane == "input" and entry.kind == "resumed" and entry.body.get("agent") is not None:
            return number
    return 0


def _first_epoch(entries: Sequence[LogEntry]) -> int:
    """The owner's epoch, as the first answer in the log names it."""
    for entry in entries:
        op = entry.body.get("op")
        if entry.lane == "input" and op:
            return int(op[0])
    return 1
