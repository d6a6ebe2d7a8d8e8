"""What a model says it can do. Each capability a provider claims has a conformance test."""

from __future__ import annotations

import msgspec


class STTCapabilities(msgspec.Struct, frozen=True):
    """``partials``: text while the caller speaks. ``flush``: a flush mark brings the final early.
    ``end_of_turn``: the service says when a turn ended. ``keyterms``: words can be boosted. ``diarization``: finals name the
    speaker."""

    partials: bool = True
    flush: bool = False
    word_times: bool = False
    end_of_turn: bool = False
    keyterms: bool = False
    diarization: bool = False


class LLMCapabilities(msgspec.Struct, frozen=True):
    """``prefill``: a growing prompt can be read ahead while the caller still speaks. ``images``, ``audio``: it takes them in
    the user's messages. ``usage``: it tells what a request used."""

    tools: bool = True
    parallel_tools: bool = True
    prefill: bool = False
    images: bool = False
    audio: bool = False
    usage: bool = True


class TTSCapabilities(msgspec.Struct, frozen=True):
    """``streaming``: text may be pushed while audio is already coming. ``word_times``: timed words."""

    streaming: bool = True
    word_times: bool = False
