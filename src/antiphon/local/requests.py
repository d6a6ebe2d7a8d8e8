"""What can be asked of the local models, and what they answer: plain messages, the same in this process and over W."""

from __future__ import annotations

import msgspec

from antiphon.local.moonshine import Transcript
from antiphon.local.piper import Speech


class Request(msgspec.Struct, frozen=True, kw_only=True, tag_field="ask"):
    """``model``: its name in the catalog."""

    model: str


class Load(Request, frozen=True, kw_only=True, tag="load"):
    """Answer: ``Done`` when the model is in memory."""


class Score(Request, frozen=True, kw_only=True, tag="score"):
    """Has the caller's turn ended? ``pcm``: int16 mono at 16 kHz that ends with ``silence`` seconds of it; ``head``: which
    of the model's heads decides. Answer: ``Scored``, ``Done``."""

    pcm: bytes
    head: str = "general"
    silence: float = 0.2


class Transcribe(Request, frozen=True, kw_only=True, tag="transcribe"):
    """``pcm``: int16 mono at 16 kHz. ``final``: before partial transcripts of others. Answer: ``Transcribed``, ``Done``."""

    pcm: bytes
    final: bool = True


class Speak(Request, frozen=True, kw_only=True, tag="speak"):
    """``voice``: one of the model's voices, empty for its own. Answer: any number of ``Sound``, ``Done``."""

    text: str
    voice: str = ""


class Complete(Request, frozen=True, kw_only=True, tag="complete"):
    """Continue ``prompt`` (0 ``max_tokens``: only read it ahead). ``grammar``: GBNF, may be empty. ``owner``: who asks;
    what was read for one owner is not taken over by another. Answer: any number of ``Piece``, ``Counted``, ``Done``."""

    prompt: str
    owner: str = ""
    grammar: str = ""
    max_tokens: int = 0


class Reply(msgspec.Struct, frozen=True, kw_only=True, tag_field="reply"):
    """An answer, or a part of one."""


class Done(Reply, frozen=True, kw_only=True, tag="done"):
    """The request is finished."""


class Failed(Reply, frozen=True, kw_only=True, tag="failed"):
    """The request is finished, without success."""

    error: str
    hint: str = ""
    retryable: bool = True
    missing: bool = False
    """The model is not installed."""


class Scored(Reply, frozen=True, kw_only=True, tag="scored"):
    probability: float


class Transcribed(Reply, frozen=True, kw_only=True, tag="transcribed"):
    transcript: Transcript


class Sound(Reply, frozen=True, kw_only=True, tag="sound"):
    """A stretch of int16 mono sound at ``rate`` Hz."""

    speech: Speech
    rate: int


class Piece(Reply, frozen=True, kw_only=True, tag="piece"):
    text: str


class Counted(Reply, frozen=True, kw_only=True, tag="counted"):
    """Tokens of a completion."""

    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int


AnyRequest = Load | Score | Transcribe | Speak | Complete
AnyReply = Done | Failed | Scored | Transcribed | Sound | Piece | Counted
