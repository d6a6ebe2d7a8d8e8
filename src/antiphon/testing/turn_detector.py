"""An end-of-turn model with scripted scores."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from antiphon.errors import ModelError
from antiphon.models.turn_detector import TurnDetector, TurnEvidence

Scores = float | Sequence[float] | Callable[[TurnEvidence], float]


class ScriptedTurnDetector(TurnDetector):
    """``scores``: one probability for every pause, one after the other (the last one stays), or a function of the
    evidence. ``delay``: seconds it takes. ``fails``: raises ``ModelError``; ``hangs``: never answers."""

    on_core = True
    provider = "scripted"
    model = "turn-detector"

    def __init__(self, scores: Scores = 0.95, *, delay: float = 0.03, fails: bool = False, hangs: bool = False) -> None:
        self._scores = scores
        self.delay, self.fails, self.hangs = delay, fails, hangs
        self.evidence: list[TurnEvidence] = []
        """What it was asked about, oldest first."""

    async def predict(self, evidence: TurnEvidence) -> float:
        self.evidence.append(evidence)
        number = len(self.evidence) - 1
        if self.hangs:
            await asyncio.get_running_loop().create_future()
        await asyncio.sleep(self.delay)
        if self.fails:
            raise ModelError("The scripted end-of-turn model failed.")
        if callable(self._scores):
            return self._scores(evidence)
        if isinstance(self._scores, Sequence):
            return self._scores[min(number, len(self._scores) - 1)]
        return self._scores
