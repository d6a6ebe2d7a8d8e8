"""A language model behind HTTP: joins a provider's codec with the wire.

Owns: one request per stream, its retries, its end. Never: formats (the codec), sockets (``wire.http``).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing

from antiphon.chat.context import ChatContext
from antiphon.errors import ModelError
from antiphon.models.capabilities import LLMCapabilities
from antiphon.models.codec import ChatCodec, ServiceFault, WireRequest
from antiphon.models.llm import LLM, ChatChunk, LLMStream, ToolChoice, ToolSpec
from antiphon.wire.faults import Service, status_error
from antiphon.wire.http import Deadlines, HttpPool, open_stream
from antiphon.wire.retry import RetryPolicy

Sleep = Callable[[float], Awaitable[None]]

_END = object()
MAX_WAITING = 1024
"""Chunks that may wait for the consumer; then the socket is read no further."""


class WireLLM(LLM):
    """A language model that a service offers.

    ``key``: sent as the codec says, empty for none. ``pool``: sockets to share with other models; without one the
    model has its own and closes it. ``sleep``: how retries wait.
    """

    on_core = True

    def __init__(
        self,
        codec: ChatCodec,
        service: Service,
        *,
        provider: str,
        key: str = "",
        capabilities: LLMCapabilities | None = None,
        deadlines: Deadlines | None = None,
        retry: RetryPolicy | None = None,
        pool: HttpPool | None = None,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self.provider = provider
        self.model = service.model
        self.service = service
        self.capabilities = capabilities or LLMCapabilities()
        self.deadlines = deadlines or Deadlines()
        self.retry = retry or RetryPolicy()
        self.codec = codec
        self.sleep = sleep
        self.headers = codec.authorise(key) if key else {}
        self.pool = pool or HttpPool()
        self._owns_pool = pool is None

    def __repr__(self) -> str:
        return f"WireLLM({self.provider}/{self.model} at {self.service.base_url})"

    def chat(
        self, *, chat_ctx: ChatContext, tools: Sequence[ToolSpec] = (), tool_choice: ToolChoice = "auto"
    ) -> LLMStream:
        request = self.codec.request(model=self.model, chat_ctx=chat_ctx, tools=tools, tool_choice=tool_choice)
        return WireLLMStream(self, request)

    async def prewarm(self) -> None:
        """Open a connection and leave it in the pool. Raises ``ModelError`` when the service cannot be reached or does
        not know the key."""
        request = WireRequest(path="/models", body=b"", method="GET")
        async with open_stream(
            self.pool,
            self.service,
            request,
            headers={"Accept": "application/json", **self.headers},
            deadlines=self.deadlines,
            fault=self.codec.fault,
            statuses=range(200, 600),
        ) as stream:
            if stream.status in (401, 403):
                raise status_error(self.service, stream.status, {}, ServiceFault())
            await stream.drain()

    async def aclose(self) -> None:
        if self._owns_pool:
            await self.pool.aclose()


class WireLLMStream(LLMStream):
    """One request. It runs in a task of its own, so that ``aclose`` frees it at once, wherever it waits."""

    def __init__(self, llm: WireLLM, request: WireRequest) -> None:
        self._llm = llm
        self._request = request
        self._chunks: asyncio.Queue[object] = asyncio.Queue()
        self._room = asyncio.Semaphore(MAX_WAITING)
        self._task: asyncio.Task[None] | None = None
        self._closed = False

    def __aiter__(self) -> AsyncIterator[ChatChunk]:
        return self._iterate()

    async def _iterate(self) -> AsyncIterator[ChatChunk]:
        if self._closed:
            return
        if self._task is not None:
            raise RuntimeError("a stream can be iterated once")
        self._task = asyncio.get_running_loop().create_task(self._run(), name=f"llm {self._llm.model}")
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

    async def _run(self) -> None:
        """Fill the queue; every way out but a cancellation ends in one error or one end mark."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        attempt = 0
        while True:
            given = False
            try:
                async with aclosing(self._once()) as chunks:
                    async for chunk in chunks:
                        given = True
                        await self._room.acquire()
                        self._chunks.put_nowait(chunk)
                self._chunks.put_nowait(_END)
                return
            except ModelError as error:
                wait = None
                if not given:
                    wait = self._llm.retry.wait(error, attempt=attempt, elapsed=loop.time() - began)
                if wait is None:
                    self._chunks.put_nowait(error)
                    return
            except Exception as error:
                self._chunks.put_nowait(error)
                return
            attempt += 1
            if wait > 0:
                await self._llm.sleep(wait)

    async def _once(self) -> AsyncGenerator[ChatChunk, None]:
        llm = self._llm
        decoder = llm.codec.decoder()
        async with open_stream(
            llm.pool,
            llm.service,
            self._request,
            headers=llm.headers,
            deadlines=llm.deadlines,
            fault=llm.codec.fault,
        ) as stream:
            try:
                async with aclosing(stream.events()) as events:
                    async for event in events:
                        for chunk in decoder.feed(event.data):
                            yield chunk
                        if decoder.done:
                            break
            except ModelError:
                # Some servers neither mark the end of the stream nor close it: a whole answer is no failure.
                if not decoder.finished:
                    raise
            for chunk in decoder.end():
                yield chunk
            await stream.drain()
