"""A language model behind a WebSocket that holds response after response (OpenAI's Responses).

Owns: what a user holds. Never: formats (the codec), sockets and deadlines (``wire.lane_responses``), retries
(``wire.llm_stream``).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING
from weakref import WeakSet

from antiphon.chat.context import ChatContext
from antiphon.models.capabilities import LLMCapabilities
from antiphon.models.llm import LLM, LLMStream, ToolChoice, ToolSpec
from antiphon.wire.deadlines import Deadlines
from antiphon.wire.llm_service import LLMService
from antiphon.wire.retry import RetryPolicy

if TYPE_CHECKING:  # what has sockets and loops is imported on use, so that a model object is made in no time
    from antiphon.wire.lane_responses import LaneResponses, SocketCodec
    from antiphon.wire.llm_stream import RetriedStream
    from antiphon.wire.retry import Sleep
    from antiphon.wire.socket import Connector

SESSION = 55 * 60.0
"""Seconds that a socket is used: OpenAI takes no requests on one of 60 minutes."""


class SocketLLM(LLM):
    """A language model over a socket. ``session``: seconds after which a socket is replaced, between two responses.
    ``connector``: opens the sockets. The others as of ``WireLLM``."""

    on_core = True

    def __init__(
        self,
        made: LLMService,
        *,
        capabilities: LLMCapabilities | None = None,
        deadlines: Deadlines | None = None,
        retry: RetryPolicy | None = None,
        session: float = SESSION,
        connector: Connector | None = None,
        sleep: Sleep | None = None,
    ) -> None:
        self.provider = made.provider
        self.model = made.service.model
        self.service = made.service
        self.capabilities = capabilities or made.capabilities
        self.deadlines = deadlines or made.deadlines
        self.retry = retry or RetryPolicy()
        self.codec: SocketCodec = made.codec
        self.sleep = sleep
        self.session = session
        self._key = made.key
        self._streams: WeakSet[RetriedStream] = WeakSet()
        self._connector = connector
        self._responses: LaneResponses | None = None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.provider}/{self.model} at {self.service.base_url})"

    def chat(
        self, *, chat_ctx: ChatContext, tools: Sequence[ToolSpec] = (), tool_choice: ToolChoice = "auto"
    ) -> LLMStream:
        from antiphon.wire.llm_stream import RetriedStream

        body = self.codec.body(model=self.model, chat_ctx=chat_ctx, tools=tools, tool_choice=tool_choice)
        attempt = partial(self._made().attempt, body, tuple(tools))
        stream = RetriedStream(attempt, name=self.model, retry=self.retry, sleep=self.sleep, key=self._key)
        self._streams.add(stream)
        return stream

    async def prewarm(self) -> None:
        """Open a socket. Raises ``ModelError`` when the service cannot be reached or does not know the key."""
        await self._made().warm()

    async def aclose(self) -> None:
        """Close every socket. Answers that still run end with a ``ModelError``."""
        if self._streams:
            from antiphon.wire.llm_stream import end_all

            await end_all(self._streams)
        if self._responses is not None:
            await self._responses.aclose()

    def _made(self) -> LaneResponses:
        from antiphon.wire.lane_responses import LaneResponses

        if self._responses is None:
            self._responses = LaneResponses(
                self.service,
                self.codec,
                self._key,
                deadlines=self.deadlines,
                session=self.session,
                connector=self._connector,
            )
        return self._responses
