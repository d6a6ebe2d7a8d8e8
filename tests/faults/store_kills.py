"""A process with eight busy sessions is killed at any moment, in the middle of commits too: what it was told to be durable is there."""

from __future__ import annotations

import random

from tests.faults import Row
from tests.store.killed import load_trial


def main(trials: int, seed: int) -> Row:
    """``trials`` kills."""
    chance = random.Random(seed)
    outcomes = [load_trial(chance.uniform(0.1, 0.5)) for _ in range(trials)]
    wrong = [f"trial {number}: {problem}" for number, each in enumerate(outcomes) for problem in each["wrong"]]
    acknowledged = sum(each["acknowledged"] for each in outcomes)
    return Row("a process is killed in the middle of commits", trials, wrong, f"{acknowledged} facts acknowledged")
