"""What telemetry knows of a session: plain records, times in seconds of session time.

Owns: their fields. Never: how they are found out (``collector``) or shown (``report``, ``otel``).
"""

from __future__ import annotations

from typing import Literal

import msgspec

ModelKind = Literal["stt", "llm", "tts", "turn_detector", "vad"]


class ModelName(msgspec.Struct, frozen=True):
    """A model that was really used."""

    kind: ModelKind
    provider: str = ""
    model: str = ""


class Waterfall(msgspec.Struct, frozen=True):
    """Where the time went from the caller's last sound to the reply's first. The parts, in this order, add up to
    ``total``; work that was done ahead (speculation) costs nothing here.

    ``endpointing``: waiting to be sure that the caller had finished. ``stt``: the part of it spent on nothing but
    the final transcript. ``hook``: ``on_user_turn_completed``. ``steps``: earlier model steps of the turn, their tools,
    failed attempts. ``llm_first_token``, ``llm_first_segment``: until the first token, and from there until the first
    speakable text. ``tts_first_audio``: until its first audio. ``playout``: until it sounded.
    """

    endpointing: float = 0.0
    stt: float = 0.0
    hook: float = 0.0
    steps: float = 0.0
    llm_first_token: float = 0.0
    llm_first_segment: float = 0.0
    tts_first_audio: float = 0.0
    playout: float = 0.0

    @property
    def total(self) -> float:
        return sum(self.stages().values())

    def stages(self) -> dict[str, float]:
        """The parts by name, in order."""
        return {name: getattr(self, name) for name in self.__struct_fields__}


class RunRecord(msgspec.Struct):
    """One run of the reply pipe: a model's answer and its voice, or the voice of a ``say``.

    Times are -1 until they come. ``outcome``: ``""`` (running or adopted), ``discarded`` (a speculation that came to
    nothing), ``failed``, ``cancelled``. ``written``: characters that the model gave; ``characters``: those that a voice has
    begun to speak.
    """

    op: tuple[int, int]
    speech: str
    source: Literal["reply", "say"]
    llm: ModelName
    tts: ModelName
    attempt: int = 0
    speculative: bool = False
    started: float = 0.0
    first_token: float = -1.0
    first_segment: float = -1.0
    first_audio: float = -1.0
    generated: float = -1.0
    audio_done: float = -1.0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    written: int = 0
    characters: int = 0
    audio_seconds: float = 0.0
    tool_calls: int = 0
    outcome: str = ""
    error: str = ""


class SpeechRecord(msgspec.Struct):
    """One utterance of the agent. ``sounded``: when the far end first heard it (-1: never). ``text``: what was
    heard. ``turn``: the turn it answers (-1: none)."""

    speech: str
    source: str = ""
    turn: int = -1
    item: str = ""
    text: str = ""
    allowed: float = -1.0
    sounded: float = -1.0
    done: float = -1.0
    interrupted: bool = False
    estimated: bool = False
    outcome: str = ""


class TurnRecord(msgspec.Struct):
    """One turn of the caller and what came of it. ``ended``: the caller's last sound; ``decided``: endpointing was
    sure; ``committed``: the hook had returned. ``first_sound``: seconds from ``ended`` until anything sounded, a
    filler included (-1: nothing did). ``outcome``: ``replied``, ``silent``, ``dropped``, ``unanswered``."""

    turn: int
    item: str = ""
    text: str = ""
    modality: str = "audio"
    language: str = ""
    started: float = 0.0
    ended: float = 0.0
    decided: float = 0.0
    committed: float = 0.0
    evidence: float = 0.0
    final: float = -1.0
    probability: float | None = None
    reply: SpeechRecord | None = None
    runs: list[RunRecord] = msgspec.field(default_factory=list)
    waterfall: Waterfall | None = None
    first_sound: float = -1.0
    outcome: str = "unanswered"
    reason: str = ""


class ToolRecord(msgspec.Struct):
    """One tool call. ``duration`` is -1 while it runs. ``error``: its failed result."""

    call_id: str
    name: str
    effect: str = ""
    started: float = 0.0
    duration: float = -1.0
    error: str = ""
    detached: bool = False
    in_doubt: bool = False


class Interruption(msgspec.Struct, frozen=True):
    """``real``: the speech ended there; otherwise it went on from where it had paused."""

    speech: str
    at: float
    real: bool


class Rung(msgspec.Struct, frozen=True):
    """A step of the liveness ladder."""

    n: int
    action: str
    waiting_for: str
    at: float


class Stall(msgspec.Struct, frozen=True):
    """An event loop did not run for ``seconds``. ``running``: the tool or hook that ran; ``where``: ``file:line`` of
    the innermost line of user code seen meanwhile, ``function`` its name (empty: none was seen)."""

    loop: str
    running: str
    where: str
    function: str
    seconds: float
    at: float = 0.0


class Failure(msgspec.Struct, frozen=True):
    """An error of the session. ``source``: llm, tts, stt, hook, tool, plane, log, ..."""

    source: str
    error: str
    at: float


class Drops(msgspec.Struct, frozen=True):
    """What the media plane lost, by name."""

    counts: dict[str, int]


class ModelUsage(msgspec.Struct):
    """What one model was asked for. ``estimated_requests``: those whose service did not tell (they were stopped, or run
    still); their tokens are reckoned. ``wasted``: the part that no caller needed: discarded speculations, failed and cancelled
    runs, models that lost a race. ``cost``: US dollars by the price table (``None``: the price is not known); ``price``: what
    it was reckoned by, or why it is not known."""

    kind: ModelKind
    provider: str = ""
    model: str = ""
    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    audio_seconds: float = 0.0
    characters: int = 0
    estimated_requests: int = 0
    wasted: ModelUsage | None = None
    cost: float | None = None
    price: str = ""


AnyRecord = RunRecord | TurnRecord | ToolRecord | Interruption | Rung | Stall | Failure | Drops
