"""A server that offers, assigns and ends jobs in any order, says nonsense and drops connections: see ``tests.worker.slots``."""

from __future__ import annotations

import logging

from tests.faults import Row
from tests.worker.slots import STEPS, walk


def main(trials: int, seed: int) -> Row:
    """``trials`` walks."""
    logging.disable(logging.CRITICAL)
    wrong = [f"seed {seed + number}: {problem}" for number in range(trials) for problem in walk(seed + number)]
    return Row("job messages doubled, late, reordered, cut off", trials, wrong, f"{trials * STEPS} bursts of messages")
