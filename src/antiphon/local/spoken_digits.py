"""Numbers that are said digit by digit, as the figures that they are: "four one seven" is 417.

Small models drop digits of such a row. Only rows of at least three are joined: shorter ones may be separate words ("for two
one large"). English.
"""

from __future__ import annotations

import re

DIGITS = {
    word: str(n)
    for n, word in enumerate(("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"))
}
SCALES = frozenset(("hundred", "thousand", "million", "point", "percent", "half"))
SHORTEST = 3
_WORD = "|".join(DIGITS)
_ROW = re.compile(rf"\b(?:{_WORD})(?:[ -](?:{_WORD}|oh))+\b", re.IGNORECASE)


def joined(text: str) -> str:
    """The text with such rows in figures."""
    return _ROW.sub(lambda found: _figures(found, text), text)


def _figures(found: re.Match[str], text: str) -> str:
    row = re.split(r"[ -]", found.group())
    rest: list[str] = []
    following = re.match(r"[ -](\w+)", text[found.end() :])
    if following is not None and following[1].casefold() in SCALES:
        rest = [row.pop()]
    if len(row) < SHORTEST:
        return found.group()
    return " ".join(["".join(DIGITS.get(word.casefold(), "0") for word in row), *rest])
