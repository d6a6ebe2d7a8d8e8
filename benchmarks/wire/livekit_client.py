"""livekit-plugins-deepgram, many streams in one process: ``livekit_client.py URL STREAMS SECONDS CHUNK``."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import aiohttp
from livekit import rtc
from livekit.plugins import deepgram
from measure import RATE, Cost, memory, metronome, tell


async def main(url: str, streams: int, seconds: float, chunk: float) -> None:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        stt = deepgram.STT(
            api_key="secret", base_url=f"{url}/v1/listen", model="nova-3", language="en", http_session=session
        )
        events = [0]
        before = memory()
        made: list[Any] = [stt.stream() for _ in range(streams)]

        async def read(stream: Any) -> None:
            async for _ in stream:
                events[0] += 1

        reading = [asyncio.create_task(read(stream)) for stream in made]

        def push(number: int, pcm: bytes, at: float) -> None:
            made[number].push_frame(rtc.AudioFrame(pcm, RATE, 1, len(pcm) // 2))

        await metronome(push, streams, chunk=chunk, seconds=2.0)
        with Cost() as cost:
            late = await metronome(push, streams, chunk=chunk, seconds=seconds)
        tell(
            client="livekit-plugins-deepgram",
            streams=streams,
            cpu=cost.cpu,
            wall=cost.wall,
            events=events[0],
            late_ms=1000 * late,
            memory_per_stream=(memory() - before) / streams,
        )
        for task in reading:
            task.cancel()
        await asyncio.gather(*(stream.aclose() for stream in made), return_exceptions=True)


asyncio.run(main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4])))
