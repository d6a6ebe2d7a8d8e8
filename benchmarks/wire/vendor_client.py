"""Deepgram's own library, many streams in one process: ``vendor_client.py URL STREAMS SECONDS CHUNK``."""

from __future__ import annotations

import asyncio
import sys
from contextlib import AsyncExitStack
from typing import Any

from deepgram import AsyncDeepgramClient
from deepgram.core.events import EventType
from deepgram.environment import DeepgramClientEnvironment
from measure import Cost, memory, metronome, tell


async def main(url: str, streams: int, seconds: float, chunk: float) -> None:
    socket = url.replace("http", "ws")
    environment = DeepgramClientEnvironment(base=url, production=socket, agent=socket, agent_rest=url)
    client = AsyncDeepgramClient(api_key="secret", environment=environment)
    events = [0]

    def heard(message: object) -> None:
        events[0] += 1

    before = memory()
    async with AsyncExitStack() as stack:
        queues: list[asyncio.Queue[bytes]] = []
        tasks: list[asyncio.Task[Any]] = []

        async def feed(connection: Any, queue: asyncio.Queue[bytes]) -> None:
            while True:
                await connection.send_media(await queue.get())

        for _ in range(streams):
            opening = client.listen.v1.connect(
                model="nova-3", encoding="linear16", sample_rate=16000, channels=1, interim_results=True
            )
            connection = await stack.enter_async_context(opening)
            connection.on(EventType.MESSAGE, heard)
            queues.append(asyncio.Queue())
            tasks.append(asyncio.create_task(connection.start_listening()))
            tasks.append(asyncio.create_task(feed(connection, queues[-1])))

        def push(number: int, pcm: bytes, at: float) -> None:
            queues[number].put_nowait(pcm)

        await metronome(push, streams, chunk=chunk, seconds=1.0)
        with Cost() as cost:
            late = await metronome(push, streams, chunk=chunk, seconds=seconds)
        tell(
            client="deepgram-sdk",
            streams=streams,
            cpu=cost.cpu,
            wall=cost.wall,
            events=events[0],
            late_ms=1000 * late,
            memory_per_stream=(memory() - before) / streams,
        )
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


asyncio.run(main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4])))
