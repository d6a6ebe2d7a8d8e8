"""Lines that somebody types or pipes in, without blocking the loop and without holding up the program's end."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator
from contextlib import suppress

BLOCK = 65_536


async def typed_lines(descriptor: int) -> AsyncIterator[str]:
    """Lines from a file descriptor, stripped; ends at its end.

    A daemon thread reads it: terminals, pipes and files alike. It reads the descriptor and not ``sys.stdin``, whose
    lock a waiting thread would keep when the interpreter shuts down.
    """
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[str | None] = asyncio.Queue()

    def give(line: str | None) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody listens
            loop.call_soon_threadsafe(queue.put_nowait, line)

    def read() -> None:
        rest = b""
        with suppress(OSError):
            while block := os.read(descriptor, BLOCK):
                *whole, rest = (rest + block).split(b"\n")
                for line in whole:
                    give(line.decode(errors="replace").strip())
        if rest.strip():
            give(rest.decode(errors="replace").strip())
        give(None)

    threading.Thread(target=read, name="antiphon-typing", daemon=True).start()
    while (line := await queue.get()) is not None:
        yield line
