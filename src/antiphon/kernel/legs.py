"""Legs: the media paths of the session. Owns which are up, held and confirmed, and when the party is gone.

Theory. Speech waits for a first leg (gate ``legs``), for sound to flow (``media``) and while the far end holds us
(``hold``). A leg that hung up takes the party with it when it was the last; one that vanished may come back within
``party_grace``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from antiphon.kernel import gates
from antiphon.kernel.effects import SendDtmf
from antiphon.kernel.events import Dtmf, DtmfAsked, LegDown, LegHeld, LegUp, MediaConfirmed, Resumed, Start
from antiphon.kernel.facts import LegJoined, LegLeft
from antiphon.kernel.signals import OnAir, PartyGone, Timer

if TYPE_CHECKING:
    from antiphon.kernel.out import Out
    from antiphon.kernel.state import KernelState

MOST_DIGITS = 64
"""Key tones that wait for a first leg."""
LEG_WAIT = 120.0
"""Seconds for which speech waits for a first leg."""
HOLD_MAX = 900.0
"""Seconds after which a hold is not believed any more."""

RETURN = 30.0
"""Seconds that a new line gets, at least, where the plane that had the old one is gone."""

STATES = ("up", "held", "lost", "down")
MOVES: dict[tuple[str, str], str] = {
    ("down", "LegUp"): "up",
    ("lost", "LegUp"): "up",
    ("up", "LegHeld on"): "held",
    ("held", "LegHeld off"): "up",
    ("up", "LegDown uncertain"): "lost",
    ("held", "LegDown uncertain"): "lost",
    ("up", "LegDown certain"): "down",
    ("held", "LegDown certain"): "down",
    ("lost", "LegDown certain"): "down",
    ("lost", "grace over"): "down",
}


class Leg(msgspec.Struct):
    phase: str
    medium: str


class LegsState(msgspec.Struct):
    legs: dict[str, Leg] = {}
    warmed: bool = False
    """The echo canceller has had its time."""
    digits: str = ""
    """Key tones asked for before there was a leg to send them on."""


def move(state: LegsState, leg: str, cause: str) -> bool:
    """Take the transition that the table gives; False where it gives none."""
    known = state.legs.get(leg)
    phase = MOVES.get((known.phase if known else "down", cause))
    if phase is None:
        return False
    if phase == "down":
        state.legs.pop(leg, None)
    else:
        state.legs[leg].phase = phase
    return True


def connected(state: LegsState) -> bool:
    return any(leg.phase in ("up", "held") for leg in state.legs.values())


def on_start(state: LegsState, event: Start, view: KernelState, out: Out) -> None:
    if not connected(state):
        out.gate(gates.LEGS, "legs", out.now + LEG_WAIT)


def on_up(state: LegsState, event: LegUp, view: KernelState, out: Out) -> None:
    new = event.leg not in state.legs
    if new:
        state.legs[event.leg] = Leg("down", event.medium)
    if not move(state, event.leg, "LegUp"):
        return
    out.cancel_timer(f"legs.grace:{event.leg}")
    if new:
        out.fact(LegJoined(at=out.now, leg=event.leg, medium=event.medium))
        confirm = view.policy.media_confirm
        if confirm > 0 and event.medium == "audio":
            out.gate(gates.MEDIA, "legs", out.now + confirm)
    if state.digits and event.medium == "audio":
        out.effect(SendDtmf(leg=event.leg, digits=state.digits))
        state.digits = ""
    out.ungate(gates.LEGS)


def on_confirmed(state: LegsState, event: MediaConfirmed, view: KernelState, out: Out) -> None:
    out.ungate(gates.MEDIA)


def on_held(state: LegsState, event: LegHeld, view: KernelState, out: Out) -> None:
    if move(state, event.leg, "LegHeld on" if event.held else "LegHeld off"):
        if event.held:
            out.gate(gates.HOLD, "legs", out.now + HOLD_MAX)
        else:
            out.ungate(gates.HOLD)


def on_resumed(state: LegsState, event: Resumed, view: KernelState, out: Out) -> None:
    if event.agent is not None and not connected(state):
        out.gate(gates.LEGS, "legs", out.now + LEG_WAIT)
    if event.lost:
        out.ungate(gates.HOLD)
        for name, leg in state.legs.items():
            if leg.medium == "audio" and move(state, name, "LegDown uncertain"):
                _wait(state, name, max(view.policy.party_grace, RETURN), out)


def on_down(state: LegsState, event: LegDown, view: KernelState, out: Out) -> None:
    grace = view.policy.party_grace
    if event.certain or grace <= 0:
        _leave(state, event.leg, "LegDown certain", event.reason, out)
    elif move(state, event.leg, "LegDown uncertain"):
        _wait(state, event.leg, grace, out)


def _wait(state: LegsState, leg: str, grace: float, out: Out) -> None:
    out.timer(f"legs.grace:{leg}", out.now + grace)
    if not connected(state):
        out.gate(gates.LEGS, "legs", out.now + grace)


def _leave(state: LegsState, leg: str, cause: str, reason: str, out: Out) -> None:
    held = leg in state.legs and state.legs[leg].phase == "held"
    if not move(state, leg, cause):
        return
    out.cancel_timer(f"legs.grace:{leg}")
    out.fact(LegLeft(at=out.now, leg=leg, reason=reason))
    if held:
        out.ungate(gates.HOLD)
    if not state.legs:
        out.signal(PartyGone("participant_disconnected"))


def on_timer(state: LegsState, timer: Timer, view: KernelState, out: Out) -> None:
    _leave(state, timer.key, "grace over", "lost", out)


def on_dtmf(state: LegsState, event: Dtmf, view: KernelState, out: Out) -> None:
    out.notify("dtmf", leg=event.leg, digit=event.digit)


def on_dtmf_asked(state: LegsState, event: DtmfAsked, view: KernelState, out: Out) -> None:
    if not state.legs:
        state.digits = (state.digits + event.digits)[:MOST_DIGITS]
    for name, leg in state.legs.items():
        if leg.medium == "audio":
            out.effect(SendDtmf(leg=name, digits=event.digits))


def on_air(state: LegsState, signal: OnAir, view: KernelState, out: Out) -> None:
    warmup = view.policy.barge_in.echo_warmup
    if warmup > 0 and not state.warmed:
        out.gate(gates.ECHO, "legs", out.now + warmup)
    state.warmed = True


HANDLERS: dict[type, Any] = {
    Start: on_start,
    LegUp: on_up,
    LegDown: on_down,
    LegHeld: on_held,
    MediaConfirmed: on_confirmed,
    Dtmf: on_dtmf,
    DtmfAsked: on_dtmf_asked,
    Timer: on_timer,
    OnAir: on_air,
    Resumed: on_resumed,
}
