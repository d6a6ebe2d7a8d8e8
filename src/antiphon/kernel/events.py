"""What happens to a session, as the kernel is told: plain frozen data.

``seq`` and ``now`` are stamped at ingress: ``seq`` counts without gaps, ``now`` is session time in seconds and
never runs backwards. ``at`` is the sample time of evidence, on the same axis, and may lie before ``now``. ``op``
names the effect that an answer belongs to; an answer to a closed op changes nothing.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from antiphon.kernel.policy import AgentRef, ReplyOptions, SessionPolicy, Terms

Op = tuple[int, int]
"""(epoch, n): the owner's fencing token and a counter."""
Priority = Literal["ladder", "app", "reply", "background"]
Effectfulness = Literal["read", "write", "terminal"]
Retry = Literal["never", "key", "verify", "replay"]
OnDuplicate = Literal["allow", "reject", "join"]
AckQuality = Literal["peer", "device", "paced", "estimated"]


class Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind"):
    seq: int = 0
    now: float = 0.0


# --- lifecycle ---------------------------------------------------------------------------------------------------


class Start(Event, frozen=True, kw_only=True, tag="start"):
    """The session begins with this agent."""

    agent: AgentRef


class Resumed(Event, frozen=True, kw_only=True, tag="resumed"):
    """A new owner with this epoch took the state over: shell and tasks of the old one are gone, the plane may live. ``lost``: the
    plane is gone too, with all sound that it had. ``agent``: only the conversation is known, and this agent goes on with it."""

    epoch: int
    lost: bool = False
    agent: AgentRef | None = None


class Fenced(Event, frozen=True, kw_only=True, tag="fenced"):
    """Another owner holds the lease: fall silent and end without touching the conversation."""


class Drain(Event, frozen=True, kw_only=True, tag="drain"):
    """Take no new turns; close when what is queued has been said."""

    reason: str = "drain"


class CloseAsked(Event, frozen=True, kw_only=True, tag="close"):
    """Close now, within ``deadline`` seconds (the policy's where 0)."""

    reason: str = "user_initiated"
    deadline: float = 0.0


class Closed(Event, frozen=True, kw_only=True, tag="closed"):
    """Answer to ``CloseAll``: nothing of the session is left."""

    op: Op
    abandoned: tuple[str, ...] = ()


class Tick(Event, frozen=True, kw_only=True, tag="tick"):
    """The time asked for by ``WakeAt`` has come. Any event lets due timers fire first; this one does only that."""


# --- legs --------------------------------------------------------------------------------------------------------


class LegUp(Event, frozen=True, kw_only=True, tag="leg.up"):
    leg: str
    medium: Literal["audio", "text"] = "audio"
    quality: AckQuality = "paced"


class LegDown(Event, frozen=True, kw_only=True, tag="leg.down"):
    """``certain``: the far end hung up (no grace); otherwise it vanished and may return."""

    leg: str
    reason: str = "hangup"
    certain: bool = True


class LegHeld(Event, frozen=True, kw_only=True, tag="leg.held"):
    leg: str
    held: bool


class MediaConfirmed(Event, frozen=True, kw_only=True, tag="leg.media"):
    """Sound is known to flow both ways: speech may start."""

    leg: str


class Dtmf(Event, frozen=True, kw_only=True, tag="dtmf"):
    leg: str
    digit: str


class DtmfAsked(Event, frozen=True, kw_only=True, tag="dtmf.asked"):
    """``session.send_dtmf``: key tones to every leg with sound."""

    digits: str


# --- the caller's turn -------------------------------------------------------------------------------------------


class Vad(Event, frozen=True, kw_only=True, tag="vad"):
    """The plane's voice activity: speech began or ended at ``at``."""

    edge: Literal["start", "end"]
    at: float


class Partial(Event, frozen=True, kw_only=True, tag="stt.partial"):
    segment: str
    revision: int
    text: str
    speaker: str = ""


