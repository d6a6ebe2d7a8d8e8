"""A language model behind HTTP: joins a provider's codec with the wire.

Owns: one request per answer, its deadlines. Never: formats (the codec), sockets (``wire.http``), retries
(``wire.llm_stream``).
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING
from weakref import WeakSet

from antiphon.chat.context import ChatContext
from antiphon.errors import ModelError
from antiphon.models.capabilities import LLMCapabilities
from antiphon.models.codec import ChatCodec, WireRequest
from antiphon.models.llm import LLM, ChatChunk, LLMStream, ToolChoice, ToolSpec
from antiphon.wire.deadlines import Deadlines
from antiphon.wire.faults import with_hint, without_key
from antiphon.wire.llm_service import LLMService
from antiphon.wire.retry import RetryPolicy

if TYPE_CHECKING:  # what has sockets and loops is imported on use, so that a model object is made in no time
    from antiphon.wire.http import HttpPool
    from antiphon.wire.llm_stream import RetriedStream
    from antiphon.wire.retry import Sleep


class WireLLM(LLM):
    """A language model that a service offers.

    ``made``: the service, with its codec and key. ``capabilities``: what the model takes, where that is not known of it.
    ``deadlines``: how long it is waited for. ``retry``: when a request is made again. ``pool``: sockets to share with other
    models; without one the model has its own and closes it. ``sleep``: how retries wait.
    """

    on_core = True

    def __init__(
        self,
        made: LLMService,
        *,
        capabilities: LLMCapabilities | None = None,
        deadlines: Deadlines | None = None,
        retry: RetryPolicy | None = None,
        pool: HttpPool | None = None,
        sleep: Sleep | None = None,
    ) -> None:
        self.provider = made.provider
        self.model = made.service.model
        self.service = made.service
        self.capabilities = capabilities or made.capabilities
        self.deadlines = deadlines or made.deadlines
        self.retry = retry or RetryPolicy()
        self.codec: ChatCodec = made.codec
        self.sleep = sleep
        self.headers = self.codec.authorise(made.key) if made.key else {}
        self._key = made.key
        self._streams: WeakSet[RetriedStream] = WeakSet()
        self._pool = pool
        self._own_pool: HttpPool | None = None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.provider}/{self.model} at {self.service.base_url})"

    @property
    def pool(self) -> HttpPool:
        """The sockets, made on first use."""
        if self._pool is not None:
            return self._pool
        if self._own_pool is None:
            from antiphon.wire.http import HttpPool

            self._own_pool = HttpPool()
        return self._own_pool

    def chat(
        self, *, chat_ctx: ChatContext, tools: Sequence[ToolSpec] = (), tool_choice: ToolChoice = "auto"
    ) -> LLMStream:
        from antiphon.wire.llm_stream import RetriedStream

        request = self.codec.request(model=self.model, chat_ctx=chat_ctx, tools=tools, tool_choice=tool_choice)
        attempt = partial(self._attempt, request, tuple(tools))
        stream = RetriedStream(attempt, name=self.model, retry=self.retry, sleep=self.sleep, key=self._key)
        self._streams.add(stream)
        return stream

    async def prewarm(self) -> None:
        """Open a connection and leave it in the pool. Raises ``ModelError`` when the service cannot be reached or does
        not know the key."""
        from antiphon.wire.http import probe

        try:
            await probe(
                self.pool,
                self.service,
                self.codec.probe(),
                headers=self.headers,
                deadlines=self.deadlines,
                fault=self.codec.fault,
                wrong_key=(401, 403),
            )
        except ModelError as error:
            raise without_key(error, self._key) from None

    async def aclose(self) -> None:
        """Close every socket. Answers that still run end with a ``ModelError``."""
        if self._streams:
            from antiphon.wire.llm_stream import end_all

            await end_all(self._streams)
        if self._own_pool is not None:
            await self._own_pool.aclose()

    async def _attempt(self, request: WireRequest, tools: Sequence[ToolSpec]) -> AsyncGenerator[ChatChunk, None]:
        from antiphon.wire.http import open_stream

        decoder = self.codec.decoder(tools)
        progress = 0
        async with open_stream(
            self.pool,
            self.service,
            request,
            headers=self.headers,
            deadlines=self.deadlines,
            fault=self.codec.fault,
        ) as stream:
            try:
                async with aclosing(stream.events()) as events:
                    async for event in events:
                        for chunk in decoder.feed(event.data):
                            yield chunk
                        if decoder.progress != progress:
                            progress = decoder.progress
                            stream.progressed()
                        if decoder.done:
                            break
            except ModelError as error:
                # Some servers neither mark the end of the stream nor close it: a whole answer is no failure.
                if not decoder.finished:
                    raise with_hint(self.service, error) from None
            for chunk in decoder.end():
                yield chunk
            await stream.drain()
