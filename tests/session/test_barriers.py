"""What waits for the disk, what is said of it meanwhile, and what happens when it comes, does not come, or may not."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from antiphon.kernel import effects as fx
from antiphon.kernel import events as ev
from antiphon.kernel.facts import StepResult
from antiphon.session.barriers import Barriers
from antiphon.testing.durable_log import ScriptedDurableLog
from antiphon.testing.loop import run

WRITE = fx.RunTool(
    op=(1, 1), speech="s", call_id="c", name="book", arguments="{}", effect="write", retry="never", key="k", after=1
)


class Shell:
    """Barriers before a list. ``done``: (seconds, effect); one fact is on its way to the disk."""

    def __init__(self, **disk: Any) -> None:
        self.loop = asyncio.get_running_loop()
        self.began = self.loop.time()
        self.log = ScriptedDurableLog(**disk)
        self.log.append("fact", 1.0, StepResult(at=1.0, call_id="c", name="n", result="1"))
        self.done: list[tuple[float, fx.AnyEffect]] = []
        self.posted: list[ev.Event] = []
        self.told: list[str] = []
        self.barriers = Barriers(
            self.log, self.loop, carry_out=self._do, post=self.posted.append, told=self.told.append
        )

    def _do(self, effect: fx.AnyEffect) -> None:
        self.done.append((round(self.loop.time() - self.began, 3), effect))

    def kinds(self) -> list[tuple[float, str]]:
        return [(at, type(effect).__name__) for at, effect in self.done]


def on_the_virtual_clock(story: Callable[[], Awaitable[None]]) -> Callable[[], None]:
    def test() -> None:
        run(story())

    test.__doc__ = story.__doc__
    return test


@on_the_virtual_clock
async def test_what_follows_on_a_speech_waits_with_it_and_nothing_else_does() -> None:
    shell = Shell(delay=0.1)
    shell.barriers.take(fx.Play(speech="one", interruptible=True, after=1))
    shell.barriers.take(fx.Pause(speech="one"))
    shell.barriers.take(fx.Resume(speech="one", at=5))
    shell.barriers.take(fx.Play(speech="other", interruptible=True))
    shell.barriers.take(fx.FlushStt())
    await asyncio.sleep(0.2)
    assert shell.kinds() == [(0.0, "Play"), (0.0, "FlushStt"), (0.1, "Play"), (0.1, "Pause"), (0.1, "Resume")]
    shell.barriers.take(fx.Play(speech="later", interruptible=True, after=1))
    assert shell.kinds()[-1] == (0.2, "Play") and not shell.told


@on_the_virtual_clock
async def test_what_is_stopped_before_it_began_never_begins() -> None:
    shell = Shell(delay=0.1)
    shell.barriers.take(fx.Play(speech="one", interruptible=True, after=1))
    shell.barriers.take(fx.Stop(speech="one"))
    assert shell.kinds() == [(0.0, "Stop")]
    shell.barriers.take(WRITE)
    shell.barriers.take(fx.CancelTool(op=(1, 1)))
    (answer,) = shell.posted
    assert isinstance(answer, ev.ToolReturned) and answer.op == (1, 1) and answer.cancelled and answer.is_error
    await asyncio.sleep(1.0)
    assert shell.kinds() == [(0.0, "Stop")]


@on_the_virtual_clock
async def test_a_stuck_disk_is_told_once_until_it_moves_again() -> None:
    shell = Shell(stuck_at=0.0)
    for speech in ("one", "two"):
        shell.barriers.take(fx.Play(speech=speech, interruptible=True, after=1))
        await asyncio.sleep(0.4)
    assert [at for at, _ in shell.kinds()] == [0.3, 0.7] and len(shell.told) == 1
    shell.log.stuck_at = None
    shell.log.append("fact", 2.0, StepResult(at=2.0, call_id="c", name="n", result="1"))
    shell.barriers.take(fx.Play(speech="three", interruptible=True, after=2))
    await asyncio.sleep(0.4)
    shell.log.stuck_at = 0.0
    shell.log.append("fact", 3.0, StepResult(at=3.0, call_id="c", name="n", result="1"))
    shell.barriers.take(fx.Play(speech="four", interruptible=True, after=3))
    await asyncio.sleep(0.4)
    assert len(shell.told) == 2


@on_the_virtual_clock
async def test_of_a_fenced_session_nothing_that_waited_happens_and_it_is_said_once() -> None:
    shell = Shell(fenced_at=0.0)
    shell.barriers.take(WRITE)
    shell.barriers.take(fx.Play(speech="one", interruptible=True, after=1))
    await asyncio.sleep(1.0)
    assert shell.done == [] and shell.posted == [ev.Fenced()] and not shell.told
    assert shell.barriers.drop() and not shell.barriers.drop()
    shell.barriers.take(fx.Stop(speech="one"))
    assert shell.kinds() == [(1.0, "Stop")]


@on_the_virtual_clock
async def test_who_is_dropped_does_nothing_afterwards() -> None:
    shell = Shell(delay=0.1)
    shell.barriers.take(fx.Play(speech="one", interruptible=True, after=1))
    tasks = shell.barriers.drop()
    await asyncio.wait(tasks)
    await asyncio.sleep(1.0)
    assert shell.done == []