class Final(Event, frozen=True, kw_only=True, tag="stt.final"):
    """``at``: when the segment's speech ended. ``speaker``: identity or label of who says it, where known."""

    segment: str
    revision: int
    text: str
    at: float
    language: str = ""
    confidence: float = 1.0
    speaker: str = ""


class SttLost(Event, frozen=True, kw_only=True, tag="stt.lost"):
    """Recognition failed or fell deaf. ``recovering``: the shell is making a new stream."""

    error: str
    recovering: bool


class EndScore(Event, frozen=True, kw_only=True, tag="turn.score"):
    """Answer to ``ScoreTurn``. ``None``: no score (late, failed): decide without."""

    op: Op
    probability: float | None


class ProviderTurn(Event, frozen=True, kw_only=True, tag="turn.provider"):
    """A service's own turn events (mode ``provider``). ``likely``: it may be over, a reply may be prepared."""

    edge: Literal["start", "likely", "end"]


class Typed(Event, frozen=True, kw_only=True, tag="turn.typed"):
    """The caller wrote a message: a whole turn. Interrupts what is interruptible. ``speech``: id of the reply's handle."""

    text: str
    speech: str = ""
    reply: bool = True
    media: tuple[str, ...] = ()
    """Names of the pictures and sounds that come with the text; the shell has them."""
    speaker: str = ""


class CommitTurn(Event, frozen=True, kw_only=True, tag="turn.commit"):
    """Push-to-talk released: the turn ends now, waiting at most ``timeout`` s for a final transcript.
    ``reply``: make one. ``ask``: id that the ``turn_committed`` notice repeats."""

    ask: str
    timeout: float = 2.0
    reply: bool = True


class ClearTurn(Event, frozen=True, kw_only=True, tag="turn.clear"):
    """Forget what was heard of the current turn."""


# --- speech and replies ------------------------------------------------------------------------------------------


class SayAsked(Event, frozen=True, kw_only=True, tag="say"):
    """``session.say``: ``text``, or a stream or ready audio, which the shell holds under ``speech``. ``hook``, ``tool``, ``floor``: inside
    which it was called, if any; ``question``: what holds for the answer, where the call brought settings of its own."""

    speech: str
    text: str = ""
    interruptible: bool = True
    in_history: bool = True
    priority: Priority = "app"
    hook: Op | None = None
    tool: Op | None = None
    floor: str = ""
    question: SessionPolicy | None = None


class ReplyAsked(Event, frozen=True, kw_only=True, tag="reply"):
    """``session.generate_reply``: the shell holds a context of its own under ``speech``. ``user_text``: goes to history as a
    user message first. The rest as in ``SayAsked``."""

    speech: str
    options: ReplyOptions | None = None
    user_text: str = ""
    media: tuple[str, ...] = ()
    interruptible: bool = True
    priority: Priority = "app"
    hook: Op | None = None
    tool: Op | None = None
    floor: str = ""
    question: SessionPolicy | None = None


class InterruptAsked(Event, frozen=True, kw_only=True, tag="interrupt"):
    """``session.interrupt`` (``speech`` empty: all) or a handle's. ``force``: also what is not interruptible."""

    speech: str = ""
    force: bool = False


class DisallowInterruptions(Event, frozen=True, kw_only=True, tag="protect"):
    """``speech`` may no longer be interrupted."""

    speech: str


class Segment(Event, frozen=True, kw_only=True, tag="reply.segment"):
    """A speakable stretch of text left the transcription node for synthesis."""

    op: Op
    index: int
    text: str


class Synthesised(Event, frozen=True, kw_only=True, tag="reply.audio"):
    """Audio of segment ``index`` was handed to the plane: it begins at sample ``start`` of the speech and is
    ``samples`` long so far (cumulative; ``done`` when the segment is whole). ``words``: (text, first, last) sample
    offsets from the segment's start, all known so far; empty where the voice gives none."""

    op: Op
    index: int
    start: int
    samples: int
    done: bool
    words: tuple[tuple[str, int, int], ...] = ()


