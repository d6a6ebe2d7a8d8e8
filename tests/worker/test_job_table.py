"""The jobs of a worker, in whatever order its processes say what they say."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from antiphon.errors import AntiphonError, LeaseHeldError, StoreError
from antiphon.worker import agent_messages as m
from antiphon.worker import hand_overs
from antiphon.worker.control import Answer, Ask
from antiphon.worker.job_table import MOST_LINES, WAIT_WITHIN
from tests.worker.table import Table, settled


class HeldStore:
    """Another owner has all of it."""

    async def claim(self, *at: Any, **how: Any) -> Any:
        raise LeaseHeldError("held", owner="another", remaining=1.0)


def test_a_call_that_another_owner_goes_on_with_is_dropped_and_its_line_left_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def story() -> None:
        table = Table(monkeypatch)
        child = table.begin()
        table.says(child, m.Elsewhere(job="J"))
        assert not table.jobs and not child.jobs and not table.media.closed
        assert table.dispatcher.reports == [("J", "running")] and table.counts.failed == 0

    asyncio.run(story())


def test_a_call_that_is_to_be_given_up_is_left_alone_where_another_owner_has_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def story() -> None:
        table = Table(monkeypatch, store=HeldStore())
        table.begin()
        table.jobs["J"].child = None
        table.end("J", "ended by the operator")
        await settled()
        assert not table.jobs and not table.media.closed and table.dispatcher.reports == [("J", "running")]

    asyncio.run(story())


class Heir:
    """Another worker, asked to go on with sessions."""

    def __init__(self, table: Table, patch: pytest.MonkeyPatch) -> None:
        self.asked: list[Ask] = []
        self.answers: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        patch.setattr(hand_overs, "ask_worker", self._ask)
        assert table.hand_overs is not None
        table.hand_overs._heir = Path("heir")

    async def _ask(self, path: Path, ask: Ask) -> Answer:
        self.asked.append(ask)
        return Answer(worker="heir", sessions=[], done=await self.answers)


def test_a_call_that_was_let_go_of_is_given_once_though_another_is_over_meanwhile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def story() -> None:
        table = Table(monkeypatch)
        child = table.begin("J1")
        assert table.begin("J2") is child
        table.ready()
        table.says(child, m.Released(job="J1"))
        table.says(child, m.Gone(job="J2", reason="done"))
        await settled()
        assert [(take.resume, take.attach) for take in table.takes("J1")] == [(False, False), (True, True)]
        assert table.holders("J1") == [table.jobs["J1"].child]

    asyncio.run(story())


def test_while_another_worker_is_asked_to_go_on_with_a_call_no_process_here_gets_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def story() -> None:
        table = Table(monkeypatch)
        heir = Heir(table, monkeypatch)
        child = table.begin("J1")
        table.begin("J2")
        table.ready()
        table.says(child, m.Released(job="J1"))
        table.says(child, m.Gone(job="J2", reason="done"))
        table.look(1.0)
        await settled()
        assert len(table.takes("J1")) == 1 and not table.holders("J1")
        heir.answers.set_result(True)
        await settled()
        assert not table.jobs and not table.holders("J1")
        assert [line.partition("-")[0] for line in table.media.closed] == ["J2"]
        assert table.hand_overs is not None and table.hand_overs.left
        child.old, child.jobs = True, {"gone"}
        table.hand_overs.retire_old()

    asyncio.run(story())


def test_a_worker_that_does_not_say_whether_it_has_a_call_has_it_where_the_store_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class OurStore:
        async def claim(self, *at: Any, **how: Any) -> Any:
            return None

    async def story(store: Any) -> list[m.Take]:
        table = Table(monkeypatch, store=store)
        heir = Heir(table, monkeypatch)
        table.says(table.begin(), m.Released(job="J"))
        heir.answers.set_exception(AntiphonError("it does not answer"))
        await settled()
        assert bool(table.jobs) == (len(table.takes("J")) == 2)
        return table.takes("J")

    assert len(asyncio.run(story(HeldStore()))) == 1
    assert len(asyncio.run(story(OurStore()))) == 2


def test_a_call_that_was_to_end_as_it_was_let_go_of_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        table = Table(monkeypatch, store=NoStore())
        heir = Heir(table, monkeypatch)
        child = table.begin()
        table.end("J", "job_terminated")
        table.says(child, m.Released(job="J"))
        await settled()
        assert not table.jobs and not heir.asked
        assert table.dispatcher.reports[1:] == [("J", "success", "")]

    asyncio.run(story())


def test_a_call_that_is_ended_while_another_worker_takes_it_is_ended_there(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        table = Table(monkeypatch, store=NoStore())
        heir = Heir(table, monkeypatch)
        table.says(table.begin(), m.Released(job="J"))
        await settled()
        line = table.jobs["J"].line
        table.end("J", "job_terminated")
        heir.answers.set_result(True)
        await settled()
        assert not table.jobs and heir.asked == [Ask(adopt=line), Ask(end=line)]

    asyncio.run(story())


class NoStore:
    """It knows no session."""

    async def claim(self, *at: Any, **how: Any) -> Any:
        await asyncio.sleep(0)
        raise StoreError("There is no such session.", reason="unknown")


def test_a_call_that_is_ended_twice_is_reported_once(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        table = Table(monkeypatch, store=NoStore())
        table.begin()
        table.jobs["J"].child = None
        table.end("J", "job_terminated")
        table.end("J", "job_shutdown")
        await settled()
        assert table.dispatcher.reports[1:] == [("J", "success", "")]

    asyncio.run(story())


def test_a_call_waits_for_a_process_and_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        table = Table(monkeypatch, store=NoStore(), processes=1, max_sessions=1)
        table.begin()
        for child in table.children:
            child.alone = True
        table.begin("J2")
        for child in table.children:
            child.alone = True
        waiting = table.jobs["J2"]
        waiting.child = None
        table.look(0.0)
        table.look(WAIT_WITHIN)
        await settled()
        assert waiting.waiting
        table.look(WAIT_WITHIN + 1.0)
        await settled()
        assert list(table.jobs) == ["J"]
        assert table.dispatcher.reports[-1][:2] == ("J2", "failed")

    asyncio.run(story())


def test_a_process_that_lost_its_media_process_which_lives_leaves_its_calls_their_lines(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def story() -> None:
        table = Table(monkeypatch)
        child = table.begin()
        table.ready()
        table.says(child, m.MediaLost(media="/run/media-1"))
        child.die()
        await settled()
        (take,) = table.takes("J")
        assert take.attach and take.resume and not table.jobs["J"].crashes.suspect

    asyncio.run(story())


def test_a_call_without_a_line_tries_others_a_few_times(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        table = Table(monkeypatch, store=NoStore())
        table.begin()
        for _ in range(MOST_LINES):
            table.says(table.jobs["J"].child, m.NoLine(job="J"))
            table.look(0.0)
            await settled()
            assert table.jobs["J"].child is not None
        table.says(table.jobs["J"].child, m.NoLine(job="J"))
        await settled()
        assert table.dispatcher.reports[1:] == [("J", "failed", "line lost")]

    asyncio.run(story())
