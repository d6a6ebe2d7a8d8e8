"""Offers, assignments and terminations in any order: a job is started once for each assignment that follows an acceptance, and
nothing else ever holds a slot."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from livekit.protocol import agent

from antiphon.testing import loop as virtual
from antiphon.worker.engine import JobOffer, Load
from antiphon.worker.offers import ASSIGN_WITHIN, MOST_ANSWERING, Offers
from tests.worker.slots import SLOTS, Slots, walk

JOBS = ("AJ_1", "AJ_2", "AJ_3", "AJ_4", "AJ_5")


def answers(sent: list[bytes], job: str) -> list[bool]:
    """What was said to offers of it."""
    said = [agent.WorkerMessage.FromString(data) for data in sent]
    return [each.availability.available for each in said if each.availability.job_id == job]


JOB = st.sampled_from(JOBS)
ACTIONS = st.one_of(
    st.tuples(st.just("offer"), JOB, st.sampled_from(["yes", "yes", "yes", "slow", "no", "raise", "nonsense", "surrogate"])),
    st.tuples(st.sampled_from(["assign", "assign", "terminate", "let go", "finish"]), JOB),
    st.tuples(st.just("wait"), st.sampled_from([0.1, 4.0, ASSIGN_WITHIN + 0.1])),
    st.just(("lost",)),
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.lists(ACTIONS, max_size=40))
@example([("offer", "AJ_1", "yes"), ("assign", "AJ_1"), ("terminate", "AJ_1")])
@example([("offer", "AJ_1", "yes"), ("terminate", "AJ_1"), ("assign", "AJ_1")])
@example([("offer", "AJ_1", "slow"), ("terminate", "AJ_1"), ("let go", "AJ_1"), ("assign", "AJ_1")])
@example([("offer", "AJ_1", "slow"), ("lost",), ("let go", "AJ_1"), ("assign", "AJ_1")])
@example([("offer", "AJ_1", "yes"), ("offer", "AJ_1", "yes"), ("assign", "AJ_1"), ("wait", 8.0)])
@example([("offer", "AJ_1", "yes"), ("assign", "AJ_1"), ("offer", "AJ_1", "yes"), ("assign", "AJ_1")])
@example([("offer", "AJ_1", "yes"), ("wait", 8.0), ("assign", "AJ_1"), ("assign", "AJ_1")])
def test_whatever_the_order_a_job_is_started_once_an_assignment_and_no_slot_leaks(actions: list[Any]) -> None:
    async def run() -> None:
        worker, sent = Slots(), []
        offers = Offers(worker, sent.append, "ws://here")
        model = Model()
        for action, *about in actions:
            now = asyncio.get_running_loop().time()
            if action == "offer":
                job, says = about
                free = job not in model.promised() and job not in model.running
                if free:
                    worker.says[job] = "yes" if says == "slow" else says
                    worker.held.pop(job, None)
                    if says == "slow":
                        worker.held[job] = asyncio.Event()
                before = len(answers(sent, job))
                offers.offered(JobOffer(job, "room"))
                await settle()
                said = answers(sent, job)[before:]
                assert len(said) <= 1
                expected = model.offer(job, says, now)
                assert said == ([] if expected is None else [expected])
            elif action == "assign":
                offers.assigned(about[0], "", "token")
                model.assign(about[0])
            elif action == "terminate":
                offers.terminated(about[0])
                model.terminate(about[0])
            elif action == "let go":
                if (held := worker.held.pop(about[0], None)) is not None:
                    held.set()
                await settle()
                model.let_go(about[0], now)
            elif action == "finish":
                worker.jobs.discard(about[0])
                model.running.discard(about[0])
            elif action == "wait":
                await asyncio.sleep(about[0])
                model.expire(now + about[0])
            else:
                offers.lost()
                model.lost()
            await settle()
            assert not worker.wrong and worker.promised == model.promised()
            assert worker.jobs == model.running
            assert worker.started == model.started
            assert offers.under_way == len(model.promised())
        for held in worker.held.values():
            held.set()
        await asyncio.sleep(ASSIGN_WITHIN + 1.0)
        assert not worker.promised and not offers.under_way

    virtual.run(run())


async def settle() -> None:
    for _ in range(6):
        await asyncio.sleep(0)


class Model:
    """What must be, in so many words."""

    def __init__(self) -> None:
        self.asking: set[str] = set()
        self.accepted: dict[str, float] = {}
        """Until when."""
        self.running: set[str] = set()
        self.started: Counter[str] = Counter()

    def promised(self) -> set[str]:
        return self.asking | self.accepted.keys()

    def offer(self, job: str, says: str, now: float) -> bool | None:
        """The answer that is due at once; ``None``: none."""
        if job in self.accepted:
            return True
        if job in self.asking:
            return None
        if job in self.running or len(self.promised() | self.running) >= SLOTS:
            return False
        if says == "slow":
            self.asking.add(job)
            return None
        if says == "yes":
            self.accepted[job] = now + ASSIGN_WITHIN
        return says == "yes"

    def let_go(self, job: str, now: float) -> None:
        if job in self.asking:
            self.asking.discard(job)
            self.accepted[job] = now + ASSIGN_WITHIN

    def assign(self, job: str) -> None:
        if self.accepted.pop(job, None) is not None:
            self.running.add(job)
            self.started[job] += 1

    def terminate(self, job: str) -> None:
        self.asking.discard(job)
        self.accepted.pop(job, None)
        self.running.discard(job)

    def expire(self, now: float) -> None:
        self.accepted = {job: until for job, until in self.accepted.items() if until > now}

    def lost(self) -> None:
        self.asking.clear()
        self.accepted.clear()


def test_more_offers_than_may_wait_are_refused_at_once() -> None:
    async def flood() -> None:
        worker, sent = Slots(), []
        worker.load = lambda: Load()  # type: ignore[method-assign]
        offers = Offers(worker, sent.append, "ws://here")
        for number in range(MOST_ANSWERING * 4):
            worker.held[f"AJ_{number}"] = asyncio.Event()
            offers.offered(JobOffer(f"AJ_{number}", "room"))
        await settle()
        assert offers.under_way == MOST_ANSWERING and len(sent) == MOST_ANSWERING * 3
        assert not any(available for number in range(MOST_ANSWERING * 4) for available in answers(sent, f"AJ_{number}"))
        offers.lost()
        await settle()
        assert not worker.promised and not offers.under_way

    virtual.run(flood())


def test_a_job_that_is_assigned_too_late_is_told_to_have_failed() -> None:
    async def late() -> None:
        worker, sent = Slots(), []
        offers = Offers(worker, sent.append, "ws://here")
        offers.offered(JobOffer("AJ_1", "room"))
        await asyncio.sleep(ASSIGN_WITHIN + 0.1)
        offers.assigned("AJ_1", "", "token")
        offers.assigned("AJ_1", "", "token")
        told = [agent.WorkerMessage.FromString(data).update_job for data in sent if b"took longer" in data]
        assert [(each.job_id, each.status) for each in told] == [("AJ_1", agent.JS_FAILED)]
        assert not worker.started

    virtual.run(late())


@pytest.mark.parametrize("seed", range(6))
def test_a_walk_through_offers_garbage_and_lost_connections_leaves_no_slot_taken(seed: int) -> None:
    assert walk(seed) == []
