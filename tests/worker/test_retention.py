"""What a worker's store keeps of calls that have ended, and for how long."""

from __future__ import annotations

import asyncio
from pathlib import Path

from antiphon.store.sqlite import SQLiteStore
from tests.worker.supervised import supervised


async def sessions(path: Path) -> list[str]:
    store = SQLiteStore(str(path))
    try:
        return sorted(session.id for session in await store.sessions())
    finally:
        await store.aclose()


def test_a_worker_deletes_what_ended_long_ago_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "calls.db"

    async def story() -> None:
        store = SQLiteStore(str(path))
        over = await store.create("over", owner="somebody", ttl=60.0)
        await store.end(over, "done")
        await store.create("runs", owner="somebody", ttl=60.0)
        await store.aclose()
        async with supervised(tmp_path, store=f"sqlite:///{path}") as worker:
            await asyncio.sleep(0.5)
            assert await sessions(path) == ["over", "runs"], "thirty days, by default"
            worker.kill()
        async with supervised(tmp_path, store=f"sqlite:///{path}", keep_ended=0.0) as worker:
            await worker.says("sessions that ended long ago are deleted from the store: 1")
            assert await sessions(path) == ["runs"]

    asyncio.run(story())
