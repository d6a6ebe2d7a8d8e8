"""A word at which processes crash, a process with too much memory, a full disk: calls go on, see ``tests.takeover.limits``."""

from __future__ import annotations

from collections.abc import Callable

from tests.faults import Row
from tests.takeover.campaign import Outcome
from tests.takeover.limits import crash_loop, full_disk, memory

STORIES: dict[str, Callable[[int], Outcome]] = {"crash loop": crash_loop, "memory": memory, "full disk": full_disk}


def main(trials: int, seed: int) -> Row:
    """Each story; again for each hundred of ``trials``."""
    told, broken, skipped = 0, [], []
    for number in range(max(1, trials // 100)):
        for name, story in STORIES.items():
            try:
                outcome = story(seed + number)
            except PermissionError as error:
                skipped.append(f"{name} could not be tried: {error}")
                continue
            told += 1
            broken += [f"{name}: {text}" for text in outcome.broken]
    return Row("a crash loop, too much memory, a full disk", told, broken, "; ".join(sorted(set(skipped))))
