"""RunResult: what one text turn brought about, in order."""

from __future__ import annotations

import asyncio
from collections.abc import Generator, Sequence
from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING, Any

from antiphon.chat.items import ChatItem, ChatMessage
from antiphon.chat.media import Content
from antiphon.errors import ConfigurationError

if TYPE_CHECKING:
    from antiphon.testing.expect import RunAssert


class RunResult:
    """``await session.run(user_input=...)`` gives one, when the session waits for the caller again (also inside a task), or
    has ended. ``events``: the items that joined the conversation after the user's message; ``expect``: fluent assertions on
    them, for tests."""

    def __init__(self, user_input: str | ChatMessage | Sequence[Content]) -> None:
        self.user_input = user_input
        self.events: list[ChatItem] = []
        self._done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def __await__(self) -> Generator[Any, None, RunResult]:
        return self._wait().__await__()

    async def _wait(self) -> RunResult:
        await asyncio.shield(self._done)
        return self

    def done(self) -> bool:
        return self._done.done()

    @cached_property
    def expect(self) -> RunAssert:
        """Assertions that read as sentences: ``result.expect.next_event().is_message(role="assistant")``. One cursor: what
        was looked at is behind it. Raises ``ConfigurationError`` before the turn is over."""
        if not self.done():
            raise ConfigurationError(
                "This turn is not over yet.", hint="Await it first: result = await session.run(user_input=...)."
            )
        made: RunAssert = import_module("antiphon.testing.expect").RunAssert(self)
        return made

    def _finish(self) -> None:
        if not self._done.done():
            self._done.set_result(None)
