"""Faults, many times over: ``make test-faults``. Each module here has ``main(trials, seed) -> Row``; ``python -m tests.faults`` runs
them, each in a process of its own, and prints a table. What ``make test`` runs of them is short."""

from __future__ import annotations

import msgspec


class Row(msgspec.Struct):
    """One line of the table. ``broken``: what did not hold, one text each. ``note``: figures worth a look."""

    fault: str
    trials: int
    broken: list[str]
    note: str = ""
