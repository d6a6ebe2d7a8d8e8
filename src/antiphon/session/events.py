"""The session's public events. Handlers may be plain functions or coroutines; they run on the user's loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from antiphon.chat.items import ChatItem, FunctionCall
from antiphon.tools.policy import Verdict


class SessionEvent(msgspec.Struct, frozen=True, kw_only=True):
    """``at``: session time in seconds."""

    at: float = 0.0


class UserStateChangedEvent(SessionEvent, frozen=True, kw_only=True):
    """``speaking``, ``listening`` or ``away``."""

    old_state: str
    new_state: str


class AgentStateChangedEvent(SessionEvent, frozen=True, kw_only=True):
    """``initializing``, ``idle``, ``listening``, ``thinking`` or ``speaking``."""

    old_state: str
    new_state: str


class UserInputTranscribedEvent(SessionEvent, frozen=True, kw_only=True):
    """``speaker_id``: who says it, where that is known: a participant's identity, or the recogniser's label."""

    transcript: str
    is_final: bool
    language: str = ""
    speaker_id: str = ""


class AgentTranscriptEvent(SessionEvent, frozen=True, kw_only=True):
    """Captions: what the caller has heard so far, as the ledger acknowledges it, word by word. ``step_id``: the step of
    ``speech_id`` that this is the text of (a reply that calls tools has several); ``is_final`` when it is settled,
    ``interrupted`` when the caller has not heard all of it."""

    speech_id: str
    step_id: str
    heard: str
    is_final: bool
    interrupted: bool = False


class UserTranscriptionTimeoutEvent(SessionEvent, frozen=True, kw_only=True):
    """Speech was heard and no final transcript came."""


class ConversationItemAddedEvent(SessionEvent, frozen=True, kw_only=True):
    item: ChatItem


class SpeechCreatedEvent(SessionEvent, frozen=True, kw_only=True):
    """``source``: ``say``, ``generate_reply``, ``reply`` (to a turn or a tool's result) or ``ladder``."""

    speech_handle: Any
    source: str


class ToolExecutionUpdatedEvent(SessionEvent, frozen=True, kw_only=True):
    """``status``: started, updated, done, error, cancelled."""

    call_id: str
    name: str
    status: str
    message: str = ""


class FunctionToolsExecutedEvent(SessionEvent, frozen=True, kw_only=True):
    """All calls of one model answer have their results."""

    call_ids: tuple[str, ...]


class ToolApprovalEvent(SessionEvent, frozen=True, kw_only=True):
    """A tool policy asks for a person. Call ``decide(allow("..."))`` or ``decide(deny("..."))`` on the session's loop, now
    or later; the first answer counts, and the tool's time limit holds."""

    call: FunctionCall
    reason: str
    decide: Callable[[Verdict], None]


class OverlappingSpeechEvent(SessionEvent, frozen=True, kw_only=True):
    """The caller spoke over the agent. ``verdict``: interruption or backchannel."""

    verdict: str
    text: str = ""
    duration: float = 0.0


class AgentFalseInterruptionEvent(SessionEvent, frozen=True, kw_only=True):
    """The agent had paused for nothing and goes on from the same word."""


class ModelAvailabilityChangedEvent(SessionEvent, frozen=True, kw_only=True):
    """A model of a ``FallbackAdapter`` or ``Hedged`` is passed over (``error`` says why), or has its place again. ``kind``:
    stt, llm or tts; ``model``: its name."""

    kind: str
    model: str
    available: bool
    error: str = ""


class BudgetExceededEvent(SessionEvent, frozen=True, kw_only=True):
    """The call has cost more than its ``Budget``; comes once. US dollars."""

    cost: float
    limit: float


class UsageUpdatedEvent(SessionEvent, frozen=True, kw_only=True):
    """Usage so far, one entry a model, as in the session report. Comes when a speech is done."""

    usage: list[Any]


class ErrorEvent(SessionEvent, frozen=True, kw_only=True):
    """``source``: stt, llm, tts, tool, hook, callback, transport, store. The call goes on if ``recoverable``."""

    source: str
    error: str
    recoverable: bool = True


class CloseEvent(SessionEvent, frozen=True, kw_only=True):
    """``reason``: user_initiated, participant_disconnected, job_shutdown, task_completed, drain, error, fenced,
    budget_exceeded."""

    reason: str


EVENT_NAMES = (
    "user_state_changed",
    "agent_state_changed",
    "user_input_transcribed",
    "agent_transcript",
    "user_transcription_timeout",
    "conversation_item_added",
    "speech_created",
    "tool_execution_updated",
    "function_tools_executed",
    "tool_approval",
    "overlapping_speech",
    "agent_false_interruption",
    "model_availability_changed",
    "budget_exceeded",
    "usage_updated",
    "error",
    "close",
)
