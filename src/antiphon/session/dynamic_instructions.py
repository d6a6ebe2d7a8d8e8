"""Instructions that are worked out for each request: asks the user's function, on the user's lane, and does not wait long.

Owns: the deadline, and what holds when the function is late or fails: what it said last. Never: where they stand.
"""

from __future__ import annotations

import asyncio
import inspect
import traceback
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, TypeVar

from antiphon.agents.agent import Agent
from antiphon.chat.context import ChatContext
from antiphon.session.lanes import across
from antiphon.session.prompt import add_dynamic

if TYPE_CHECKING:
    from antiphon.session.shell import Shell

T = TypeVar("T")

DEADLINE = 1.0
"""Seconds: all of it is silence on the line."""


class DynamicInstructions:
    """``before``: a request's stream, with the instructions in its prompt."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell
        self._last: dict[str, str] = {}

    async def before(self, stream: AsyncIterator[T], agent: Agent, prompt: ChatContext) -> AsyncIterator[T]:
        text = await self._text(agent)
        if text:
            add_dynamic(prompt, text)
        try:
            async for piece in stream:
                yield piece
        finally:
            close = getattr(stream, "aclose", None)
            if close is not None:
                await close()

    async def _text(self, agent: Agent) -> str:
        try:
            async with asyncio.timeout(DEADLINE):
                async for text in across(lambda: self._ask(agent), home=self._shell.user_lane):
                    self._last[agent.id] = text
        except TimeoutError:
            self._say(
                f"The instructions of agent {agent.id!r} were not there after {DEADLINE:g} s; the last ones hold."
            )
        except Exception:
            self._say(traceback.format_exc())
        return self._last.get(agent.id, "")

    async def _ask(self, agent: Agent) -> AsyncIterator[str]:
        dynamic = agent._instructions.dynamic
        if dynamic is not None:
            made = dynamic(self._shell.session)
            yield str(await made if inspect.isawaitable(made) else made)

    def _say(self, text: str) -> None:
        self._shell.tell(self._shell.side.error, "instructions", text, True)
