"""Budget: how much one call may cost, and what happens when it costs more.

Owns the settings and the moment. Never: prices and sums, which the session's account has.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from antiphon.errors import ConfigurationError
from antiphon.kernel import events as ev

if TYPE_CHECKING:
    from antiphon.session.shell import Shell

GOODBYES = {
    "en": "I have to end our conversation here. Thank you for calling. Goodbye.",
    "de": "Ich muss unser Gespräch hier beenden. Vielen Dank für Ihren Anruf. Auf Wiederhören.",
    "es": "Tengo que terminar aquí nuestra conversación. Gracias por llamar. Adiós.",
    "fr": "Je dois terminer notre conversation ici. Merci de votre appel. Au revoir.",
}
COUNTS = (ev.Generated, ev.AudioDone, ev.ReplyFailed, ev.Metered)
"""Events after which the call has cost more than before."""


class BudgetExceeded(msgspec.Struct, frozen=True):
    """``cost``: US dollars so far, what runs and is not billed yet estimated; ``limit``: what was allowed. ``unpriced``: models
    that are not in ``cost``, because their price is not known."""

    cost: float
    limit: float
    unpriced: tuple[str, ...] = ()


class Budget(msgspec.Struct, frozen=True):
    """``per_call``: US dollars. ``on_exceeded``: ``warn`` (the event ``budget_exceeded`` and a line in the log), ``end`` (say
    ``say``, then close), or a function or coroutine that is called with a ``BudgetExceeded``. It happens once a call.
    ``say``: the last words; unset: those of the session's language."""

    per_call: float
    on_exceeded: Literal["warn", "end"] | Callable[[BudgetExceeded], Any] = "warn"
    say: str = ""

    def __post_init__(self) -> None:
        if not self.per_call > 0:
            raise ConfigurationError(f"per_call={self.per_call} is no budget.", hint="Give US dollars above 0.")
        if not callable(self.on_exceeded) and self.on_exceeded not in ("warn", "end"):
            raise ConfigurationError(
                f"on_exceeded={self.on_exceeded!r} is not known.", hint="Use 'warn', 'end' or a function."
            )

    def last_words(self, language: str) -> str:
        return self.say or GOODBYES.get(language.split("-")[0].lower(), GOODBYES["en"])


class BudgetWatch:
    """Follows one call on the core lane."""

    def __init__(self, shell: Shell, budget: Budget) -> None:
        self._shell, self._budget = shell, budget
        self._told = False

    def follow(self, event: ev.Event) -> None:
        """Look at the cost where ``event`` may have raised it."""
        telemetry = self._shell.services.telemetry
        if self._told or telemetry is None or not isinstance(event, COUNTS):
            return
        cost = telemetry.cost()
        if cost.total is not None and cost.total > self._budget.per_call:
            self._told = True
            exceeded = BudgetExceeded(cost=cost.total, limit=self._budget.per_call, unpriced=cost.unpriced)
            self._shell.tell(self._shell.session.over_budget, exceeded)
