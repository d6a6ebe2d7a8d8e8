"""What agents say in the campaign: words that occur once in a call, so that what was lost or heard twice is seen."""

from __future__ import annotations

import re

SENTENCES = ("abcd", "efghi", "jklmz")
"""The words of each sentence of an answer; ``z`` is the last one."""
GREETING = "g0 g1 g2 g3 gz."
TURN = re.compile(r"turn (\d+)(?: (?!turn)(\w+))?")
MARKED = re.compile(r"(g|t\d+)[a-z0-9]")


def answer(turn: int) -> list[str]:
    """The words of the answer to the caller's turn, sentences ended by a full stop."""
    words = [[f"t{turn}{letter}" for letter in sentence] for sentence in SENTENCES]
    return [word + ("." if word is sentence[-1] else "") for sentence in words for word in sentence]


def plain(word: str) -> str:
    return word.strip(".,!?")


def marked(words: list[str]) -> list[str]:
    """Those that occur once; clips and fillers are left out."""
    return [plain(word) for word in words if MARKED.fullmatch(plain(word))]


def order_of(word: str) -> tuple[int, int]:
    """Where in a call it belongs: its turn (0: the greeting), its place there."""
    if word.startswith("g"):
        return 0, [plain(each) for each in GREETING.split()].index(word)
    turn = int(word[1:-1])
    return turn, [plain(each) for each in answer(turn)].index(word)
