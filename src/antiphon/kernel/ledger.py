"""Ledger arithmetic: from samples that were heard to words that were heard. Pure functions over a speech's segments.

A word counts as heard when its middle was. Where the voice gives no word times, the cut is an estimate by characters,
moved back to the end of a word, and marked as one.
"""

from __future__ import annotations

import msgspec

RATE = 24_000
"""Samples a second of every position (the plane's ledger rate)."""
SAMPLES_PER_CHARACTER = 1_700
"""About 14 characters a second: for a segment whose length is not known yet."""


class Segment(msgspec.Struct):
    """A speakable stretch. ``words``: (text, first, last) sample offsets from ``start``."""

    text: str
    start: int = 0
    samples: int = 0
    done: bool = False
    words: tuple[tuple[str, int, int], ...] = ()


class Sounded(msgspec.Struct):
    """A speech of which ``position`` was reached at session time ``at``."""

    segments: dict[int, Segment]
    position: int
    at: float


def join(parts: list[str]) -> str:
    """The parts as running text: a space between them where neither side brings one."""
    text = ""
    for part in parts:
        if text and part and not text[-1].isspace() and not part[0].isspace():
            text += " "
        text += part
    return text.strip()


def full_text(segments: dict[int, Segment]) -> str:
    return join([segments[n].text for n in sorted(segments)])


def available(segments: dict[int, Segment]) -> int:
    """Samples that have been made so far."""
    return max((s.start + s.samples for s in segments.values()), default=0)


def heard_text(segments: dict[int, Segment], position: int) -> tuple[str, bool]:
    """The text that ``position`` samples carried, and whether its cut is an estimate."""
    parts: list[str] = []
    for n in sorted(segments):
        segment = segments[n]
        if segment.samples <= 0 or position <= segment.start:
            continue
        offset = position - segment.start
        if segment.done and offset >= segment.samples:
            parts.append(segment.text)
            continue
        if segment.words:
            parts.append(_by_words(segment, offset))
            return join(parts), False
        parts.append(_by_characters(segment, offset))
        return join(parts), True
    return join(parts), False


def text_behind(text: str, segments: dict[int, Segment], position: int) -> str:
    """What of ``text``, which was cut into these segments, comes behind sample ``position``; by the number of words where the
    segments have words of their own."""
    words, heard = text.split(), heard_text(segments, position)[0].split()
    return " ".join(words[len(heard) :])


def _by_words(segment: Segment, offset: int) -> str:
    end, text = 0, segment.text
    for word, first, last in segment.words:
        if (first + last) / 2 > offset:
            break
        found = text.find(word.strip(), end)
        if found >= 0:
            end = found + len(word.strip())
    while end < len(text) and end > 0 and not text[end].isalnum() and not text[end].isspace():
        end += 1  # the punctuation that belongs to the last word
    return text[:end]


def _by_characters(segment: Segment, offset: int) -> str:
    length = segment.samples if segment.done else max(segment.samples, len(segment.text) * SAMPLES_PER_CHARACTER)
    count = len(segment.text) * offset // length
    if count >= len(segment.text):
        return segment.text
    return segment.text[:count].rpartition(" ")[0]


def word_start(segments: dict[int, Segment], position: int) -> int:
    """First sample of the word that sounds at ``position``; ``position`` itself where no word is known there."""
    for segment in segments.values():
        offset = position - segment.start
        for _, first, last in segment.words:
            if first <= offset < last:
                return segment.start + first
    return position


def words_between(segments: dict[int, Segment], first: int, last: int, *, begun: bool = False) -> str:
    """The text that sounds from sample ``first`` to sample ``last``; by characters where no word times are known.
    ``begun``: without the word that is under way at ``first``."""
    parts: list[str] = []
    for n in sorted(segments):
        segment = segments[n]
        begin, end = first - segment.start, last - segment.start
        if segment.words:
            parts += [w for w, start, stop in segment.words if start < end and (start if begun else stop - 1) >= begin]
        elif end > 0 and segment.samples > 0 and begin < (segment.samples if segment.done else end):
            before = _by_characters(segment, max(0, begin)) if begin > 0 else ""
            text = segment.text[len(before) : max(len(before), len(_by_characters(segment, end)))]
            parts.append(text.strip().partition(" ")[2] if begun and begin > 0 else text)
    return join(parts)
