"""Spelling: letters, digits and signs as people read them out, into characters.

Owns the tables (letter names, the spelling alphabets, signs of each language) and how runs of spoken tokens are joined.
What a recogniser writes for a letter's name ("see", "why", "are") is a letter only beside other letters.
"""

from __future__ import annotations

import re

import msgspec

from antiphon.turns.languages import language
from antiphon.turns.languages.language import LONGEST
from antiphon.turns.words import words_of

LETTER_NAMES = {
    "ay": "a", "bee": "b", "be": "b", "cee": "c", "see": "c", "sea": "c", "dee": "d", "ee": "e", "eff": "f", "ef": "f", "gee": "g",
    "aitch": "h", "haitch": "h", "eye": "i", "jay": "j", "kay": "k", "el": "l", "ell": "l", "em": "m", "en": "n", "oh": "o",
    "pee": "p", "pea": "p", "cue": "q", "queue": "q", "are": "r", "ar": "r", "ess": "s", "tee": "t", "tea": "t", "you": "u", "vee": "v",
    "ex": "x", "why": "y", "wye": "y", "zee": "z", "zed": "z",
}  # fmt: skip

ALPHABETS: dict[str, str] = {
    word: word[0]
    for word in words_of(
        "alpha alfa bravo charlie delta echo foxtrot golf hotel india juliet juliett kilo lima mike november oscar papa quebec"
        " romeo sierra tango uniform victor whiskey whisky yankee zulu"
    )
} | {"xray": "x", "x-ray": "x"}

GERMAN_ALPHABET: dict[str, str] = {
    word: word[0]
    for word in words_of(
        "anton berta cäsar dora emil friedrich gustav heinrich ida julius kaufmann konrad ludwig martha nordpol otto paula quelle"
        " richard samuel siegfried theodor ulrich viktor wilhelm xanthippe ypsilon zacharias zeppelin"
    )
}

SIGNS: dict[str, dict[str, str]] = {
    "en": {
        "dot": ".", "point": ".", "period": ".", "full stop": ".", "underscore": "_", "under score": "_", "dash": "-", "hyphen": "-",
        "minus": "-", "plus": "+", "at": "@", "at sign": "@", "apostrophe": "'",
    },
    "de": {
        "punkt": ".", "dot": ".", "unterstrich": "_", "bindestrich": "-", "minus": "-", "strich": "-", "plus": "+", "at": "@", "ät": "@",
        "klammeraffe": "@",
    },
    "es": {"punto": ".", "guion bajo": "_", "guión bajo": "_", "guion": "-", "guión": "-", "menos": "-", "más": "+", "arroba": "@"},
    "fr": {
        "point": ".", "tiret bas": "_", "souligné": "_", "underscore": "_", "tiret": "-", "trait d'union": "-", "moins": "-", "plus": "+",
        "arobase": "@", "at": "@",
    },
}  # fmt: skip

LIKE = {
    "en": ("as in", "for", "like", "is for"),
    "de": ("wie",),
    "es": ("de", "como"),
    "fr": ("comme",),
}
"""Between a letter and a word that begins with it: "b as in boy"."""

LOOKALIKES = ("ck", "cs", "iy", "sz", "fv", "mn", "bp", "dt", "gj", "ae", "bd", "uv")
"""Letters that are taken for each other, in pairs; how "with a k" is understood."""

