"""A time limit that is set anew again and again: it rings when the last setting says, and costs one timer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from antiphon.testing.loop import virtual_loop
from antiphon.wire.alarm import Alarm

steps = st.lists(st.tuples(st.sampled_from(["set", "set", "stop", "wait"]), st.integers(1, 8)), min_size=1, max_size=12)


def rings(use: Callable[[Alarm], object]) -> list[float]:
    """When an alarm rings that is used so."""
    found: list[float] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        alarm = Alarm(lambda: found.append(loop.time() - began))
        result = use(alarm)
        if asyncio.iscoroutine(result):
            await result
        await asyncio.sleep(100)

    with virtual_loop(0) as loop:
        loop.run_until_complete(main())
    return [round(at, 6) for at in found]


@given(steps)
def test_it_rings_when_the_last_setting_says(steps: list[tuple[str, int]]) -> None:
    now, due, expected = 0.0, None, []
    for what, amount in steps:
        if what == "set":
            due = now + amount
        elif what == "stop":
            due = None
        else:
            now += amount - 0.5
            if due is not None and due <= now:
                expected.append(due)
                due = None
    expected += [due] if due is not None else []

    async def use(alarm: Alarm) -> None:
        for what, amount in steps:
            if what == "set":
                alarm.set(amount)
            elif what == "stop":
                alarm.stop()
            else:
                await asyncio.sleep(amount - 0.5)

    assert rings(use) == expected


def test_it_tells_whether_it_rang_since_it_was_set() -> None:
    told = []

    async def use(alarm: Alarm) -> None:
        alarm.set(1.0)
        await asyncio.sleep(2.0)
        told.append(alarm.rang)
        alarm.set(1.0)
        told.append(alarm.rang)

    assert rings(use) == [1.0, 3.0] and told == [True, False]


def test_a_closed_one_never_rings() -> None:
    def use(alarm: Alarm) -> None:
        alarm.set(1.0)
        alarm.close()

    assert rings(use) == []


def test_many_settings_hold_one_timer() -> None:
    """A timer for each chunk of audio is what it saves."""
    with virtual_loop(0) as loop:

        async def main() -> int:
            made, call_at = [], loop.call_at

            def counted(when: float, *args: object, **rest: object) -> asyncio.TimerHandle:
                made.append(when)
                return call_at(when, *args, **rest)  # type: ignore[arg-type]

            loop.call_at = counted  # type: ignore[assignment]
            alarm = Alarm(lambda: None)
            for _ in range(1_000):
                alarm.set(2.0)
                alarm.stop()
            alarm.close()
            return len(made)

        assert loop.run_until_complete(main()) == 1
