"""Antiphon's recogniser, many streams in one process: ``antiphon_client.py URL STREAMS SECONDS CHUNK``."""

from __future__ import annotations

import asyncio
import gc
import logging
import sys
import time
from collections import deque
from typing import Any

import msgspec
from measure import RATE, Cost, memory, metronome, quantile, tell

from antiphon.audio.frames import AudioFrame
from antiphon.models.stt import STTStream
from antiphon.providers import deepgram
from antiphon.providers.deepgram_nova import NovaCodec
from antiphon.wire.aiohttp_socket import AiohttpConnector


class Stamping:
    """Notes when each frame of the service was received."""

    def __init__(self) -> None:
        self._inner = AiohttpConnector()
        self.received: list[deque[float]] = []

    async def connect(self, url: str, spec: Any, **rest: Any) -> Any:
        socket = await self._inner.connect(url, spec, **rest)
        stamps: deque[float] = deque()
        self.received.append(stamps)
        receive = socket.receive

        async def stamped() -> Any:
            frame = await receive()
            stamps.append(time.perf_counter())
            return frame

        socket.receive = stamped  # type: ignore[method-assign]
        return socket

    async def aclose(self) -> None:
        await self._inner.aclose()


async def main(url: str, streams: int, seconds: float, chunk: float) -> None:
    logging.disable(logging.WARNING)  # a machine that is busy makes the service look deaf
    NovaCodec.rules = msgspec.structs.replace(NovaCodec.rules, chunk=chunk)
    connector = Stamping()
    stt = deepgram.STT(api_key="secret", base_url=url, connector=connector)
    made: list[STTStream] = []
    delays: list[float] = []
    events = [0]
    reading: list[asyncio.Task[None]] = []

    async def read(stream: STTStream, number: int) -> None:
        async for _ in stream:
            delays.append(time.perf_counter() - connector.received[number].popleft())
            events[0] += 1

    gc.collect()
    before = memory()
    for number in range(streams):
        made.append(stt.stream(language="en"))
        reading.append(asyncio.create_task(read(made[-1], number)))
        while len(connector.received) <= number:
            made[-1].push(AudioFrame.pcm(b"", RATE, at=time.monotonic(), speech=True))
            await asyncio.sleep(0.001)

    def push(number: int, pcm: bytes, at: float) -> None:
        made[number].push(AudioFrame.pcm(pcm, RATE, at=at, speech=True))

    await metronome(push, streams, chunk=chunk, seconds=1.0)
    delays.clear()
    with Cost() as cost:
        late = await metronome(push, streams, chunk=chunk, seconds=seconds)
    tell(
        client="antiphon",
        streams=streams,
        cpu=cost.cpu,
        wall=cost.wall,
        events=events[0],
        late_ms=1000 * late,
        lost=stt.usage.lost,
        delivered_p50_ms=1000 * quantile(delays, 0.5),
        delivered_p99_ms=1000 * quantile(delays, 0.99),
        memory_per_stream=(memory() - before) / streams,
    )
    for task in reading:
        task.cancel()
    await asyncio.gather(*reading, return_exceptions=True)
    await asyncio.gather(*(stream.aclose() for stream in made))
    await stt.aclose()
    await connector.aclose()


asyncio.run(main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4])))
