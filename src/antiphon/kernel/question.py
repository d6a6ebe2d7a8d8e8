"""Question: what the agent asked last, and what holds for the answer. Part of the turn machine.

Theory. What somebody answers to is the newest speech of the agent that has sounded. Its words tell what is expected
(``turns.expectation``); a speech may also bring settings of its own, which hold from its first sound until the agent
says something else, or another agent is in charge.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from antiphon.kernel.conversation import Message
from antiphon.kernel.policy import SessionPolicy
from antiphon.kernel.signals import OnAir
from antiphon.turns.expectation import Expectation, expected

if TYPE_CHECKING:
    from antiphon.kernel.out import Out
    from antiphon.kernel.state import KernelState
    from antiphon.kernel.turn import TurnState

NO_QUESTIONS = ("ladder.", "listening.")
"""How the ids of speeches begin that say nothing of their own: fillers, and a nod while somebody speaks."""


class Question(msgspec.Struct, frozen=True):
    """Settings that came with a speech of ``agent``."""

    agent: str
    policy: SessionPolicy


def on_air(state: TurnState, signal: OnAir, view: KernelState, out: Out) -> None:
    agent = view.agents.current
    if signal.source != "ladder" and agent is not None:
        state.question = None if signal.question is None else Question(agent.key, signal.question)


def expects(view: KernelState) -> Expectation:
    """What the caller who begins to speak now has been asked for."""
    policy = view.policy.turn
    return policy.expect or expected(said_last(view), policy.language)


def said_last(view: KernelState) -> str:
    """What the agent said since the caller's last turn: the sentences that have begun to sound, else the last message."""
    speech = view.speech.speeches.get(view.speech.current)
    if speech is not None and speech.sounding and speech.source != "ladder":
        begun = [s.text for _, s in sorted(speech.segments.items()) if s.samples > 0 and s.start <= speech.position]
        if begun:
            return " ".join(begun)
    for item in reversed(view.conversation.items):
        if isinstance(item, Message) and not item.id.startswith(NO_QUESTIONS):
            return item.text if item.role == "assistant" else ""
    return ""


HANDLERS: dict[type, Any] = {OnAir: on_air}
