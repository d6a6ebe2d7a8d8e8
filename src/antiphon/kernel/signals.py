"""What machines tell each other inside one step: plain frozen data, delivered in order, never stored."""

from __future__ import annotations

from typing import Literal

import msgspec

from antiphon.kernel.events import Op, Priority
from antiphon.kernel.gates import FREE
from antiphon.kernel.policy import AgentRef, SessionPolicy, Terms


class Signal(msgspec.Struct, frozen=True):
    pass


# --- the router's own --------------------------------------------------------------------------------------------


class Timer(Signal, frozen=True):
    """The timer ``name`` (with ``key``, where it is one of several) is due."""

    name: str
    key: str = ""


class GateChanged(Signal, frozen=True):
    """A gate closed, opened or expired."""

    name: str


class Review(Signal, frozen=True):
    """The cause has been dealt with: look at what became of it."""


# --- legs and the end --------------------------------------------------------------------------------------------


class PartyGone(Signal, frozen=True):
    reason: str


class EndAsked(Signal, frozen=True):
    """End the session when what is queued has been said."""

    reason: str


class Closing(Signal, frozen=True):
    """The session ends: nothing new begins."""

    reason: str
    deadline: float


class ExitDone(Signal, frozen=True):
    """The agent has left."""


class Ending(Signal, frozen=True):
    """Last words: settle what is open, now."""

    deadline: float


# --- the caller's turn -------------------------------------------------------------------------------------------


class TurnContinued(Signal, frozen=True):
    """The caller went on after a pause, or new words came: a speculation on what was said before is wrong."""

    turn: int


class TurnExceeded(Signal, frozen=True):
    turn: int
    text: str


class Speculable(Signal, frozen=True):
    """The turn may well end with these words: a reply may be prepared."""

    turn: int
    text: str


class TurnEnded(Signal, frozen=True):
    """The caller's turn is over; the agent's hook may look at it before it counts. ``asks``: who waits for it."""

    turn: int
    item: str
    text: str
    modality: Literal["audio", "text"] = "audio"
    started: float = 0.0
    ended: float = 0.0
    confidence: float = 1.0
    language: str = ""
    probability: float | None = None
    reply: bool = True
    speech: str = ""
    asks: tuple[str, ...] = ()
    media: tuple[str, ...] = ()
    speaker: str = ""


class TurnReady(Signal, frozen=True):
    """The hook has returned, or there was none. ``media``: what it added."""

    ended: TurnEnded
    text: str
    stop: bool = False
    context_changed: bool = False
    media: tuple[str, ...] = ()


class TurnCommitted(Signal, frozen=True):
    """``version``: of the conversation before the turn joined it. ``position``: of the fact."""

    turn: int
    text: str
    said: str
    position: int
    version: int
    reply: bool
    speech: str = ""
    context_changed: bool = False
    priority: Priority = "reply"
    interruptible: bool = True
    floor: str = FREE
    behind: tuple[str, ...] = ()


class TurnDropped(Signal, frozen=True):
    turn: int
    reason: str


class Unheard(Signal, frozen=True):
    """Somebody spoke, and nobody knows what: they have to be asked."""


class Overlap(Signal, frozen=True):
    """The ruling on the caller's voice over the agent's: ``hold, backchannel, interruption, false``."""

    verdict: str
    text: str
    duration: float


class TakeFloor(Signal, frozen=True):
    """The caller wrote something: what is interruptible stops."""


# --- replies and speech ------------------------------------------------------------------------------------------


class ReplyQueued(Signal, frozen=True):
    """A speech is being made. ``authorised``: False while it is a speculation. ``question``: settings for its answer.
    ``behind``: the steps whose words come before it."""

    speech: str
    base: str
    source: Literal["say", "reply", "ladder"]
    op: Op | None
    priority: Priority = "reply"
    interruptible: bool = True
    in_history: bool = True
    authorised: bool = True
    after: int = 0
    clip: str = ""
    floor: str = ""
    question: SessionPolicy | None = None
    behind: tuple[str, ...] = ()
    text: str = ""


class ReplyAuthorised(Signal, frozen=True):
    speech: str
    after: int


class ReplyDropped(Signal, frozen=True):
    """Nothing of it shall sound (any more)."""

    speech: str
    outcome: str


class ReplyCut(Signal, frozen=True):
    """No more audio will come for it: what is there is all of it."""

    speech: str


class SoundLost(Signal, frozen=True):
    """The plane is gone with words of ``speech`` that the caller has not heard."""

    speech: str
    base: str


class ReplyLost(Signal, frozen=True):
    """Every attempt failed: somebody must say so."""

    base: str
    stage: Literal["llm", "tts", "node"]
    error: str


class OnAir(Signal, frozen=True):
    """``question``: settings that hold for the answer."""

    speech: str
    source: str
    question: SessionPolicy | None = None


class SpeechSettled(Signal, frozen=True):
    """``position``: samples of it that sounded."""

    speech: str
    base: str
    outcome: str
    source: str
    position: int = 0


class Interrupted(Signal, frozen=True):
    speech: str
    base: str


# --- tools and agents --------------------------------------------------------------------------------------------


class Adopted(Signal, frozen=True):
    """What the speculation ``speech`` asked for may act now."""

    speech: str


class Discarded(Signal, frozen=True):
    """What ``speech`` asked for and what has not begun shall not happen; a speculation's reads stop."""

    speech: str


class BatchClosed(Signal, frozen=True):
    """``speech`` asks for no further tools."""

    speech: str


class ToolBatchSettled(Signal, frozen=True):
    """Every call of ``speech`` has its result."""

    speech: str
    base: str
    reply: bool
    handoff: bool


class HandoffAsked(Signal, frozen=True):
    """``base``: the reply whose tool asked for it, empty where the application did."""

    agent: AgentRef
    base: str = ""
    terms: Terms = Terms()


class HandoffDone(Signal, frozen=True):
    """The new agent is in. ``spoke``: its ``on_enter`` said or asked something."""

    base: str
    spoke: bool


class Switched(Signal, frozen=True):
    """Another agent speaks, with settings of its own: all look what that makes of their part."""

    agent: str


class TaskBegan(Signal, frozen=True):
    """A sub-dialogue is to come or under way: its own words count for whoever awaits it, the tool or hook ``op``."""

    op: Op


class TaskOver(Signal, frozen=True):
    """The sub-dialogue of ``agent`` is over: the agent below goes on. ``op``: of the tool or hook that awaits it, if any."""

    agent: str
    op: Op | None


class OpeningAsked(Signal, frozen=True):
    """The agent that entered has said nothing, and shall: make a reply. ``open_turn``: only where the caller waits for one."""

    open_turn: bool = False


class Rung(Signal, frozen=True):
    """The ladder acts: ``failover`` or ``give_up`` on the model that everybody waits for."""

    action: Literal["failover", "give_up"]
    waiting_for: str
