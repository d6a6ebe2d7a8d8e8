"""What both agents say and do: the scripted models' words, delays and sounds, in plain Python.

No numpy here: these modules are part of the processes that are measured. Rates in Hz, sound is mono int16.
"""

from __future__ import annotations

import math
import os
from array import array
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

INSTRUCTIONS = "You are a helpful voice assistant."
GREETING = "Hello, how may I help?"
REPLY = "Of course, that is ready for you to collect at the counter."
COUNT = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen twenty twenty-one twenty-two twenty-three twenty-four twenty-five twenty-six twenty-seven "
    "twenty-eight twenty-nine thirty thirty-one thirty-two thirty-three thirty-four thirty-five thirty-six thirty-seven "
    "thirty-eight thirty-nine"
)
NUMBERS = COUNT.split()
"""Each has a pitch of its own: a caller hears which word is being said."""

LONG = os.environ.get("BENCH_REPLY") == "long"
"""Replies count to thirty-nine, and come little faster than they are spoken, in place of ``REPLY`` at once."""

MODEL_DELAY = 0.2
"""Seconds until the language model's first word."""
VOICE_DELAY = 0.1
"""Seconds until a reply's first sound is made."""
WORD_EVERY, SENTENCE = 0.15, 5
"""Seconds between two words of a long reply, and words in its sentences."""

VOICE_RATE = 24_000
WORD = 0.25
"""Seconds that a word lasts."""
REPLY_SECONDS = len(REPLY.split()) * WORD
PLAIN_PITCH, FIRST_PITCH, PITCH_STEP = 300, 400, 48
LOUDNESS = 8_000

TRANSCRIPTS = ("a large iced mocha", "a latte with almond milk", "a small cappuccino", "a twelve ounce americano")
LOUD = 350
"""Peak of a frame that counts as speech for the scripted recogniser."""
SOUND_AT_LEAST, QUIET_AFTER = 0.3, 0.2


def reply(chat_items: Sequence[Any], *, long: bool = LONG) -> list[str]:
    """What the language model streams. Where the last thing said is its own, it goes on with the count after that."""
    if long:
        begin = _counted(chat_items[-1]) if chat_items else 0
        return [
            f"{word}{'.' if number % SENTENCE == SENTENCE - 1 else ''} "
            for number, word in enumerate(NUMBERS)
            if number >= begin
        ]
    words = REPLY.split()
    return [" ".join(words[at : at + 3]) + " " for at in range(0, len(words), 3)]


def _counted(item: Any) -> int:
    """The number that comes after those in an agent's message; 0: it is another item, or has none."""
    if getattr(item, "role", "") != "assistant":
        return 0
    words = " ".join(str(part) for part in item.content).split()
    return max((NUMBERS.index(word.strip(".")) + 1 for word in words if word.strip(".") in NUMBERS), default=0)


def pitch(word: str) -> int:
    """Of a word, in Hz."""
    plain = word.strip(",.?").lower()
    return FIRST_PITCH + PITCH_STEP * NUMBERS.index(plain) if plain in NUMBERS else PLAIN_PITCH


@lru_cache(maxsize=64)
def _tone(hertz: int) -> bytes:
    step = 2 * math.pi * hertz / VOICE_RATE
    return array("h", (round(LOUDNESS * math.sin(step * at)) for at in range(round(WORD * VOICE_RATE)))).tobytes()


def voice(text: str) -> list[bytes]:
    """The sound of each word, at ``VOICE_RATE``."""
    return [_tone(pitch(word)) for word in text.split()]


class Recogniser:
    """Gives a final transcript once ``QUIET_AFTER`` s of quiet follow ``SOUND_AT_LEAST`` s of sound."""

    def __init__(self) -> None:
        self._sound = self._quiet = 0.0
        self._turns = 0

    def push(self, pcm: bytes, rate: int) -> str | None:
        samples = array("h", pcm)
        if not samples:
            return None
        seconds = len(samples) / rate
        if max(max(samples), -min(samples)) > LOUD:
            self._sound += seconds
            self._quiet = 0.0
            return None
        self._quiet += seconds
        if self._quiet < QUIET_AFTER:
            return None
        heard, self._sound = self._sound >= SOUND_AT_LEAST, 0.0
        if not heard:
            return None
        self._turns += 1
        return TRANSCRIPTS[self._turns % len(TRANSCRIPTS)]
