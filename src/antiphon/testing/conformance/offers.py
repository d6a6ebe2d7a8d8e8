"""What each vendor offers, by its own documents: what a codec of it does not declare is printed as missing.

Owns the table. ``least``: what a codec must declare to count as one. ``more``: what the vendor has beyond that.
"""

from __future__ import annotations

import msgspec


class Offer(msgspec.Struct, frozen=True):
    """Names of capability flags."""

    least: tuple[str, ...] = ()
    more: tuple[str, ...] = ()


OFFERS: dict[tuple[str, str], Offer] = {
    ("stt", "deepgram"): Offer(
        least=("partials", "flush", "keyterms"), more=("word_times", "end_of_turn", "diarization")
    ),
    ("stt", "assemblyai"): Offer(
        least=("partials", "end_of_turn", "flush"), more=("word_times", "keyterms", "diarization")
    ),
    ("stt", "cartesia"): Offer(least=("partials",), more=("flush", "end_of_turn", "keyterms", "word_times")),
    ("stt", "elevenlabs"): Offer(least=("partials", "flush"), more=("word_times", "keyterms")),
    ("stt", "openai"): Offer(more=("partials", "flush")),
    ("stt", "soniox"): Offer(least=("partials", "flush"), more=("word_times", "end_of_turn", "diarization")),
    ("stt", "speechmatics"): Offer(least=("partials", "word_times"), more=("flush", "end_of_turn", "diarization")),
    ("tts", "cartesia"): Offer(least=("streaming", "word_times")),
    ("tts", "elevenlabs"): Offer(least=("streaming", "word_times")),
    ("tts", "deepgram"): Offer(least=("streaming",)),
    ("tts", "openai"): Offer(),
    ("tts", "rime"): Offer(least=("streaming", "word_times")),
    ("llm", "openai"): Offer(least=("tools", "parallel_tools", "usage"), more=("images", "audio")),
    ("llm", "anthropic"): Offer(least=("tools", "parallel_tools", "usage"), more=("images",)),
    ("llm", "gemini"): Offer(least=("tools", "parallel_tools", "usage"), more=("images", "audio")),
    ("llm", "google"): Offer(least=("tools", "parallel_tools", "usage"), more=("images", "audio")),
}
"""By kind and provider."""


def offer_of(kind: str, provider: str) -> Offer:
    return OFFERS.get((kind, provider), Offer())
