"""Reads the prompt ahead while the caller still speaks, with models that can.

Only the words that two partials in a row agree on are read, one request at a time, and never while a reply is made.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from antiphon.agents.agent import overrides
from antiphon.errors import ModelError

if TYPE_CHECKING:
    from antiphon.session.shell import Shell

LEAST_WORDS = 2


class Prefill:
    """``heard``: called with every partial of the running turn."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell
        self._previous: list[str] = []
        self._read = ""
        self._task: asyncio.Task[None] | None = None

    def heard(self, text: str) -> None:
        """Another partial: read on as far as it confirms the one before."""
        words, stable = text.split(), 0
        while stable < min(len(words), len(self._previous)) and words[stable] == self._previous[stable]:
            stable += 1
        self._previous = words
        prefix = " ".join(words[: min(stable, len(words) - 1)])
        if not self._can() or self._task is not None or self._shell.speaking.pipes:
            return
        if len(prefix.split()) < LEAST_WORDS or prefix == self._read:
            return
        self._read = prefix
        self._task = self._shell.lane.loop.create_task(self._go(prefix), name="antiphon:prefill")

    async def instructions(self) -> None:
        """Before the call: read what every prompt begins with."""
        if self._can():
            await self._go("")

    def stop(self) -> None:
        """The turn is over: the reply's own request reads the rest."""
        self._previous, self._read = [], ""
        if self._task is not None:
            self._task.cancel()

    def _can(self) -> bool:
        llm = self._shell.bound.llm
        return llm is not None and llm.capabilities.prefill and not overrides(self._shell.bound.agent, "llm_node")

    async def _go(self, prefix: str) -> None:
        shell = self._shell
        bound = shell.bound
        try:
            context = shell.directory.prompt(bound, shell.kernel.state, prefix, shell.directory.request(""))
            if bound.llm is not None:
                can = bound.llm.capabilities
                context = context.readable(images=can.images, audio=can.audio)
                await bound.llm.prefill(chat_ctx=context, tools=[tool.spec for tool in bound.tools])
        except ModelError:
            return  # it was only ahead of need; the reply itself will report what is wrong
        finally:
            self._task = None
