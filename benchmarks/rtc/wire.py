"""What the processes of the WebRTC benchmark say to each other: one JSON object a line, over TCP on this machine.

``{"do": "offer", "sdp": ...}`` is answered with ``{"sdp": ...}``; ``measure`` with a snapshot; ``quit`` ends the server.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import time
from collections.abc import Awaitable, Callable
from typing import Any

MOST = 1 << 24


def snapshot(**more: Any) -> dict[str, Any]:
    """The process's account at this moment."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    threads = len(os.listdir("/proc/self/task"))
    return {"at": time.monotonic(), "cpu": usage.ru_utime + usage.ru_stime, "threads": threads, **more}


async def serve(port: int, do: Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]) -> None:
    """Answer until somebody says quit."""
    over = asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            asked = json.loads(line)
            if asked["do"] == "quit":
                over.set()
                break
            writer.write(json.dumps(await do(asked)).encode() + b"\n")
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", port, limit=MOST)
    print("ready", flush=True)
    await over.wait()
    server.close()


class Wire:
    """The asking side."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def connect(cls, port: int) -> Wire:
        return cls(*await asyncio.open_connection("127.0.0.1", port, limit=MOST))

    async def ask(self, do: str, **more: Any) -> dict[str, Any]:
        self._writer.write(json.dumps({"do": do, **more}).encode() + b"\n")
        await self._writer.drain()
        return dict(json.loads(await self._reader.readline()))

    def quit(self) -> None:
        self._writer.write(b'{"do": "quit"}\n')
