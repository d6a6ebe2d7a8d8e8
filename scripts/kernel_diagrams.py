"""Writes docs/kernel-states.md: the kernel's state diagrams, generated from its transition tables.

python scripts/kernel_diagrams.py [--check]
"""

from __future__ import annotations

import sys
from pathlib import Path

from antiphon.kernel import agents, legs, lifecycle, reply, speech, tools, turn
from antiphon.kernel.kernel import MACHINES, ROUTES, TIMER_ROUTES

TARGET = Path(__file__).resolve().parent.parent / "docs" / "kernel-states.md"
TABLES = (
    ("Session", "lifecycle", lifecycle.STATES, lifecycle.MOVES),
    ("Leg", "legs", legs.STATES, legs.MOVES),
    ("The caller's turn", "turn", turn.STATES, turn.MOVES),
    ("Agent", "agents", agents.STATES, agents.MOVES),
    ("Reply", "reply", reply.STATES, reply.MOVES),
    ("Speech", "speech", speech.STATES, speech.MOVES),
    ("Tool call", "tools", tools.STATES, tools.MOVES),
)
HEAD = """# State diagrams of the kernel

Generated from the transition tables in `src/antiphon/kernel` by `python scripts/kernel_diagrams.py`; a test keeps this
page up to date. A transition that no table has does not happen. Liveness has no table: it looks at the other machines
after every event and keeps a clock (see its docstring).
"""


def diagram(states: tuple[str, ...], moves: dict[tuple[str, str], str]) -> str:
    """One mermaid state diagram; causes of the same transition share an arrow."""
    arrows: dict[tuple[str, str], list[str]] = {}
    for (state, cause), target in moves.items():
        arrows.setdefault((state, target), []).append(cause)
    lines = ["```mermaid", "stateDiagram-v2", f"    [*] --> {states[0]}"]
    lines += [f"    {a} --> {b}: {', '.join(causes)}" for (a, b), causes in arrows.items()]
    return "\n".join([*lines, "```"])


def page() -> str:
    parts = [HEAD]
    for title, machine, states, moves in TABLES:
        parts.append(f"## {title} (`{machine}`)\n\n{diagram(states, moves)}\n")
    rows = ["## Who hears what\n", "In this order, for one cause.\n", "| machine | events and signals |", "|---|---|"]
    for machine, _ in MACHINES:
        kinds = sorted(
            {kind.__name__ for kind, handlers in ROUTES.items() if machine in [name for name, _ in handlers]}
        )
        timers = ["its timers"] if machine in TIMER_ROUTES else []
        rows.append(f"| {machine} | {', '.join(kinds + timers)} |")
    return "\n".join([*parts, *rows]) + "\n"


def main() -> int:
    text = page()
    if "--check" in sys.argv:
        fresh = TARGET.exists() and TARGET.read_text() == text
        print("up to date" if fresh else "docs/kernel-states.md is old: run python scripts/kernel_diagrams.py")
        return 0 if fresh else 1
    TARGET.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
