"""The virtual clock: time jumps, order is seeded, a standstill is explained."""

from __future__ import annotations

import asyncio
import socket
import time

import pytest

from antiphon.testing.loop import START, SimulationStuckError, VirtualLoop, run


def test_an_hour_takes_no_time() -> None:
    async def main() -> float:
        loop = asyncio.get_running_loop()
        before = loop.time()
        await asyncio.sleep(3600)
        return loop.time() - before

    began = time.monotonic()
    assert run(main()) == 3600
    assert time.monotonic() - began < 1.0


def test_timers_fire_in_time_order_and_call_soon_keeps_its_order() -> None:
    async def main() -> list[object]:
        loop = asyncio.get_running_loop()
        seen: list[object] = []
        loop.call_later(2, seen.append, "later")
        loop.call_later(1, seen.append, "sooner")
        for n in range(50):
            loop.call_soon(seen.append, n)
        await asyncio.sleep(3)
        return seen

    for seed in range(5):
        assert run(main(), seed=seed) == [*range(50), "sooner", "later"]


def _same_instant(seed: int) -> list[int]:
    async def main() -> list[int]:
        loop = asyncio.get_running_loop()
        seen: list[int] = []
        for n in range(8):
            loop.call_later(0.1 + 0.2 if n % 2 else 0.3, seen.append, n)  # one instant, whatever floats say
        await asyncio.sleep(1)
        return seen

    return run(main(), seed=seed)


def test_one_instant_is_permuted_by_seed_and_a_seed_repeats() -> None:
    assert _same_instant(0) == list(range(8))
    orders = {tuple(_same_instant(seed)) for seed in range(1, 20)}
    assert len(orders) > 10
    assert all(sorted(order) == list(range(8)) for order in orders)
    assert _same_instant(7) == _same_instant(7)


def test_waiting_for_nothing_is_an_error_that_names_who_waits() -> None:
    async def main() -> None:
        await asyncio.get_running_loop().create_task(asyncio.Event().wait(), name="lonely")

    with pytest.raises(SimulationStuckError, match="lonely"):
        run(main())


def test_a_spinning_task_is_an_error() -> None:
    async def main() -> None:
        while True:
            await asyncio.sleep(0)

    with pytest.raises(SimulationStuckError, match="stood still"):
        run(main())


def test_a_run_has_a_limit() -> None:
    async def main() -> None:
        while True:
            await asyncio.sleep(1)

    with pytest.raises(SimulationStuckError, match="60 s"):
        run(main(), limit=60)


def test_what_main_leaves_behind_is_cancelled_even_if_it_resists() -> None:
    cancelled: list[str] = []

    async def polite() -> None:
        try:
            await asyncio.sleep(9999)
        finally:
            cancelled.append("polite")

    async def stubborn() -> None:
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                cancelled.append("stubborn")

    async def main() -> tuple[asyncio.Task[None], asyncio.Task[None]]:
        tasks = asyncio.create_task(polite()), asyncio.create_task(stubborn())
        await asyncio.sleep(1)
        return tasks

    run(main())
    assert sorted(cancelled) == ["polite", "stubborn"]


def test_threads_take_no_virtual_time() -> None:
    async def main() -> tuple[str, float]:
        loop = asyncio.get_running_loop()
        other = asyncio.create_task(asyncio.sleep(5))
        began = loop.time()

        def work() -> str:
            time.sleep(0.02)
            return "done"

        result = await asyncio.to_thread(work)
        other.cancel()
        return result, loop.time() - began

    assert run(main()) == ("done", 0)


def test_real_sockets_work() -> None:
    async def main() -> bytes:
        ours, theirs = socket.socketpair()
        reader, writer = await asyncio.open_connection(sock=ours)
        far_reader, far_writer = await asyncio.open_connection(sock=theirs)
        writer.write(b"ping\n")
        got = await asyncio.wait_for(far_reader.readline(), timeout=5)
        far_writer.write(got.upper())
        answer = await asyncio.wait_for(reader.readline(), timeout=5)
        writer.close()
        far_writer.close()
        return answer

    assert run(main()) == b"PING\n"


def test_timeouts_are_virtual() -> None:
    async def main() -> float:
        loop = asyncio.get_running_loop()
        began = loop.time()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(30):
                await asyncio.Event().wait()
        return loop.time() - began

    assert run(main()) == 30


def test_the_clock_does_not_start_at_zero() -> None:
    loop = VirtualLoop()
    try:
        assert loop.time() == START > 0
    finally:
        loop.close()


def test_no_timer_fires_early() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        due = [START + 0.1 * 3 * n for n in range(200)] + [START + 0.3 * n for n in range(200)]
        early: list[float] = []
        for when in due:
            loop.call_at(when, lambda when=when: loop.time() < when and early.append(when))
        await asyncio.sleep(100)
        assert not early

    run(main(), seed=3)
