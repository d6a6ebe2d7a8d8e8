"""How far a voice has come in a text: what another voice has to go on with.

Owns the account of one segment's audio. Never: the streams.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from antiphon.audio.frames import TimedWord

CHARACTERS_PER_SECOND = 15.0
"""Speaking rate assumed where a voice gives no word times."""
CLEARLY_SHORT = 0.3
"""Part of the time that a text should take, under which it has surely not all been said, however fast the voice is."""
ALIKE_WITHIN = 4
"""Words of the text that a voice may leave out before its next timed word is found again."""
TOUCHES = 0.02
"""Seconds of a word that may be missing, and it counts as whole."""


def plain(word: str) -> str:
    """A word without what is not sounded."""
    return re.sub(r"\W+", "", word).casefold()


class SpokenPlace:
    """``seconds``: audio of ``text`` so far. ``words``: those that the voice has timed and that have begun."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.seconds = 0.0
        self.words: list[TimedWord] = []
        self._ahead: list[TimedWord] = []

    def hear(self, seconds: float, words: Iterable[TimedWord]) -> tuple[TimedWord, ...]:
        """More audio, and more timed words: they may come before their audio or after it. Gives those that have begun now."""
        self.seconds += seconds
        known = [*self._ahead, *words]
        begun = tuple(word for word in known if word.start < self.seconds)
        self._ahead = [word for word in known if word.start >= self.seconds]
        self.words.extend(begun)
        return begun

    @property
    def complete(self) -> bool | None:
        """Whether all of it has been made; ``None`` where nobody can tell."""
        spoken = [word for word in self.text.split() if plain(word)]
        if not spoken:
            return True
        if self.words:
            at = self._position(len(self.words))
            return at >= len(self.text.split()) and self.words[-1].end <= self.seconds + TOUCHES
        enough = self.seconds * CHARACTERS_PER_SECOND / len(self.text)
        return False if enough < CLEARLY_SHORT else None

    def rest(self) -> tuple[str, bool]:
        """What is still to be said, and whether it begins with a word whose beginning has been heard. A word counts as
        said when its middle was; without word times the place is reckoned by the usual speaking rate."""
        parts = re.findall(r"\S+\s*", self.text)
        if not self.words:
            count, characters = 0, self.seconds * CHARACTERS_PER_SECOND
            while count < len(parts) and sum(map(len, parts[: count + 1])) <= characters + len(parts[count]) / 2:
                count += 1
            return "".join(parts[count:]), False
        said = sum((word.start + word.end) / 2 <= self.seconds for word in self.words)
        return "".join(parts[self._position(said) :]), said < len(self.words)

    def _position(self, words: int) -> int:
        """The place in the text, in words, behind the first so many timed ones."""
        texts = [plain(part) for part in self.text.split()]
        place = 0
        for word in self.words[:words]:
            wanted = plain(word.text)
            for ahead in range(place, min(place + ALIKE_WITHIN, len(texts))):
                if wanted and texts[ahead] == wanted:
                    place = ahead + 1
                    break
        while place < len(texts) and not texts[place]:
            place += 1
        return place
