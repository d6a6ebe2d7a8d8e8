"""Agent processes, one or all, in a tool that writes or anywhere, and the media process are killed while callers talk: see ``tests.takeover``."""

from __future__ import annotations

from tests.faults import Row
from tests.takeover.campaign import campaign
from tests.takeover.table import row, show


def main(trials: int, seed: int) -> Row:
    """``trials`` kills."""
    outcome = campaign(trials, seed, keep=True)
    show(outcome)
    return row("processes are killed while callers talk", outcome)
