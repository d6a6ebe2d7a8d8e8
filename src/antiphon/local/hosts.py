"""Where the models are: a host takes requests. This one is an engine in this process; ``client.py`` has the shared one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Protocol

from antiphon.errors import ModelError, ModelMissingError
from antiphon.local.engine import Engine
from antiphon.local.requests import AnyRequest, Done, Failed, Load, Reply
from antiphon.local.store import Store


class Host(Protocol):
    """Answers requests. Closing the generator cancels the request."""

    def ask(self, request: AnyRequest) -> AsyncGenerator[Reply, None]:
        """The replies, without ``Done``. Raises ``ModelError`` or ``ModelMissingError``."""
        ...

    async def aclose(self) -> None: ...


class InProcessHost:
    """Models in the threads of this process."""

    def __init__(self, store: Store | None = None, engine: Engine | None = None) -> None:
        self.engine = engine or Engine(store)

    async def ask(self, request: AnyRequest) -> AsyncGenerator[Reply, None]:
        loop = asyncio.get_running_loop()
        replies: asyncio.Queue[Reply] = asyncio.Queue()

        def deliver(reply: Reply) -> None:
            try:
                loop.call_soon_threadsafe(replies.put_nowait, reply)
            except RuntimeError:
                job.cancel()

        job = self.engine.submit(request, deliver)
        try:
            while not isinstance(reply := await replies.get(), Done):
                if isinstance(reply, Failed):
                    raise error_of(reply)
                yield reply
        finally:
            job.cancel()

    async def aclose(self) -> None:
        await asyncio.to_thread(self.engine.close)


def error_of(reply: Failed) -> ModelError | ModelMissingError:
    """The exception that a ``Failed`` stands for."""
    if reply.missing:
        return ModelMissingError(reply.error, hint=reply.hint)
    return ModelError(reply.error, hint=reply.hint, retryable=reply.retryable)


async def load(host: Host, model: str) -> None:
    """Bring a model into memory ahead of need."""
    async for _ in host.ask(Load(model=model)):
        pass


def default_host() -> Host:
    """The host that models use when none is named: the machine's model process."""
    from antiphon.local.client import SharedHost

    global _default
    if _default is None:
        _default = SharedHost()
    return _default


_default: Host | None = None
