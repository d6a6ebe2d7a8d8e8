"""Metering: how a model that stands for others says which of them did what, and what of it was for nothing.

Owns the way from a model to whoever keeps the account of the running call. Never: prices, sums.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Literal, TypeVar

import msgspec

from antiphon.models.llm import LLM
from antiphon.models.stt import STT
from antiphon.models.tts import TTS

CHARACTERS_PER_TOKEN = 4.0
"""Assumed where a request was stopped before its service told how much it was."""


class Metered(msgspec.Struct, frozen=True):
    """What one model has done. ``wasted``: no caller needed it. ``estimated``: the service did not tell, the figures are
    reckoned from text lengths."""

    kind: Literal["stt", "llm", "tts"]
    provider: str
    model: str
    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    characters: int = 0
    audio_seconds: float = 0.0
    wasted: bool = False
    estimated: bool = False


T = TypeVar("T")
Sink = Callable[[Metered], None]
_sink: ContextVar[Sink | None] = ContextVar("antiphon_metering", default=None)


def meter(use: Metered) -> None:
    """Tell the account of the call that this code runs for, if there is one."""
    sink = _sink.get()
    if sink is not None:
        sink(use)


def meter_for(model: STT | LLM | TTS, use: Metered) -> None:
    """The same, for one of several models, unless it meters itself."""
    if not model.meters:
        meter(use)


def metered_alike(make: Callable[[], T]) -> Callable[[], T]:
    """``make`` for a task on another loop: what it uses there goes to the account that holds here."""
    sink = _sink.get()

    def made() -> T:
        _sink.set(sink)
        return make()

    return made


@contextmanager
def metering(sink: Sink) -> Iterator[None]:
    """What models meter in here, and in tasks begun here, goes to ``sink`` (from any thread)."""
    token = _sink.set(sink)
    try:
        yield
    finally:
        _sink.reset(token)
