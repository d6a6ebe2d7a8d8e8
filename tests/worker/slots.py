"""A worker with a few slots that counts what its engine does with them, and random walks of a server with it."""

from __future__ import annotations

import asyncio
import random
from collections import Counter

from antiphon.testing import loop as virtual
from antiphon.worker.engine import Acceptance, Assignment, JobOffer, Load, Refusal
from antiphon.worker.livekit_engine import LiveKitEngine
from antiphon.worker.offers import ASSIGN_WITHIN
from tests.worker.dispatcher import KEY, SECRET, Dispatcher, dispatcher

SLOTS = 3
STEPS = 60


class Slots:
    """A worker with ``SLOTS`` slots. ``says``: what comes of the next offer of a job; ``slow``: not before it is let go."""

    def __init__(self) -> None:
        self.promised: set[str] = set()
        self.jobs: set[str] = set()
        self.started: Counter[str] = Counter()
        self.says: dict[str, str] = {}
        self.held: dict[str, asyncio.Event] = {}
        self.wrong: list[str] = []
        """What an engine must not do."""

    def load(self) -> Load:
        return Load(0.0, len(self.jobs), open=len(self.jobs | self.promised) < SLOTS)

    async def offered(self, offer: JobOffer) -> Acceptance | Refusal:
        if offer.id in self.promised or offer.id in self.jobs:
            self.wrong.append(f"{offer.id} is asked for twice")
        if not self.load().open:
            return Refusal()
        self.promised.add(offer.id)
        if (held := self.held.get(offer.id)) is not None:
            await held.wait()
        says = self.says.get(offer.id, "yes")
        if says == "raise":
            raise RuntimeError("the worker is confused")
        if says == "nonsense":
            return True  # type: ignore[return-value]
        if says == "surrogate":
            return Acceptance("\ud800")
        if says == "no":
            self.promised.discard(offer.id)
            return Refusal()
        return Acceptance(f"agent-{offer.id}")

    def assigned(self, assignment: Assignment) -> None:
        job = assignment.offer.id
        if job in self.jobs or job not in self.promised:
            self.wrong.append(f"{job} is started again, or has no slot")
        self.promised.discard(job)
        self.jobs.add(job)
        self.started[job] += 1

    def withdrawn(self, offer: JobOffer) -> None:
        self.promised.discard(offer.id)

    def terminated(self, job: str) -> None:
        self.jobs.discard(job)

    def running(self) -> list[str]:
        return sorted(self.jobs)

    def connected(self, worker_id: str) -> None: ...

    def disconnected(self, reason: str) -> None: ...


def walk(seed: int) -> list[str]:
    """Offers, assignments, terminations, garbage and lost connections in bursts, over real sockets. Returns what was wrong."""
    worker = Slots()
    virtual.run(_walk(worker, random.Random(seed)))
    return worker.wrong


async def _walk(worker: Slots, chance: random.Random) -> None:
    wrong = worker.wrong
    async with dispatcher() as server:
        server.mute = True
        engine = LiveKitEngine(worker, url=server.url, key=KEY, secret=SECRET, jitter=chance.random)
        task = asyncio.create_task(engine.run())
        for step in range(STEPS):
            async with asyncio.timeout(120):
                while not (server.sockets and engine.worker_id):
                    await asyncio.sleep(0.1)
            for _ in range(chance.randint(1, 8)):
                _act(server, f"AJ_{step // 20}_{chance.randint(1, 5)}", chance)
            if chance.random() < 0.1:
                await server.drop()
            if chance.random() < 0.1 and worker.jobs:
                worker.jobs.pop()
            await asyncio.sleep(chance.choice([0.0, 0.05, 1.0, 9.0]))
            if len(worker.promised | worker.jobs) > SLOTS:
                wrong.append("more jobs than slots")
        await asyncio.sleep(ASSIGN_WITHIN + 20.0)
        if worker.promised or not worker.started:
            wrong.append(
                f"slots are still taken: {sorted(worker.promised)}; {sum(worker.started.values())} jobs started"
            )
        worker.jobs.clear()
        server.mute = False
        for number in range(SLOTS):
            server.offer(f"AJ_last_{number}")
        await asyncio.sleep(30)
        if len(worker.jobs) < SLOTS:
            wrong.append(f"only {len(worker.jobs)} slots are free in the end")
        await engine.aclose()
        await asyncio.wait_for(task, 10)


def _act(server: Dispatcher, job: str, chance: random.Random) -> None:
    match chance.randint(0, 9):
        case 0 | 1 | 2 | 3:
            server.offer(job)
        case 4 | 5 | 6 if server.knows(job):
            server.assign(job)
        case 7:
            server.terminate(job)
        case 8:
            server.terminate("AJ_nobody_knows")
        case 9 if chance.random() < 0.1:
            server.send(b"\xff" * chance.randint(1, 9))
