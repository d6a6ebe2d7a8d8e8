"""Kills and stops, one after the other, at seeded moments, while callers talk; then everything is checked."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from tests.takeover.checking import Account, check, read_calls
from tests.takeover.diary import read
from tests.takeover.measuring import Silence, silence
from tests.takeover.worker import CampaignWorker, campaign_worker

KINDS: dict[str, float] = {"agent": 0.4, "in a tool": 0.3, "twice": 0.1, "media": 0.1, "all agents": 0.1}
WRITES = ("book", "pay", "ship")
LEAVES = 0.2
"""Share of callers who hang up in the middle of their last answer."""
MOST_CUTS = 2
"""A call is cut so often at most in a minute: what is cut more often counts as what makes processes crash."""


class Fault(msgspec.Struct):
    """One fault. ``dead``: processes that it ended (or stopped). ``hit``: the calls that it cut."""

    kind: str
    at: float
    dead: set[int]
    hit: list[str]


class Outcome(msgspec.Struct):
    """Of a campaign. ``broken``: what did not hold, by fault kind where a call was hit by one."""

    faults: list[Fault]
    accounts: list[Account]
    silences: list[tuple[str, Silence]]
    broken: list[str]


class Campaign:
    """``calls``: callers at once. ``turns``: of each call. ``kinds``: faults and their shares, or one after the other. ``gap``: seconds between two."""

    def __init__(
        self,
        worker: CampaignWorker,
        seed: int,
        *,
        calls: int = 10,
        turns: int = 4,
        kinds: dict[str, float] | list[str] | None = None,
        gap: tuple[float, float] = (3.0, 6.0),
    ) -> None:
        self.worker, self.calls, self.turns, self.gap = worker, calls, turns, gap
        self.kinds: dict[str, float] | list[str] = KINDS if kinds is None else kinds
        self.faults: list[Fault] = []
        self.offered: dict[str, list[str]] = {}
        self._chance = random.Random(seed)
        self._broken: list[str] = []
        self._rang, self._again = 0, 0.0

    def run(self, faults: int) -> None:
        """So many faults, then until all calls have ended."""
        deadline = time.monotonic() + 60.0 + faults * 30.0
        while len(self.faults) < faults and time.monotonic() < deadline and self.worker.process.poll() is None:
            self._wait(self._chance.uniform(*self.gap))
            if isinstance(self.kinds, dict):
                kind = self._chance.choices(list(self.kinds), list(self.kinds.values()))[0]
            else:
                kind = self.kinds[len(self.faults) % len(self.kinds)]
            getattr(self, "_" + kind.replace(" ", "_"))()
        if len(self.faults) < faults:
            self._broken.append(f"only {len(self.faults)} of {faults} faults could be brought about")
        if not self.worker.until(lambda: not self._running(), 90.0):
            self._broken.append(f"never over: {', '.join(sorted(self._running()))}")
        refused = {job for job, how in self.worker.ended().items() if how == "refused"}
        self.offered = {job: turns for job, turns in self.offered.items() if job not in refused}

    def outcome(self) -> Outcome:
        """What came of it all."""
        return outcome_of(self.worker.folder, self.offered, self.faults, self._broken)

    # --- callers -------------------------------------------------------------------------------------------------------

    def top_up(self) -> None:
        """As many calls as there should be."""
        for job in [job for job, how in self.worker.ended().items() if how == "refused"]:
            self.offered.pop(job, None)  # the lines were busy
        while len(self._running()) < self.calls and time.monotonic() > self._again:
            self._again = time.monotonic() + 0.2
            self._rang += 1
            job = f"call{self._rang}"
            turns = [self._chance.choice(["tell", *WRITES]) for _ in range(self.turns)]
            if self._chance.random() < LEAVES:
                turns[-1] = "leave"
            self.offered[job] = turns
            self.worker.offer(job, turns, self._chance.randrange(1_000_000))

    def _running(self) -> set[str]:
        return set(self.offered) - set(self.worker.ended())

    def _wait(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.worker.look()
            self.top_up()
            time.sleep(0.02)

    # --- faults --------------------------------------------------------------------------------------------------------

    def _agent(self) -> None:
        if victims := self._victims():
            self._kill("agent", {self._chance.choice(victims)})

    def _in_a_tool(self) -> None:
        """Once a call is inside a write."""
        self.worker.look()
        seen = len(self.worker.events.lines)
        after = self._chance.uniform(0.0, 0.35)

        def inside() -> list[int]:
            victims = self._victims()
            return [
                line["pid"]
                for line in self.worker.events.lines[seen:]
                if line["kind"] == "inside" and line["pid"] in victims and line["at"] > time.monotonic() - 0.1
            ]

        if self.worker.until(inside, 10.0) and (found := inside()):
            time.sleep(after)
            self._kill("in a tool", {found[-1]})

    def _twice(self) -> None:
        """The next one too, as soon as it has begun with the call, or a little later."""
        if victims := self._victims(most=1):
            victim = self._chance.choice(victims)
            seen = len(self.worker.events.lines)
            self._kill("twice", {victim})
            hit = set(self.faults[-1].hit)

            def next_ones() -> set[int]:
                new = [line for line in self.worker.events.lines[seen:] if line["kind"] == "serving"]
                return {line["pid"] for line in new if line["job"] in hit and line["resumed"]}

            if self.worker.until(next_ones, 10.0):
                time.sleep(self._chance.choice([0.0, 0.05, 0.3]))
                self._kill("twice", next_ones())

    def _media(self) -> None:
        if (media := self.worker.media()) and self._fresh(list(self.worker.serving())):
            self._kill("media", set(media), every=True)

    def _all_agents(self) -> None:
        if self._fresh(list(self.worker.serving())):
            self._kill("all agents", set(self.worker.agents()), every=True)

    def _stopped(self) -> None:
        """Stands still, and goes on, or is ended meanwhile."""
        if victims := self._victims():
            victim = self._chance.choice(victims)
            self._note("stopped", {victim}, self._served_by({victim}))
            self._halt(victim, self._chance.uniform(0.5, 10.0))

    def _left_behind(self) -> None:
        """Stands still while its supervisor is killed and another one's processes take its calls over; then wakes up."""
        if victims := self._victims():
            victim = self._chance.choice(victims)
            hit = list(self.worker.serving())
            os.kill(victim, signal.SIGSTOP)
            self._note("left behind", {victim}, hit)
            os.kill(self.worker.process.pid, signal.SIGKILL)
            self.worker.start_again()
            seen = len(self.worker.events.lines)
            served = set(self._served_by({victim}))

            def begun() -> bool:
                new = {line["job"] for line in self.worker.events.lines[seen:] if line["kind"] == "started"}
                return served <= new | set(self.worker.ended())

            self.worker.until(begun, 20.0)
            time.sleep(self._chance.uniform(0.0, 1.0))
            with suppress(ProcessLookupError):
                os.kill(victim, signal.SIGCONT)

    def _halt(self, victim: int, seconds: float) -> None:
        with suppress(ProcessLookupError):
            os.kill(victim, signal.SIGSTOP)
            self._wait(seconds)
            os.kill(victim, signal.SIGCONT)

    def _kill(self, kind: str, victims: set[int], *, every: bool = False) -> None:
        hit = list(self.worker.serving()) if every else self._served_by(victims)
        self._note(kind, victims | (set(self.worker.serving().values()) if every else set()), hit)
        for victim in victims:
            with suppress(ProcessLookupError):
                os.kill(victim, signal.SIGKILL)

    def _note(self, kind: str, dead: set[int], hit: list[str]) -> None:
        self.faults.append(Fault(kind, time.monotonic(), dead, hit))

    def _served_by(self, pids: set[int]) -> list[str]:
        return [job for job, pid in self.worker.serving().items() if pid in pids]

    def _victims(self, *, most: int = MOST_CUTS) -> list[int]:
        """Processes that serve calls, none of which was cut too often already."""
        living = set(self.worker.agents())
        return [
            pid
            for pid in sorted(set(self.worker.serving().values()) & living)
            if self._fresh(self._served_by({pid}), most)
        ]

    def _fresh(self, jobs: list[str], most: int = MOST_CUTS) -> bool:
        since = time.monotonic() - 70.0
        counts = [sum(job in fault.hit for fault in self.faults if fault.at > since) for job in jobs]
        return bool(jobs) and max(counts) < most


