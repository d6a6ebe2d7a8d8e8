"""Echo: words of the caller's side that are the agent's own, as it says them now. Part of the turn machine.

Owns no state: what sounds is read off the ledger of the speech on air, or of the one that ended last. Echoed words are no
words of the caller's; and the voice that carried them was none, so for a while voice alone means nothing, as while an
echo canceller warms up. Words still do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from antiphon.kernel import gates, ledger, overlap
from antiphon.kernel.signals import Overlap
from antiphon.turns.echo import is_echo
from antiphon.turns.words import words_of

if TYPE_CHECKING:
    from antiphon.kernel.out import Out
    from antiphon.kernel.state import KernelState
    from antiphon.kernel.turn import TurnState

HOLD = 3.0
"""Seconds after an echo was recognised for which voice without words means nothing."""
LATE, WORD = 2.0, 0.5
"""A recognised word sounded up to ``LATE`` seconds ago, and each one before it up to ``WORD`` earlier."""
EARLY = 0.4
"""Seconds by which the acknowledged position may lag behind what sounds."""


def saying(view: KernelState, back: float) -> str:
    """The words that sounded in the last ``back`` seconds, or do now."""
    speech = view.speech.on_air()
    if speech is None:
        said, ended = view.speech.said
        return said if view.now <= ended + back else ""
    position = max(speech.position, speech.paused_at)
    if speech.phase == "on_air":
        position = max(position, speech.position + int((view.now - speech.acked_at) * ledger.RATE))
    first, last = position - int(back * ledger.RATE), position + int(EARLY * ledger.RATE)
    return ledger.words_between(speech.segments, first, last)


def echoes(state: TurnState, text: str, view: KernelState, out: Out) -> bool:
    """Whether these words are the agent's own. Then an overlap that has no others is over: the speech goes on."""
    if not is_echo(text, saying(view, LATE + WORD * len(words_of(text))), view.policy.barge_in):
        return False
    out.gate(gates.ECHO, "turn", out.now + HOLD)
    lap = state.overlap
    if lap is not None and not lap.text:
        out.signal(Overlap("false", "", round(out.now - lap.began, 3)))
        overlap.close(state, out)
    return True