class AudioDone(Event, frozen=True, kw_only=True, tag="reply.audio_done"):
    """All audio of the op is in the plane: ``samples`` in all (0: nothing to play). ``text_only``: the session has
    no audio leg: segments count as heard when they are delivered."""

    op: Op
    samples: int
    text_only: bool = False


class ToolCall(Event, frozen=True, kw_only=True, tag="reply.tool"):
    """The model asked for a tool; ``known`` is False for a name that no tool has, ``problem`` says why the arguments
    are no good (both become a failed result at once). ``timeout``: seconds it may take (0: the policy's).
    ``on_duplicate``: what becomes of it while the same call, with the same arguments, runs. ``extra``: JSON that the
    model's service wants back with it; it is kept and never read."""

    op: Op
    call_id: str
    name: str
    arguments: str
    extra: str = ""
    effect: Effectfulness = "write"
    retry: Retry = "never"
    cancellable: bool = False
    problem: str = ""
    timeout: float = 0.0
    on_duplicate: OnDuplicate = "allow"


class Generated(Event, frozen=True, kw_only=True, tag="reply.generated"):
    """The model has finished: no further segments or tool calls from this op. Audio may still come."""

    op: Op
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    ttft: float = 0.0


class Metered(Event, frozen=True, kw_only=True, tag="usage.metered"):
    """What one model was used for, told by a model that stands for several, or of caller audio. The kernel only passes it to
    the log: usage can be counted again from it. ``op``: the reply it was for. ``wasted``: for nothing."""

    stage: Literal["stt", "llm", "tts"]
    provider: str = ""
    model: str = ""
    op: Op | None = None
    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    characters: int = 0
    audio_seconds: float = 0.0
    wasted: bool = False
    estimated: bool = False


class ReplyFailed(Event, frozen=True, kw_only=True, tag="reply.failed"):
    """The op ended in an error. ``stage``: llm, tts or node."""

    op: Op
    stage: Literal["llm", "tts", "node"]
    error: str
    retryable: bool


# --- playback (from the plane) -----------------------------------------------------------------------------------


class AutoPaused(Event, frozen=True, kw_only=True, tag="play.auto_paused"):
    """The reflex paused ``speech`` with ``position`` samples out."""

    speech: str
    position: int
    at: float


class AutoResumed(Event, frozen=True, kw_only=True, tag="play.auto_resumed"):
    """Nobody decided within ``hold_max``: the plane went on by itself."""

    speech: str
    position: int


class Acked(Event, frozen=True, kw_only=True, tag="play.acked"):
    """The far end has heard ``position`` samples of ``speech`` (about every 200 ms while it plays)."""

    speech: str
    position: int
    quality: AckQuality


class PlaySettled(Event, frozen=True, kw_only=True, tag="play.settled"):
    """Playback of ``speech`` is over, and this is what was heard. ``reason``: ``end`` (all of it), ``stopped``,
    ``lost`` (the leg is gone), ``refused`` (the plane does not know it)."""

    speech: str
    position: int
    quality: AckQuality
    reason: Literal["end", "stopped", "lost", "refused"]


# --- tools -------------------------------------------------------------------------------------------------------


class ToolReturned(Event, frozen=True, kw_only=True, tag="tool.returned"):
    """``agent``: the tool handed over to it, on these ``terms``. ``reply``: the model should go on with the result.
    ``cancelled``: it ended because it was cancelled, without an effect. ``media``: names of its pictures and sounds."""

    op: Op
    output: str
    media: tuple[str, ...] = ()
    is_error: bool = False
    agent: AgentRef | None = None
    terms: Terms = Terms()
    reply: bool = True
    cancelled: bool = False


class ToolProgress(Event, frozen=True, kw_only=True, tag="tool.progress"):
    """``tell``: the model knows it now, as the call's output so far; what the tool returns comes as a further one."""

    op: Op
    message: str
    tell: bool = False