def outcome_of(folder: Path, jobs: Collection[str], faults: list[Fault], broken: list[str]) -> Outcome:
    """Check the calls of these jobs. ``broken``: what is known already."""

    def cut(job: str, media: bool) -> list[float]:
        return [fault.at for fault in faults if job in fault.hit and (fault.kind == "media") is media]

    calls = asyncio.run(read_calls(folder, jobs, lambda job: cut(job, False), lambda job: cut(job, True)))
    accounts = [check(call) for call in calls]
    broken = [*broken, *(f"{job} is not in the store" for job in sorted(set(jobs) - {call.job for call in calls}))]
    for account in accounts:
        befell = ", ".join(fault.kind for fault in faults if account.job in fault.hit) or "not hit"
        broken += [f"{account.job} ({befell}): {text}" for text in account.broken]
    found = []
    for fault in faults:
        each = [silence(read(folder / f"{job}.jsonl"), job, fault.at, fault.dead) for job in fault.hit]
        found += [(fault.kind, one) for one in each if one is not None]
    return Outcome(faults, accounts, found, broken)


def campaign(
    faults: int, seed: int, *, keep: bool = False, server: dict[str, Any] | None = None, **options: Any
) -> Outcome:
    """From a worker's start to its end. ``keep``: leave all files where something is broken. ``server``: options of the ``AgentServer``;
    ``options``: of ``Campaign``."""
    folder = Path(tempfile.mkdtemp(prefix="takeover-"))
    made = {"max_sessions": 4, "processes": 4, "hang_timeout": 2.0, **(server or {})}
    with campaign_worker(folder, **made) as worker:
        running = Campaign(worker, seed, **options)
        running.run(faults)
    outcome = running.outcome()
    if keep and outcome.broken:
        print(f"what happened is in {folder}", file=sys.stderr)
    else:
        shutil.rmtree(folder, ignore_errors=True)
    return outcome
