"""The runtime's parts: a plane that has died is replaced for the calls to come."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from antiphon.audio.process_plane import ProcessPlane
from antiphon.worker import runtime as runtimes
from antiphon.worker.runtime import Runtime


def test_a_plane_whose_process_died_is_started_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    async def start(form: str) -> ProcessPlane:
        plane = ProcessPlane()
        await plane.start()
        return plane

    monkeypatch.setattr(runtimes, "_start_plane", start)

    async def story() -> None:
        runtime = Runtime()
        first = await runtime.plane("process")
        assert await runtime.plane("process") is first
        assert isinstance(first, ProcessPlane)
        os.kill(first.pid, signal.SIGKILL)
        async with asyncio.timeout(10):
            while first.alive:
                await asyncio.sleep(0.01)
        second = await runtime.plane("process")
        assert second is not first and second.alive
        await runtime.aclose()
        assert not second.alive

    asyncio.run(story())


def test_calls_that_come_at_once_share_one_plane(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[ProcessPlane] = []

    async def start(form: str) -> ProcessPlane:
        await asyncio.sleep(0.1)
        made.append(ProcessPlane())
        await made[-1].start()
        return made[-1]

    monkeypatch.setattr(runtimes, "_start_plane", start)

    async def story() -> None:
        runtime = Runtime()
        one, other = await asyncio.gather(runtime.plane("process"), runtime.plane("process"))
        assert one is other and len(made) == 1
        await runtime.aclose()

    asyncio.run(story())