TOKEN = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*|\d+|[@._+\-']")


class Piece(msgspec.Struct, frozen=True):
    """One read token. ``kind``: ``word``, ``letter``, ``digit`` or ``sign``; ``text``: its characters; ``said``: the word
    that it was read from."""

    kind: str
    text: str
    said: str = ""


def tokens(text: str) -> list[str]:
    """Lower-case words, numbers and the signs that stand inside or between them without a sentence's pause."""
    text = re.sub(r"\bx-ray\b", "xray", text.casefold().replace("’", "'"))
    text = re.sub(r"\b(?:[^\W\d_]-)+[^\W\d_]\b", lambda spelt: spelt[0].replace("-", " "), text)
    text = re.sub(r"(?<=\b[^\W\d_])\.(?=[\s,]|$|[^\W\d_]\.)", " ", text)  # "J. O. H. N."
    text = re.sub(r"[.]+(?=[\s,]|$)|[,;:!?\"()]|(?<=\s)[.'\-](?=\s|$)|^[.'\-]", " ", text)
    return TOKEN.findall(text)


def pieces(said: list[str], tag: str) -> list[Piece]:
    """What each token stands for, in order."""
    head = tag.replace("_", "-").split("-")[0].lower()
    read = _Reading(said, head, tag)
    found: list[Piece] = []
    while read.at < len(said):
        found += read.next()
    return _settled(found)


class _Reading:
    def __init__(self, said: list[str], head: str, tag: str) -> None:
        self.said, self.at = said, 0
        self.signs = SIGNS.get(head, SIGNS["en"])
        self.like = LIKE.get(head, ())
        self.alphabet = GERMAN_ALPHABET if head == "de" else ALPHABETS
        self.data = language(tag)
        self.english = head == "en"

    def phrase(self, length: int) -> str:
        return " ".join(self.said[self.at : self.at + length])

    def next(self) -> list[Piece]:
        said, at = self.said, self.at
        word = said[at]
        times = self.data.repeats.get(word, 0)
        if times and at + 1 < len(said):
            if word == "double" and said[at + 1] in ("u", "you"):
                self.at += 2
                return [Piece("letter", "w", "double u")]
            self.at += 1
            first, *rest = self.next()
            if first.kind in ("letter", "digit") and len(first.text) == 1:
                return [Piece(first.kind, first.text * times, first.said), *rest]
            return [Piece("word", word, word), first, *rest]
        if word in ("capital", "uppercase", "lowercase") and at + 1 < len(said):
            self.at += 1
            return self.next()
        for length in (2, 1):
            if self.phrase(length) in self.signs and at + length <= len(said):
                self.at += length
                return [Piece("sign", self.signs[" ".join(said[at : at + length])], " ".join(said[at : at + length]))]
        if not word[0].isalnum():
            self.at += 1
            return [Piece("sign", word, word)]
        if self.letter_of(word) and (taken := self.spelt_like(self.letter_of(word))):
            self.at += taken
            return [Piece("letter", self.letter_of(word), "as in")]
        for length in range(min(LONGEST, len(said) - at), 0, -1):
            number = self.data.numbers.get(self.phrase(length))
            if number is not None:
                self.at += length
                return [Piece("digit", number, " ".join(said[at : at + length]))]
        self.at += 1
        if word.isdecimal():
            return [Piece("digit", word, word)]
        return [Piece("letter" if len(word) == 1 else "word", word, word)]

    def letter_of(self, word: str) -> str:
        return word if len(word) == 1 and word.isalpha() else LETTER_NAMES.get(word, "") if self.english else ""

    def spelt_like(self, letter: str) -> int:
        """Tokens of "b as in boy", 0 where it is none: the word has to begin with the letter."""
        for phrase in self.like:
            length = len(phrase.split())
            here = self.said[self.at + 1 : self.at + 2 + length]
            if len(here) == length + 1 and " ".join(here[:length]) == phrase and here[length][0] == letter:
                return length + 2
        return 0


def _settled(found: list[Piece]) -> list[Piece]:
    """Letter names and alphabet words beside letters are letters; an "o" between digits is a zero."""
    spelling = [_may_be(piece) for piece in found]
    settled = list(found)
    for n, piece in enumerate(found):
        beside = [found[m] for m in (n - 1, n + 1) if 0 <= m < len(found)]
        if piece.kind == "word" and spelling[n]:
            sure = any(other.kind == "letter" for other in beside)
            alphabet = piece.text in ALPHABETS or piece.text in GERMAN_ALPHABET
            run = sum(1 for m in _run_around(found, n) if spelling[m])
            if sure or (alphabet and run >= 2) or run >= 4:
                settled[n] = Piece("letter", spelling[n], piece.said)
        elif piece.text in ("o", "oh") and len(beside) == 2 and all(other.kind == "digit" for other in beside):
            settled[n] = Piece("digit", "0", piece.said)
    return settled


def _may_be(piece: Piece) -> str:
    """The letter that a word may stand for."""
    if piece.kind != "word":
        return ""
    return LETTER_NAMES.get(piece.text) or ALPHABETS.get(piece.text) or GERMAN_ALPHABET.get(piece.text, "")


def _run_around(found: list[Piece], n: int) -> range:
    """The stretch of pieces around ``n`` that all are, or may be, letters."""
    start = stop = n
    while start > 0 and (found[start - 1].kind == "letter" or _may_be(found[start - 1])):
        start -= 1
    while stop + 1 < len(found) and (found[stop + 1].kind == "letter" or _may_be(found[stop + 1])):
        stop += 1
    return range(start, stop + 1)


def spelt(text: str, tag: str) -> str:
    """The letters and digits of a text that does nothing but spell; empty where it says more."""
    read = pieces(tokens(text), tag)
    return "".join(p.text for p in read) if read and all(p.kind in ("letter", "digit") for p in read) else ""
