"""The results that Deepgram's streaming recognition sends many times a second.

Owns: JSON -> results, words -> the wire's words. What is as described is read at once into its types; of anything else the
rest is kept, field by field. Never: signals (the codecs).
Source: Deepgram's AsyncAPI description of ``/v1/listen``.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from antiphon.models.speech_codec import HeardWord
from antiphon.providers.json_fields import number, string


class Word(msgspec.Struct):
    start: float
    end: float
    word: str = ""
    punctuated_word: str = ""
    confidence: float = 1.0
    speaker: int | None = None


class Alternative(msgspec.Struct):
    transcript: str = ""
    confidence: float = 1.0
    words: list[Word] = []
    languages: list[str] = []


class Channel(msgspec.Struct):
    alternatives: Annotated[list[Alternative], msgspec.Meta(min_length=1)]


class Results(msgspec.Struct, tag="Results"):
    """One message of type ``Results``."""

    channel: Channel
    start: float = 0.0
    duration: float = 0.0
    is_final: bool = False
    from_finalize: bool = False


RESULTS = msgspec.json.Decoder(Results)
"""Reads a message that is as described; raises ``msgspec.ValidationError`` for one that is not, or is of another type."""


def results_of(data: dict[str, Any]) -> Results | None:
    """The message with what is wrong in it left out; ``None``: nothing can be said of it."""
    channel = data.get("channel")
    alternatives = channel.get("alternatives") if isinstance(channel, dict) else None
    best = alternatives[0] if isinstance(alternatives, list) and alternatives else None
    if not isinstance(best, dict):
        return None
    languages = best.get("languages")
    alternative = Alternative(
        transcript=string(best.get("transcript")),
        confidence=number(best.get("confidence"), 1.0),
        words=_words(best.get("words")),
        languages=[string(languages[0])] if isinstance(languages, list) and languages else [],
    )
    return Results(
        channel=Channel([alternative]),
        start=number(data.get("start")),
        duration=number(data.get("duration")),
        is_final=data.get("is_final") is True,
        from_finalize=data.get("from_finalize") is True,
    )


def words_of(words: object) -> tuple[HeardWord, ...]:
    """Timed words; those without times are left out."""
    return heard_words(_words(words))


def _words(words: object) -> list[Word]:
    found = []
    for word in words if isinstance(words, list) else ():
        if not isinstance(word, dict) or "start" not in word or "end" not in word:
            continue
        speaker = word.get("speaker")
        found.append(
            Word(
                start=number(word["start"]),
                end=number(word["end"]),
                word=string(word.get("word")),
                punctuated_word=string(word.get("punctuated_word")),
                confidence=number(word.get("confidence"), 1.0),
                speaker=speaker if isinstance(speaker, int) and not isinstance(speaker, bool) else None,
            )
        )
    return found


def heard_words(words: list[Word]) -> tuple[HeardWord, ...]:
    return tuple(
        [
            HeardWord(
                text=word.punctuated_word or word.word,
                start=word.start,
                end=word.end,
                confidence=word.confidence,
                speaker="" if word.speaker is None else str(word.speaker),
            )
            for word in words
        ]
    )
