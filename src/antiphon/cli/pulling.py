"""Fetching models with a progress bar; one line every tenth where there is no terminal."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from antiphon.cli.screen import Screen, progress_bar
from antiphon.local.store import Plan, Store

STAGES = {
    "waiting": "another process is fetching models: waiting for it",
    "assemble": "joining",
    "convert": "converting (once)",
}
REDRAW = 0.1
"""Seconds between two drawings of the bar."""


class PullProgress:
    """The store's progress, shown on a screen. Called from the store's threads, one at a time."""

    def __init__(self, screen: Screen, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._screen = screen
        self._clock = clock
        self._stage = ("", "")
        self._tenth = -1
        self._began = 0.0
        self._drawn = float("-inf")

    def __call__(self, model: str, done: int, total: int, stage: str) -> None:
        now = self._clock()
        if (model, stage) != self._stage:
            self._stage = (model, stage)
            self._tenth, self._began, self._drawn = -1, now, float("-inf")
            if stage == "ready":
                self._screen.status("")
                self._screen.line(f"  {model:22} ready ({megabytes(total)} on disk)")
                return
            if stage in STAGES:
                self._say(f"  {model:22} {STAGES[stage]}")
        if stage == "fetch":
            self._fetched(model, done, total, now)

    def _say(self, text: str) -> None:
        if self._screen.live:
            self._screen.status(text)
        else:
            self._screen.line(text)

    def _fetched(self, model: str, done: int, total: int, now: float) -> None:
        if self._screen.live:
            if now - self._drawn >= REDRAW or done >= total:
                self._drawn = now
                speed = f"{megabytes(done / (now - self._began))}/s" if now - self._began > 1 else ""
                amount = f"{done / 1e6:.0f} of {megabytes(total)}"
                self._screen.status(f"  {model:22} {progress_bar(done, total)} {amount}  {speed}")
        elif total and done * 10 // total > self._tenth:
            self._tenth = done * 10 // total
            self._screen.line(f"  {model:22} {self._tenth * 10:3} % of {megabytes(total)}")


def pull(store: Store, names: Sequence[str], screen: Screen, *, source: Path | None = None) -> Plan:
    """Say what will be fetched, fetch it, verify it. Returns the plan as it was before. Raises ``FetchError``."""
    plan = store.plan(names)
    if not plan.missing:
        screen.line(f"The models are on this machine ({store.root}).")
        return plan
    screen.line(
        f"Fetching {', '.join(plan.missing)}: {megabytes(plan.fetch)} to download, {megabytes(plan.disk)} of disk while "
        f"at it ({megabytes(plan.free)} free), into {store.root}."
    )
    try:
        store.ensure(names, PullProgress(screen), source=source)
    finally:
        screen.status("")
    notices = {row.name: row.notice for row in store.list()}
    for name in plan.missing:
        screen.line(f"  {notices[name]}")
    return plan


def megabytes(count: float) -> str:
    """Bytes as people read them: ``87 MB``, ``1.34 GB``."""
    return f"{count / 1e9:.2f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"
