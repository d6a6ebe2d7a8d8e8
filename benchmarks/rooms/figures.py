"""Figures side by side, the peer's as multiples of ours, and whether ours meet what is asked of them."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

OURS, PEER = "antiphon", "livekit"


@dataclass(frozen=True)
class Target:
    """``less``: at most ``limit`` is good, else at least."""

    limit: float
    less: bool = True

    def met(self, value: float) -> bool:
        return value <= self.limit if self.less else value >= self.limit

    def __str__(self) -> str:
        return f"{'<=' if self.less else '>='} {self.limit:g}"


@dataclass
class Figure:
    """One line of the table. ``values``: by side; None where it never came to it, left out where it was not measured.
    ``notes``: more of a side's. ``raw``: what the values were made of."""

    what: str
    unit: str
    values: dict[str, float | None]
    target: Target | None = None
    notes: dict[str, str] = field(default_factory=dict)
    raw: dict[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "target": str(self.target or ""), "met": self.met(), "ratio": self.ratio()}

    def met(self) -> bool | None:
        """Whether ours is what is asked of it; None: nothing is, or it was not measured."""
        if self.target is None or OURS not in self.values:
            return None
        ours = self.values[OURS]
        return ours is not None and self.target.met(ours)

    def ratio(self) -> float | None:
        """The peer's figure by ours, where that says something."""
        ours, peer = self.values.get(OURS), self.values.get(PEER)
        return peer / ours if ours and peer and ours > 0 and peer > 0 else None

    def cells(self, remarks: list[str]) -> list[str]:
        """Of its line; what its notes say is added to ``remarks``."""
        shown = []
        for side in (OURS, PEER):
            cell = number(self.values.get(side))
            if side in self.notes:
                remarks.append(self.notes[side])
                cell += f" [{len(remarks)}]"
            shown.append(cell)
        ratio, met = self.ratio(), {None: "", True: "met", False: "missed"}[self.met()]
        return [self.what, self.unit, *shown, "-" if ratio is None else f"{ratio:.2f}x", str(self.target or ""), met]


def number(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3g}"


def table(figures: Iterable[Figure]) -> str:
    """Columns of one width, the notes below."""
    remarks: list[str] = []
    head = ["", "", "antiphon", "livekit-agents 1.8.9", "peer / ours", "asked", ""]
    rows = [head, *(figure.cells(remarks) for figure in figures)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(
            cell.ljust(width) if at < 2 else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    return "\n".join([*lines, *(f"[{number}] {remark}" for number, remark in enumerate(remarks, 1))])


def median(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None


def percentile(values: Iterable[float], share: float) -> float | None:
    """Nearest rank; ``share`` in [0, 1]."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else None
