"""No recogniser at all: aiohttp's WebSocket, and the JSON read: what any client of this service pays. ``plain_client.py URL STREAMS
SECONDS CHUNK``."""

from __future__ import annotations

import asyncio
import json
import sys

import aiohttp
from measure import Cost, memory, metronome, tell


async def main(url: str, streams: int, seconds: float, chunk: float) -> None:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        events = [0]
        before = memory()
        sockets = [await session.ws_connect(f"{url}/v1/listen", compress=0) for _ in range(streams)]
        queues: list[asyncio.Queue[bytes]] = [asyncio.Queue() for _ in sockets]

        async def read(socket: aiohttp.ClientWebSocketResponse) -> None:
            async for message in socket:
                json.loads(message.data)
                events[0] += 1

        async def feed(socket: aiohttp.ClientWebSocketResponse, queue: asyncio.Queue[bytes]) -> None:
            while True:
                await socket.send_bytes(await queue.get())

        tasks = [asyncio.create_task(read(socket)) for socket in sockets]
        tasks += [asyncio.create_task(feed(socket, queue)) for socket, queue in zip(sockets, queues, strict=True)]

        def push(number: int, pcm: bytes, at: float) -> None:
            queues[number].put_nowait(pcm)

        await metronome(push, streams, chunk=chunk, seconds=1.0)
        with Cost() as cost:
            late = await metronome(push, streams, chunk=chunk, seconds=seconds)
        tell(
            client="plain sockets",
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
