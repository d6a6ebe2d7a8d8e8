"""A failing call, made as short as it can be, and told as a story."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from antiphon.kernel import events as ev
from tests.kernel.chaos import ChaosRules
from tests.kernel.rules import Broken
from tests.kernel.world import World

TRIES = 400


class Tape(World):
    """Plays recorded events; nothing answers."""

    def __init__(self, tape: list[ev.Event]) -> None:
        super().__init__(0)
        self.source = tape

    def begin(self) -> None:
        for event in self.source:
            self.at(event.now, event)

    def do(self, effect: object) -> None:
        if type(effect).__name__ in ("Record", "WakeAt", "Ended"):
            super().do(effect)  # type: ignore[arg-type]


def breaks(tape: list[ev.Event], finish: bool = True) -> str:
    """The rule that ``tape`` breaks, or nothing."""
    world = Tape(tape)
    rules = ChaosRules(world)
    try:
        world.run()
        if finish:
            rules.finish()
    except Broken as broken:
        return broken.rule
    except Exception as fault:
        return type(fault).__name__
    return ""


def shrink(
    tape: list[ev.Event], rule: str, test: Callable[[list[ev.Event]], str] = breaks
) -> tuple[list[ev.Event], bool]:
    """The shortest tape found that breaks ``rule`` by itself, and whether it does."""
    tape = [msgspec.structs.replace(event, seq=0) for event in tape if not isinstance(event, ev.Tick)]
    tries, size = 0, max(1, len(tape) // 2)
    fails = test(tape) == rule
    while fails and size and tries < TRIES:
        at = 0
        while at < len(tape) and tries < TRIES:
            tries += 1
            shorter = tape[:at] + tape[at + size :]
            if test(shorter) == rule:
                tape = shorter
            else:
                at += size
        size //= 2
    return tape, fails


def story(world: World, error: Exception) -> str:
    """What happened, in as few lines as possible."""
    rule = getattr(error, "rule", type(error).__name__)
    tape, fails = shrink(world.tape, rule)
    lines = [f"seed {world.seed}: {error}"]
    if fails:
        lines.append(f"{len(tape)} of {len(world.tape)} events are enough to break {rule}:")
        lines += [f"  {e.now:7.2f}  {type(e).__name__} " + _fields(e) for e in tape]
    else:
        lines.append("the last 40 lines of the call:")
        lines += ["  " + line for line in world.story[-40:]]
    return "\n".join(lines)


def _fields(event: ev.Event) -> str:
    skip = ("seq", "now", "agent", "words", "policy")
    return " ".join(f"{k}={v!r}" for k, v in msgspec.structs.asdict(event).items() if k not in skip)
