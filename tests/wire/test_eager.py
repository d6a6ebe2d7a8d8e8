"""Coroutines that are begun without a task: what is left of one is awaited like any other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from antiphon.audio.frames import EAR_RATE, AudioFrame
from antiphon.models.endings import Closed
from antiphon.models.speech_codec import ConnectSpec, Frame
from antiphon.providers import deepgram
from antiphon.testing.loop import virtual_loop
from antiphon.wire.eager import begin
from antiphon.wire.faults import Service
from antiphon.wire.socket import SpeechDeadlines


def run(main: Callable[[], Any]) -> None:
    with virtual_loop(0) as loop:
        loop.run_until_complete(main())


def test_what_need_not_wait_is_done_at_once() -> None:
    done: list[str] = []

    async def work() -> None:
        done.append("all of it")

    assert begin(work()) is None and done == ["all of it"]


def test_what_it_raises_at_once_is_raised() -> None:
    async def work() -> None:
        raise ConnectionError("gone")

    with pytest.raises(ConnectionError, match="gone"):
        begin(work())


def test_what_is_left_goes_on_where_it_is_awaited() -> None:
    async def main() -> None:
        queue: asyncio.Queue[int] = asyncio.Queue(1)
        queue.put_nowait(1)
        found: list[int] = []

        async def work() -> None:
            for number in (2, 3):
                await queue.put(number)
            await asyncio.sleep(1.0)
            raise ConnectionError("gone")

        rest = begin(work())
        assert rest is not None

        async def take() -> None:
            found.extend([await queue.get() for _ in range(3)])

        taking = asyncio.create_task(take())
        with pytest.raises(ConnectionError, match="gone"):
            await rest
        await taking
        assert found == [1, 2, 3]

    run(main)


def test_a_time_limit_ends_what_is_left() -> None:
    async def main() -> None:
        queue: asyncio.Queue[int] = asyncio.Queue(1)
        queue.put_nowait(1)
        cleared: list[bool] = []

        async def work() -> None:
            try:
                await queue.put(2)
            finally:
                cleared.append(True)

        rest = begin(work())
        assert rest is not None
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(2.0):
                await rest
        assert cleared == [True]
        assert queue.get_nowait() == 1 and queue.empty()

    run(main)


class Wire:
    """A service that takes what it is sent, as a connector and its one socket."""

    def __init__(self) -> None:
        self.sent: list[Frame] = []

    async def connect(self, url: str, spec: ConnectSpec, *, service: Service, deadlines: SpeechDeadlines) -> Wire:
        return self

    async def send(self, frame: Frame) -> None:
        self.sent.append(frame)

    async def receive(self) -> Frame | Closed:
        await asyncio.get_running_loop().create_future()
        raise AssertionError

    async def close(self) -> None: ...

    async def aclose(self) -> None: ...


def test_audio_is_sent_with_the_frame_that_completes_a_chunk() -> None:
    """Not a turn of the loop later: a task for each chunk costs as much as sending it."""

    async def main() -> None:
        wire = Wire()
        stream = deepgram.STT(api_key="secret", connector=wire).stream()
        hearing = asyncio.ensure_future(anext(aiter(stream)))
        await asyncio.sleep(0.1)
        for number in range(8):
            stream.push(AudioFrame.pcm(bytes([number, 0]) * 320, EAR_RATE, at=0.02 * number))
            assert len(wire.sent) == (number + 1) // 4
        assert b"".join(frame for frame in wire.sent if isinstance(frame, bytes))[::640] == bytes(range(8))
        hearing.cancel()
        await asyncio.wait([hearing])
        await stream.aclose()

    run(main)
