"""Hedging: several language models are asked the same, the first that can speak is taken, the others are cancelled.

Owns the race. Never: what comes after it. What the losers cost is metered as waste.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Sequence

from antiphon.chat.context import ChatContext
from antiphon.errors import AllModelsFailedError, ModelError
from antiphon.models.availability import Availability
from antiphon.models.fallback_llm import LLMAttempt, LLMRequest, llm_capabilities, try_llm
from antiphon.models.llm import LLM, ChatChunk, LLMStream, ToolChoice, ToolSpec

SPEAKABLE = re.compile(r".{11,}[.!?…。！？;:,]\s|\S.{40,}\s", re.DOTALL)
"""Text that a voice can begin with: up to a mark, or some words."""


class HedgedLLM(LLM):
    """``after``: seconds that the first model may take before the next one is asked too."""

    on_core = True
    meters = True

    def __init__(self, models: Sequence[LLM], *, after: float) -> None:
        self.availability: Availability[LLM] = Availability("llm", models, trial=try_llm)
        self.after = after
        self.capabilities = llm_capabilities(models)
        self.provider = "local" if all(model.provider == "local" for model in models) else "hedged"
        self.model = ", ".join(member.name for member in self.availability.members)

    def chat(
        self, *, chat_ctx: ChatContext, tools: Sequence[ToolSpec] = (), tool_choice: ToolChoice = "auto"
    ) -> LLMStream:
        return _HedgedStream(self, LLMRequest(chat_ctx, tools, tool_choice))

    async def prewarm(self) -> None:
        await self.availability.prewarm()

    async def aclose(self) -> None:
        await self.availability.aclose()


class _Runner:
    """One model in the race. ``chunks``: what it has said. ``done`` when it can speak, has ended or failed."""

    def __init__(self, attempt: LLMAttempt) -> None:
        self.attempt = attempt
        self.chunks: list[ChatChunk] = []
        self.ended = False
        self.task = asyncio.get_running_loop().create_task(self._run(), name=f"antiphon:race:{attempt.member.name}")

    async def _run(self) -> None:
        text = ""
        while (chunk := await self.attempt.next()) is not None:
            self.chunks.append(chunk)
            text += chunk.text
            if chunk.tool_calls or SPEAKABLE.search(text):
                return
        self.ended = True


class _HedgedStream(LLMStream):
    def __init__(self, owner: HedgedLLM, request: LLMRequest) -> None:
        self._owner, self._request = owner, request
        self._runners: list[_Runner] = []
        self._closed = False

    async def __aiter__(self) -> AsyncIterator[ChatChunk]:
        if self._closed:
            return
        winner: _Runner | None = None
        failed = False
        try:
            winner = await self._race()
            for runner in [one for one in self._runners if one is not winner]:
                await self._leave(runner, wasted=True)
            for chunk in winner.chunks:
                yield chunk
            while not winner.ended:
                try:
                    more = await winner.attempt.next()
                except Exception as error:
                    self._owner.availability.failed(winner.attempt.member, error)
                    failed = True
                    raise
                if more is None:
                    break
                yield more
        finally:
            if winner is not None and not failed and winner.attempt.silent_for == 0.0:
                self._owner.availability.worked(winner.attempt.member)
            for runner in list(self._runners):
                await self._leave(runner, wasted=runner is not winner)

    async def aclose(self) -> None:
        self._closed = True
        for runner in self._runners:
            runner.attempt.fail(ModelError("The request was closed."))

    async def _race(self) -> _Runner:
        """The first that can speak. Raises ``AllModelsFailedError`` where none can."""
        waiting = self._owner.availability.order()
        running: set[_Runner] = set()
        failures: list[tuple[str, Exception]] = []
        while waiting or running:
            if waiting:
                runner = _Runner(LLMAttempt(waiting.pop(0), self._request, None))
                self._runners.append(runner)
                running.add(runner)
            tasks = {one.task for one in running}
            timeout = self._owner.after if waiting else None
            done, _ = await asyncio.wait(tasks, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
            for runner in [one for one in self._runners if one.task in done]:
                error = runner.task.exception()
                if error is None:
                    return runner
                running.discard(runner)
                self._owner.availability.failed(runner.attempt.member, error)
                if isinstance(error, Exception):
                    failures.append((runner.attempt.member.name, error))
        raise AllModelsFailedError("language model", failures)

    async def _leave(self, runner: _Runner, *, wasted: bool) -> None:
        self._runners.remove(runner)
        runner.task.cancel()
        await asyncio.wait({runner.task})
        error = None if runner.task.cancelled() else runner.task.exception()
        await runner.attempt.end(wasted=wasted, billed=runner.attempt.begun(error))
