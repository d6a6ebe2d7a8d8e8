"""Structured answers: is a number, an address or a spelling all there, or surely not?

Theory. Where it is known what was asked for, the words themselves tell: seven digits of ten go on, an address without
a domain goes on, a "yes" to a yes/no question is whole. Counting is on spoken words ("double five", "twenty three") as
well as on figures. What cannot be known (the length of an order number) is not guessed.
"""

from __future__ import annotations

from typing import Literal

from antiphon.turns.expectation import Expectation
from antiphon.turns.languages import language
from antiphon.turns.languages.language import LONGEST, Language
from antiphon.turns.words import words_of

Form = Literal["open", "complete", "read out", ""]
"""``open``: surely not finished. ``complete``: nothing is missing. ``read out``: digits or letters of which it cannot
be known how many will come. Empty: nothing of the kind."""

FEW_WORDS = 4
"""Words before the "at" of an address; more are a sentence about something else."""
FEW_LETTERS = 3
"""A spelling with fewer letters has only begun."""
COUNTRY = {10: "1"}
"""What stands before a number of this length where the country is said as well."""


def form(expects: Expectation, text: str, tag: str) -> Form:
    """What ``text`` is as an answer to what was asked."""
    words, data = words_of(text), language(tag)
    if not words or expects.kind == "open":
        return ""
    if expects.kind == "yes_no":
        said = " ".join(words)
        return "complete" if said in data.yes or said in data.no else ""
    if expects.kind == "email":
        return _address(words, text, data)
    digits, letters = digits_of(text, tag), sum(len(word) == 1 and word.isalpha() for word in words)
    if expects.kind == "digits":
        wanted = expects.length + (bool(digits) and digits[0] == COUNTRY.get(expects.length))
        if digits and wanted:
            return "open" if len(digits) < wanted else "complete"
        return "read out" if digits or letters > 1 else _only_begun(words, data)
    if letters or digits:
        return "open" if letters + len(digits) < FEW_LETTERS else "read out"
    return _only_begun(words, data)


def _only_begun(words: list[str], data: Language) -> Form:
    """Whether it is a "yes, sure" before the answer itself."""
    return "open" if " ".join(words) in data.yes else ""


def _address(words: list[str], text: str, data: Language) -> Form:
    sign = max((n for n, word in enumerate(words) if word in data.at), default=-1)
    if "@" in text or sign >= 0:
        domain = text.rpartition("@")[2].lower() if "@" in text else " ".join(words[sign + 1 :])
        for dot in data.dot:
            domain = f" {domain} ".replace(f" {dot} ", ".").strip()
        name, _, top = domain.strip(" .").rpartition(".")
        return "complete" if name and len(top) > 1 and top.isalpha() and not text.rstrip().endswith("-") else "open"
    said = " ".join(words)
    if said in data.no or len(words) > FEW_WORDS:
        return ""
    return "open"


def digits_of(text: str, tag: str) -> str:
    """The digits in ``text``, spoken or written: "five five five, double 2" is ``55522``."""
    words, data = words_of(text), language(tag)
    found: list[tuple[str, bool]] = []
    at = times = 0
    while at < len(words):
        for length in range(min(LONGEST, len(words) - at), 0, -1):
            spoken = data.numbers.get(" ".join(words[at : at + length]))
            if spoken is not None:
                break
        else:
            length, spoken = 1, "".join(c for c in words[at] if c.isdecimal())
        weak = words[at] in data.weak and length == 1
        if weak or spoken:
            found.append(("0" if weak else spoken * max(1, times), weak))
        times = data.repeats.get(words[at], 0)
        if not weak and not spoken and not times:
            found.append(("", False))
        at += length
    return "".join(
        digits
        for n, (digits, weak) in enumerate(found)
        if not weak or any(other and not soft for other, soft in found[max(0, n - 1) : n + 2])
    )
