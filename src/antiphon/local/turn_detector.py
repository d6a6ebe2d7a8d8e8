"""The end-of-turn detector that sessions use: Smart Turn on a host, with a deadline."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

from antiphon.errors import ModelError
from antiphon.local.hosts import Host, load
from antiphon.local.pcm import to_ear
from antiphon.local.requests import Score, Scored
from antiphon.models.turn_detector import TurnDetector, TurnEvidence

DEADLINE = 0.6
"""Seconds. A score that comes later is worth nothing: the pause has been decided without it."""


class LocalTurnDetector(TurnDetector):
    """Audio only. Costs about 0.1 CPU-seconds for a pause."""

    provider = "local"
    on_core = True

    def __init__(self, host: Host, model: str = "smart-turn-v3.2", *, deadline: float = DEADLINE) -> None:
        self.model = model
        self._host = host
        self._deadline = deadline

    async def predict(self, evidence: TurnEvidence) -> float:
        pcm = b"".join(to_ear(frame) for frame in evidence.audio)
        if not pcm:
            raise ModelError("There is no audio to judge.", retryable=False)
        try:
            async with (
                asyncio.timeout(self._deadline),
                aclosing(self._host.ask(Score(model=self.model, pcm=pcm))) as replies,
            ):
                async for reply in replies:
                    if isinstance(reply, Scored):
                        return reply.probability
        except TimeoutError:
            raise ModelError("The end-of-turn score came too late.", retryable=False) from None
        raise ModelError("The end-of-turn model gave no score.", retryable=False)

    async def prewarm(self) -> None:
        await load(self._host, self.model)