class FloorAsked(Event, frozen=True, kw_only=True, tag="floor.asked"):
    """``ctx.foreground()``: the tool ``op`` wants the floor. ``ask``: id in the ``floor`` notice and its speeches."""

    op: Op
    ask: str


class FloorReleased(Event, frozen=True, kw_only=True, tag="floor.released"):
    op: Op
    ask: str


# --- agents and hooks --------------------------------------------------------------------------------------------


class AgentAsked(Event, frozen=True, kw_only=True, tag="agent.asked"):
    """``session.update_agent``. ``ask``: id that the ``handoff`` notice repeats."""

    agent: AgentRef
    terms: Terms = Terms()
    ask: str = ""


class HookReturned(Event, frozen=True, kw_only=True, tag="hook.returned"):
    """Answer to ``CallHook``. ``text``: the user message as the hook left it (turn hook only); ``stop``: it raised
    ``StopResponse``; ``error``: it raised something else (reported; the call goes on as if it had returned).
    ``context_changed``: a speculative reply made before it is no longer right. ``media``: what it added to the message."""

    op: Op
    text: str = ""
    media: tuple[str, ...] = ()
    stop: bool = False
    error: str = ""
    context_changed: bool = False


class TaskAsked(Event, frozen=True, kw_only=True, tag="task.asked"):
    """A sub-dialogue (``AgentTask``) is awaited: ``agent`` is to speak until it is done. ``op``: of the tool or hook whose
    code awaits it (``None``: the application), its ``number``-th one. ``ask``: id that the ``task`` notices repeat."""

    ask: str
    agent: AgentRef
    op: Op | None = None
    number: int = 1
    terms: Terms = Terms()


class TaskDone(Event, frozen=True, kw_only=True, tag="task.done"):
    """The sub-dialogue completed with this result (JSON text). ``hidden``: the agent below reads ``note`` instead of it."""

    task: str
    result: str
    is_error: bool = False
    hidden: bool = False
    note: str = ""


class TaskCancelled(Event, frozen=True, kw_only=True, tag="task.cancelled"):
    """Whoever awaited the task ``ask`` does so no more."""

    ask: str


class StepDone(Event, frozen=True, kw_only=True, tag="step.done"):
    """``ctx.step(name, fn)`` inside a tool returned (JSON text)."""

    op: Op
    name: str
    result: str


class StateSaved(Event, frozen=True, kw_only=True, tag="state.saved"):
    """``Agent.state`` or ``userdata`` as JSON text, at a turn's end. ``agent`` empty: userdata."""

    agent: str
    state: str


class AgentReconfigured(Event, frozen=True, kw_only=True, tag="agent.reconfigured"):
    """Instructions (``None``: as they were) or tools of an agent changed."""

    agent: str
    instructions: str | None = None
    tools_added: tuple[str, ...] = ()
    tools_removed: tuple[str, ...] = ()


class PolicyChanged(Event, frozen=True, kw_only=True, tag="policy.changed"):
    """``session.update_options`` or ``agent.turn_handling`` changed what holds for ``agent`` (empty: this one)."""

    policy: SessionPolicy
    agent: str = ""


AnyEvent = (
    Start | Resumed | Fenced | Drain | CloseAsked | Closed | Tick
    | LegUp | LegDown | LegHeld | MediaConfirmed | Dtmf | DtmfAsked
    | Vad | Partial | Final | SttLost | EndScore | ProviderTurn | Typed | CommitTurn | ClearTurn
    | SayAsked | ReplyAsked | InterruptAsked | DisallowInterruptions
    | Segment | Synthesised | AudioDone | ToolCall | Generated | Metered | ReplyFailed
    | AutoPaused | AutoResumed | Acked | PlaySettled
    | ToolReturned | ToolProgress | FloorAsked | FloorReleased
    | AgentAsked | HookReturned | TaskAsked | TaskDone | TaskCancelled | StepDone | StateSaved | AgentReconfigured | PolicyChanged
)  # fmt: skip
