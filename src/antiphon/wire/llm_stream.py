"""One request to a language model: its task, its retries, its end.

Owns: the task, the queue to the consumer, when a request is made again. Never: formats, sockets.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable
from contextlib import aclosing, suppress

from antiphon.errors import ModelError
from antiphon.models.llm import ChatChunk, LLMStream
from antiphon.wire.faults import without_key
from antiphon.wire.retry import RetryPolicy, Sleep

Attempt = Callable[[], AsyncGenerator[ChatChunk, None]]

_END = object()
MAX_WAITING = 1024
"""Chunks that may wait for the consumer; then the socket is read no further."""


class RetriedStream(LLMStream):
    """``attempt`` makes the request and gives its chunks; it is made again by ``retry`` as long as it gave none. It runs in a
    task of its own, so that ``aclose`` frees it at once, wherever it waits. ``key``: taken out of what errors say."""

    def __init__(self, attempt: Attempt, *, name: str, retry: RetryPolicy, sleep: Sleep | None, key: str = "") -> None:
        self._attempt = attempt
        self._name = name
        self._retry = retry
        self._sleep = sleep or asyncio.sleep
        self._key = key
        self._chunks: asyncio.Queue[object] = asyncio.Queue()
        self._room = asyncio.Semaphore(MAX_WAITING)
        self._task: asyncio.Task[None] | None = None
        self._failure: ModelError | None = None
        self._closed = False

    def __aiter__(self) -> AsyncIterator[ChatChunk]:
        return self._iterate()

    async def _iterate(self) -> AsyncIterator[ChatChunk]:
        if self._closed:
            return
        if self._failure is not None:
            raise self._failure
        if self._task is not None:
            raise RuntimeError("a stream can be iterated once")
        self._task = asyncio.get_running_loop().create_task(self._run(), name=f"llm {self._name}")
        try:
            while (item := await self._chunks.get()) is not _END:
                if isinstance(item, Exception):
                    raise item
                assert isinstance(item, ChatChunk)
                self._room.release()
                yield item
        finally:
            await self.aclose()

    async def aclose(self) -> None:
        self._closed = True
        task = self._task
        self._chunks.put_nowait(_END)
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    async def fail(self, error: ModelError) -> None:
        """End it with ``error``, at once and whatever loop it runs on: its model is closed."""
        self._failure, task = error, self._task
        if task is None or task.done():
            return
        loop = task.get_loop()
        if loop is asyncio.get_running_loop():
            self._break(error, task)
            await asyncio.wait([task])
        else:
            with suppress(RuntimeError):  # that loop is closed, and the stream with it
                loop.call_soon_threadsafe(self._break, error, task)

    def _break(self, error: ModelError, task: asyncio.Task[None]) -> None:
        if not task.done():
            self._chunks.put_nowait(error)
            task.cancel()

    async def _run(self) -> None:
        """Fill the queue; every way out but a cancellation ends in one error or one end mark."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        attempt = 0
        while True:
            given = False
            try:
                async with aclosing(self._attempt()) as chunks:
                    async for chunk in chunks:
                        given = True
                        await self._room.acquire()
                        self._chunks.put_nowait(chunk)
                self._chunks.put_nowait(_END)
                return
            except ModelError as error:
                wait = None
                if not given:
                    wait = self._retry.wait(error, attempt=attempt, elapsed=loop.time() - began)
                if wait is None:
                    self._chunks.put_nowait(without_key(error, self._key))
                    return
            except Exception as error:
                self._chunks.put_nowait(error)
                return
            attempt += 1
            if wait > 0:
                await self._sleep(wait)


async def end_all(streams: Iterable[RetriedStream]) -> None:
    """The model is closed: the answers that still run end with a ``ModelError``."""
    for stream in list(streams):
        await stream.fail(ModelError("The model was closed amid its answer.", retryable=False))
