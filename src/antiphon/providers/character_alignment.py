"""Voices that time characters: the words that these make, and where the audio of each pushed text ends.

Owns characters with times -> words, and their comparison with the texts that were sent. Never: frames, sockets.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import msgspec

from antiphon.models.speech_codec import SpokenWord

ALIKE = 8
"""Characters by which it is seen that another text begins."""
PAUSES = frozenset(".,;:!?\u2026\u3001\u3002\uff01\uff0c\uff1f")
"""Marks that sound: as a pause."""


class Character(msgspec.Struct, frozen=True):
    """A character and when it sounds, in seconds from the first sample of its context."""

    text: str
    start: float
    end: float


class CharacterAlignment:
    """One context. Texts are compared by what sounds in them, so that a service may leave out the rest."""

    def __init__(self) -> None:
        self._texts: deque[str] = deque()
        self._word: list[Character] = []

    def push(self, text: str) -> None:
        """A text was sent."""
        self._texts.append(sounding(text))

    @property
    def outstanding(self) -> bool:
        """Whether there is a text whose end has not come."""
        return bool(self._texts)

    def begun(self, characters: Sequence[Character]) -> tuple[tuple[SpokenWord, ...], int]:
        """The last word and the number of the texts that ended before these characters, which begin the next one and do not
        go on with the present one."""
        first = sounding_in(characters)[:ALIKE]
        ended = 0
        while first and len(self._texts) > 1 and not _alike(self._texts[0], first) and _alike(self._texts[1], first):
            self._texts.popleft()
            ended += 1
        return (self._complete() if ended else ()), ended

    def spoken(self, characters: Sequence[Character]) -> tuple[tuple[SpokenWord, ...], int]:
        """The words that these characters complete, and how many texts end with them."""
        words: list[SpokenWord] = []
        for character in characters:
            if character.text.isspace():
                words += self._complete()
            else:
                self._word.append(character)
        ended, rest = 0, sounding_in(characters)
        while self._texts and len(rest) >= len(self._texts[0]):
            rest = rest[len(self._texts.popleft()) :]
            ended += 1
        if self._texts:
            self._texts[0] = self._texts[0][len(rest) :]
        if ended:
            words += self._complete()
        return tuple(words), ended

    def rest(self) -> tuple[tuple[SpokenWord, ...], int]:
        """The context is over: the last word, and how many texts were not seen to end."""
        ended = len(self._texts)
        self._texts.clear()
        return self._complete(), ended

    def _complete(self) -> tuple[SpokenWord, ...]:
        characters, self._word = self._word, []
        text = "".join(character.text for character in characters)
        if not sounding(text):
            return ()
        return (SpokenWord(text, characters[0].start, characters[-1].end),)


def sounding_in(characters: Sequence[Character]) -> str:
    return sounding("".join(character.text for character in characters))


def sounding(text: str) -> str:
    """Letters and digits, in one case, and the marks of pauses."""
    return "".join(character for character in text.casefold() if character.isalnum() or character in PAUSES)


def _alike(text: str, first: str) -> bool:
    return bool(text) and (text.startswith(first) or first.startswith(text))
