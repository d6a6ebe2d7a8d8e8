"""A worker with the version of LiveKit's SDK that livekit-agents pins, which is older than the one of the other tests."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from tests.worker.livekit_server import LiveKitProcess
from tests.worker.supervised import worker
from tests.worker.test_livekit_rooms import CALLERS, HERE, called

PLUGINS = HERE.parents[1] / ".cache" / "livekit-plugins"


def older_sdk() -> Path:
    """Where ``scripts/install-livekit-plugins`` has put it."""
    found = list(PLUGINS.glob("lib/python3*/site-packages/livekit/rtc"))
    if not found:
        reason = "LiveKit's plugins, and with them the older SDK, are not installed (scripts/install-livekit-plugins)"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    return found[0]


def test_a_worker_with_the_older_sdk_serves_and_takes_over(livekit: LiveKitProcess, tmp_path: Path) -> None:
    sdk = older_sdk()
    (tmp_path / "sdk" / "livekit").mkdir(parents=True)
    (tmp_path / "sdk" / "livekit" / "rtc").symlink_to(sdk)
    environment = {"PYTHONPATH": str(tmp_path / "sdk")}
    words = ("--store", f"sqlite:///{tmp_path / 'calls.db'}")

    async def call() -> None:
        async with worker(tmp_path, HERE / "room_app.py", livekit.url, *words, environment=environment) as running:
            await running.says("registered as", 2)
            caller = await called(livekit)
            mapped = Path(f"/proc/{running.media()[0]}/maps").read_text()
            assert str(sdk / "resources" / "liblivekit_ffi.so") in mapped
            await caller.say(CALLERS / "1-heart.wav", then=2.5)
            await caller.until(lambda: "iced mocha" in caller.caption_of("caller").lower())
            await caller.until(lambda: caller.voiced() > 0.8)
            await running.until(lambda: len(running.agents()) == 2)
            os.kill(running.serving()[0], signal.SIGKILL)
            await running.says("goes on in process")
            await caller.until(lambda: "almond milk" in caller.caption_of(caller.agents[0]))
            await caller.room.local_participant.send_text("A cappuccino please", topic="lk.chat")
            await caller.until(lambda: "brown sugar" in caller.caption_of(caller.agents[0]))
            await caller.leave()
            await running.says("is over: participant_disconnected")

    asyncio.run(call())
