"""The stall monitor: which loop stood still, for how long, on whose line."""

from __future__ import annotations

import asyncio
import json
import sys
import threading
from types import FrameType

import pytest

from antiphon.telemetry.records import Stall
from antiphon.telemetry.stalls import Place, StallMonitor, WatchedLoop, user_line


class FakeLoop:
    """A loop that answers probes when told to."""

    def __init__(self, threshold: float = 0.1) -> None:
        self.probes = 0
        self.place: Place = ("tool.py:5", "book")
        self.label = "tool book"
        self.watched = WatchedLoop(
            "user", post=self.post, sample=lambda: self.place, running=lambda: self.label, threshold=threshold
        )

    def post(self) -> None:
        self.probes += 1


def test_a_loop_that_answers_is_fine() -> None:
    fake = FakeLoop()
    for n in range(20):
        assert fake.watched.check(n * 0.05) is None
        fake.watched.answered(n * 0.05 + 0.001)
    assert fake.probes == 20


def test_an_idle_pause_of_the_watcher_is_not_a_stall() -> None:
    fake = FakeLoop()
    fake.watched.check(0.0)
    fake.watched.answered(0.01)
    assert fake.watched.check(9.0) is None


def test_a_blocked_loop_is_reported_once_it_runs_again() -> None:
    fake = FakeLoop()
    fake.watched.check(0.0)
    for n in range(1, 10):
        assert fake.watched.check(n * 0.05) is None
    fake.watched.answered(0.47)
    assert fake.watched.check(0.5) == Stall(
        loop="user", running="tool book", where="tool.py:5", function="book", seconds=0.47, at=0.0
    )
    assert fake.probes == 2, "one probe at a time"


def test_the_line_seen_most_is_named() -> None:
    fake = FakeLoop()
    fake.watched.check(0.0)
    fake.watched.check(0.1)
    fake.place = ("other.py:9", "spin")
    fake.watched.check(0.15)
    fake.watched.check(0.2)
    fake.watched.answered(0.25)
    stall = fake.watched.check(0.25)
    assert stall is not None and stall.where == "other.py:9"


def test_a_stall_nobody_could_look_into_is_still_counted() -> None:
    fake = FakeLoop()
    fake.watched.check(0.0)
    fake.watched.answered(3.0)
    stall = fake.watched.check(3.0)
    assert stall is not None and (stall.seconds, stall.where, stall.running) == (3.0, "", "")


def test_a_stall_that_lasts_is_reported_at_the_end() -> None:
    fake = FakeLoop()
    fake.watched.check(0.0)
    fake.watched.check(0.2)
    stall = fake.watched.finish(5.0)
    assert stall is not None and stall.seconds == 5.0 and fake.watched.finish(6.0) is None


def test_the_users_line_is_named_not_the_library_it_called() -> None:
    frames: list[FrameType] = []

    def inside(pairs: list[tuple[str, object]]) -> object:
        frames.append(sys._getframe().f_back)  # type: ignore[arg-type]
        return dict(pairs)

    def tool() -> None:
        json.loads('{"a": 1}', object_pairs_hook=inside)

    tool()
    place, function = user_line(frames[0])
    assert place.startswith(__file__) and function.endswith("tool")


def test_without_user_code_the_innermost_frame_is_named() -> None:
    frames: list[FrameType | None] = []
    thread = threading.Thread(target=threading.Event().wait, args=(0.2,), daemon=True)
    thread.start()
    frames.append(sys._current_frames()[thread.ident or 0])
    assert "threading.py" in user_line(frames[0])[0]
    assert user_line(None) == ("", "")
    thread.join()


def test_a_real_loop_blocked_by_a_tool() -> None:
    """The thread's whole job, once, in real time."""
    stalls: list[Stall] = []
    seen = threading.Event()

    def on_stall(stall: Stall) -> None:
        if stall.running == "tool book":  # a busy machine may add others
            stalls.append(stall)
            seen.set()

    monitor = StallMonitor(on_stall, threshold=0.05, interval=0.01)
    release = threading.Event()

    async def book() -> None:
        release.wait(0.15)

    async def main() -> None:
        monitor.watch("user", asyncio.get_running_loop(), threading.get_ident())
        monitor.start()
        monitor.start()
        await asyncio.create_task(book(), name="tool book")
        await asyncio.to_thread(seen.wait, 5)
        monitor.unwatch("user")

    asyncio.run(main())
    monitor.stop()
    monitor.stop()
    stall = stalls[0]
    assert stall.function.endswith("book")
    assert stall.where.startswith(__file__) and stall.seconds >= 0.1
    assert not [thread for thread in threading.enumerate() if thread.name == "antiphon-stalls"]


def test_a_closed_loop_and_a_failing_listener_do_not_end_the_watch() -> None:
    loop = asyncio.new_event_loop()
    loop.close()
    now = [0.0]

    def broken(stall: Stall) -> None:
        raise RuntimeError

    monitor = StallMonitor(broken, clock=lambda: now[0])
    monitor.watch("user", loop, 0, running=lambda: "hook")
    monitor.check()
    now[0] = 1.0
    monitor.check()
    with pytest.raises(RuntimeError):
        monitor.unwatch("user")
    monitor.unwatch("user")
