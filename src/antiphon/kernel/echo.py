"""Echo: words of the caller's side that are the agent's own, as it says them now. Part of the turn machine.

Owns no state: what sounded while the voice did is read off the ledger of the speech on air, or of the one that ended last.
Words without a voice are no echo: a canceller has taken that out. Echoed words are no words of the caller's; and the voice
that carried them was none, so for a while voice alone means nothing, as while an echo canceller warms up. Words still do.
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
LATE = 0.25
"""Seconds by which the echo of a word comes after the word."""
EARLY = 0.4
"""Seconds by which the acknowledged position may lag behind what sounds."""


def saying(view: KernelState, since: float, *, begun: bool = False) -> str:
    """The words that sounded at ``since`` (session time) and from then on, of the speech on air or the one that ended last.
    ``begun``: those that began then."""
    speech, ahead = view.speech.on_air(), 0.0
    if speech is None:
        sounded = view.speech.last
    else:
        sounded = ledger.Sounded(speech.segments, max(speech.position, speech.paused_at), speech.acked_at)
        ahead = EARLY + (view.now - speech.acked_at if speech.phase == "on_air" else 0.0)
    if sounded is None:
        return ""
    first = sounded.position - int((sounded.at - since) * ledger.RATE)
    return ledger.words_between(sounded.segments, first, sounded.position + int(ahead * ledger.RATE), begun=begun)


def echoes(state: TurnState, text: str, view: KernelState, out: Out) -> bool:
    """Whether these words are the agent's own. Then an overlap that has no others is over: the speech goes on."""
    lap = state.overlap
    if not state.voiced:
        return False
    since = (lap.began if lap else state.stretch) - LATE
    one = (
        len(words_of(text)) == 1
    )  # one word tells little: who answers "tea or coffee" with "coffee" is no echo of its end
    if not is_echo(text, saying(view, since, begun=one), view.policy.barge_in):
        return False
    warming = view.gates.get(gates.ECHO)
    out.gate(gates.ECHO, "turn", max(out.now + HOLD, warming.expires if warming else 0.0))
    if lap is not None and not lap.text:
        out.signal(Overlap("false", "", round(out.now - lap.began, 3)))
        overlap.close(state, out)
    return True
