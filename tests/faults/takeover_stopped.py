"""Agent processes stand still and wake up: within their time, or when another one has their calls."""

from __future__ import annotations

from tests.faults import Row
from tests.takeover.campaign import campaign
from tests.takeover.table import row, show


def main(trials: int, seed: int) -> Row:
    """A quarter of ``trials``: each takes some seconds."""
    outcome = campaign(max(1, trials // 4), seed, kinds={"stopped": 0.6, "left behind": 0.4}, calls=6, keep=True)
    show(outcome)
    return row("an agent process stands still and wakes up", outcome)
