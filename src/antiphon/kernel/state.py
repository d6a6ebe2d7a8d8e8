"""KernelState: everything a session is, as plain data. It can be written out and read back between any two events."""

from __future__ import annotations

import msgspec

from antiphon.kernel.agents import AgentsState
from antiphon.kernel.conversation import Conversation
from antiphon.kernel.gates import Gate
from antiphon.kernel.legs import LegsState
from antiphon.kernel.lifecycle import LifecycleState
from antiphon.kernel.liveness import LivenessState
from antiphon.kernel.policy import SessionPolicy
from antiphon.kernel.reply import ReplyState
from antiphon.kernel.speech import SpeechState
from antiphon.kernel.tools import ToolsState
from antiphon.kernel.turn import TurnState

DEFAULT = SessionPolicy()


class KernelState(msgspec.Struct):
    """The router's own fields, the conversation, and one part per machine, written by that machine alone.

    ``ops``: open ops by number, with the kind of effect that each is. ``timers``: due times by name. ``stale``: answers
    to closed ops, dropped. ``position``: of the last fact. ``wake``: the time that the shell was last asked for."""

    epoch: int = 1
    seq: int = 0
    now: float = 0.0
    position: int = 0
    next_op: int = 0
    stale: int = 0
    refused: int = 0
    wake: float = -1.0
    ops: dict[int, str] = {}
    timers: dict[str, float] = {}
    gates: dict[str, Gate] = {}
    conversation: Conversation = msgspec.field(default_factory=Conversation)
    legs: LegsState = msgspec.field(default_factory=LegsState)
    turn: TurnState = msgspec.field(default_factory=TurnState)
    agents: AgentsState = msgspec.field(default_factory=AgentsState)
    reply: ReplyState = msgspec.field(default_factory=ReplyState)
    speech: SpeechState = msgspec.field(default_factory=SpeechState)
    tools: ToolsState = msgspec.field(default_factory=ToolsState)
    lifecycle: LifecycleState = msgspec.field(default_factory=LifecycleState)
    liveness: LivenessState = msgspec.field(default_factory=LivenessState)

    @property
    def policy(self) -> SessionPolicy:
        """The current agent's, or what the question that it asked last brought along."""
        current, question = self.agents.current, self.turn.question
        if current is None:
            return DEFAULT
        return question.policy if question is not None and question.agent == current.key else current.policy
