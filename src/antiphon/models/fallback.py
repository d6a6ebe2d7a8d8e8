"""``FallbackAdapter`` and ``Hedged``: several models where one is expected.

They are written before it is known what for: the session that takes one as ``stt=``, ``llm=`` or ``tts=`` makes the model
of that kind. Owns what a user can set. Never: how it is done (``fallback_stt``, ``fallback_llm``, ``fallback_tts``,
``hedged``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from antiphon.errors import ConfigurationError
from antiphon.models.choice import Kind, ModelChoice
from antiphon.models.fallback_llm import FallbackLLM
from antiphon.models.fallback_stt import FallbackSTT
from antiphon.models.fallback_tts import FallbackTTS
from antiphon.models.hedged import HedgedLLM

ATTEMPT_TIMEOUTS: dict[Kind, float] = {"stt": 2.0, "llm": 2.0, "tts": 1.5}
"""Seconds: of speech without a word; to the first token; without audio that is owed."""
HEDGE_AFTER = 0.6
"""Seconds after which the next model is asked as well."""


class FallbackAdapter(ModelChoice):
    """The next model when one fails or stalls, within the turn; the first that works has its place again when it does.

    The session's event ``model_availability_changed`` says what failed and what is back. A voice goes on behind the last word that was delivered. A recogniser hears again what no final has covered (15 s).
    A language model is replaced before it has given anything. ``attempt_timeout``: seconds, see ``ATTEMPT_TIMEOUTS``.
    """

    def __init__(self, models: Sequence[Any], *, attempt_timeout: float | None = None) -> None:
        super().__init__(models)
        if attempt_timeout is not None and attempt_timeout <= 0:
            raise ConfigurationError(f"attempt_timeout={attempt_timeout} is no time.", hint="Give seconds above 0.")
        self.attempt_timeout = attempt_timeout

    def make(self, kind: Kind, models: Sequence[Any]) -> Any:
        timeout = self.attempt_timeout or ATTEMPT_TIMEOUTS[kind]
        made: dict[Kind, Any] = {"stt": FallbackSTT, "llm": FallbackLLM, "tts": FallbackTTS}
        return made[kind](models, attempt_timeout=timeout)


class Hedged(ModelChoice):
    """Language models that are asked the same: the first that can speak is taken, the others are cancelled, and their cost is
    counted as waste. ``after``: seconds that the first may take before the second is asked too, and so on; 0: all at once.
    """

    kinds = ("llm",)

    def __init__(self, models: Sequence[Any], *, after: float = HEDGE_AFTER) -> None:
        super().__init__(models)
        if after < 0:
            raise ConfigurationError(f"after={after} is no time.", hint="Give seconds, 0 for all at once.")
        self.after = after

    def make(self, kind: Kind, models: Sequence[Any]) -> Any:
        return HedgedLLM(models, after=self.after)
