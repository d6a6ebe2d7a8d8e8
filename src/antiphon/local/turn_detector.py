"""The end-of-turn detector that sessions use: Smart Turn on a host, with a deadline."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

from antiphon.errors import ModelError
from antiphon.local.hosts import Host, load
from antiphon.local.pcm import to_ear
from antiphon.local.requests import Score, Scored
from antiphon.local.smart_turn import SECONDS
from antiphon.local.turn_heads import HEARD_SECONDS
from antiphon.models.turn_detector import TurnDetector, TurnEvidence

DEADLINE = 0.6
"""Seconds. A score that comes later is worth nothing: the pause has been decided without it."""

READ_OUT = ("digits", "spelling", "email")
"""What people read out in groups, with pauses between them that are no ends."""


class LocalTurnDetector(TurnDetector):
    """Audio only. ``head``: which of the model's heads decides; empty: the one for what the caller was asked for."""

    provider = "local"
    on_core = True

    def __init__(
        self, host: Host, model: str = "smart-turn-v3.2", *, head: str = "", deadline: float = DEADLINE
    ) -> None:
        self.model = model
        self._head = head
        self._host = host
        self._deadline = deadline
        self.audio_seconds = SECONDS if head == "stock" else HEARD_SECONDS

    async def predict(self, evidence: TurnEvidence) -> float:
        pcm = b"".join(to_ear(frame) for frame in evidence.audio)
        if not pcm:
            raise ModelError("There is no audio to judge.", retryable=False)
        head = self._head or head_for(evidence.expects)
        request = Score(model=self.model, pcm=pcm, head=head, silence=evidence.silence)
        try:
            async with (
                asyncio.timeout(self._deadline),
                aclosing(self._host.ask(request)) as replies,
            ):
                async for reply in replies:
                    if isinstance(reply, Scored):
                        return reply.probability
        except TimeoutError:
            raise ModelError("The end-of-turn score came too late.", retryable=False) from None
        raise ModelError("The end-of-turn model gave no score.", retryable=False)

    async def prewarm(self) -> None:
        await load(self._host, self.model)


def head_for(expects: str) -> str:
    """The head that judges pauses of somebody who was asked for this."""
    return "digits" if expects in READ_OUT else "general"
