"""Streams across event loops."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator

import pytest

from antiphon.models.metering import Metered, meter, metering
from antiphon.session.lanes import Inlet, Lane, across


@pytest.fixture
def other() -> object:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    yield Lane(loop)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def test_items_cross_in_order_and_only_so_many_ahead(other: Lane) -> None:
    made: list[int] = []

    async def source() -> AsyncIterator[int]:
        for number in range(100):
            made.append(number)
            yield number

    async def main() -> list[int]:
        got = []
        async for item in across(source, home=other, limit=4):
            got.append(item)
            assert len(made) <= item + 8
        return got

    assert asyncio.run(main()) == list(range(100))


def test_an_error_is_raised_where_it_is_consumed(other: Lane) -> None:
    async def source() -> AsyncIterator[int]:
        yield 1
        raise ValueError("broken")

    async def main() -> None:
        async for _ in across(source, home=other):
            pass

    with pytest.raises(ValueError, match="broken"):
        asyncio.run(main())


def test_leaving_early_cancels_the_other_side(other: Lane) -> None:
    ended = threading.Event()

    async def source() -> AsyncIterator[int]:
        try:
            while True:
                yield 1
                await asyncio.sleep(0)
        finally:
            ended.set()

    async def main() -> None:
        stream = across(source, home=other)
        async for _ in stream:
            break
        await stream.aclose()  # type: ignore[attr-defined]

    asyncio.run(main())
    assert ended.wait(2.0)


def test_what_is_used_over_there_goes_to_the_account_that_holds_here(other: Lane) -> None:
    async def source() -> AsyncIterator[int]:
        meter(Metered("stt", "service", "model", audio_seconds=1.0))
        yield 1
        await asyncio.create_task(later())
        yield 2

    async def later() -> None:
        meter(Metered("stt", "service", "model", audio_seconds=2.0))

    async def main() -> None:
        async for _ in across(source, home=other):
            pass

    used: list[Metered] = []
    with metering(used.append):
        asyncio.run(main())
    asyncio.run(main())
    assert [use.audio_seconds for use in used] == [1.0, 2.0]


def test_on_its_own_lane_it_is_the_stream_itself() -> None:
    async def source() -> AsyncIterator[int]:
        yield 1
        yield 2

    async def main() -> list[int]:
        return [item async for item in across(source, home=Lane(asyncio.get_running_loop()))]

    assert asyncio.run(main()) == [1, 2]


def test_a_full_inlet_drops_the_oldest_and_counts() -> None:
    async def main() -> None:
        inlet: Inlet[int] = Inlet(Lane(asyncio.get_running_loop()), limit=3)
        for number in range(5):
            inlet.put(number)
        inlet.end()
        assert [item async for item in inlet] == [2, 3, 4]
        assert inlet.dropped == 2

    asyncio.run(main())


def test_posting_to_a_loop_that_is_gone_is_no_error() -> None:
    loop = asyncio.new_event_loop()
    lane = Lane(loop)
    loop.close()
    lane.post(print, "never")
