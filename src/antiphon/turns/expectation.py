"""Expectation: what kind of answer the caller has been asked for.

Theory. Somebody who reads out a telephone number pauses between its groups as others do between sentences, and an
audio model hears a finished phrase in each. What was asked tells them apart: the agent's last question says it in so
many words, or the application does. Pure look-up over each language's tables; the tables are data.
"""

from __future__ import annotations

import re
from functools import cache
from itertools import pairwise
from typing import Literal

import msgspec

from antiphon.turns.languages import language, region
from antiphon.turns.languages.language import CARD, Language
from antiphon.turns.words import words_of

Kind = Literal["open", "yes_no", "digits", "spelling", "email"]

SENTENCES = 2
"""Sentences at the end of what the agent said in which its question is looked for."""


class Expectation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``kind``: ``open`` (anything), ``yes_no``, ``digits``, ``spelling`` or ``email``. ``length``: digits that the
    answer has, 0 where they vary."""

    kind: Kind = "open"
    length: int = 0


OPEN = Expectation()


def expected(said: str, tag: str) -> Expectation:
    """What answer the agent's words ask for. ``said``: what it said last; ``tag``: BCP 47 tag of the language."""
    data = language(tag)
    for sentence in reversed(re.findall(r"[^.?!…]+[.?!…]*", said)[-SENTENCES:]):
        found = _of_sentence(sentence, data, region(tag))
        if found is not OPEN:
            return found
        if sentence.rstrip().endswith("?"):
            return OPEN  # a question of another kind: what was said before it is not asked any more
    return OPEN


def _of_sentence(sentence: str, data: Language, where: str) -> Expectation:
    words = words_of(sentence)
    while words and words[0] in data.leads:
        del words[0]
    text, asks = " ".join(words), sentence.rstrip().endswith("?")
    if asks and _fits(data.confirms, text):
        return Expectation("yes_no")
    requested = _fits(data.requests, text)
    if asks and _fits(data.polar, text) and not requested:
        return Expectation("yes_no")
    wants = asks or requested or _fits(data.imperatives, text)
    for pattern, kind, length in data.fields if wants else ():
        if _fits(pattern, text):
            known = length == CARD or not where or where in data.regions
            return Expectation(kind, _told(words, data) or (length if known else 0))  # type: ignore[arg-type]
    return Expectation("yes_no") if asks and requested else OPEN


def _told(words: list[str], data: Language) -> int:
    """The number that stands before a word for digits ("the last four digits"), 0 where none does."""
    for number, noun in pairwise(words):
        if noun.startswith(("digit", "ziffer", "dígito", "chiffre")):
            value = data.numbers.get(number, number)
            return int(value) if value.isdigit() else 0
    return 0


def _fits(pattern: str, text: str) -> bool:
    return bool(pattern) and _compiled(pattern).search(text) is not None


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)
