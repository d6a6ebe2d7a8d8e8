"""The shape of a language's data."""

from __future__ import annotations

import msgspec


class Language(msgspec.Struct, frozen=True):
    """All words are in the form that ``words_of`` gives; patterns are regular expressions over such words, joined by
    spaces.

    ``backchannels``: utterances with which a listener shows that they listen; they do not take the floor.
    ``commands``: utterances that take the floor however short they are, and however they go on.
    ``unfinished``: last words after which a speaker is surely not finished: conjunctions, articles, fillers; a word
    that also ends sentences (a German verb's prefix) is none.

    ``yes``, ``no``: whole answers to a yes/no question. ``fields``: (pattern, kind, length) of what a question may ask
    for, the first that fits counts; ``length``: digits of the answer, 0 where they vary; they hold in ``regions`` (lower case) and where no region
    is named, those of a card everywhere. ``confirms``: how a sentence
    ends that wants a yes or no, whatever it is about. ``polar``: how a question begins that does. ``requests``: how a
    polite one begins that wants its field instead. ``imperatives``: what asks without a question mark. ``leads``: words
    before the beginning.

    ``numbers``: spoken numbers (up to ``LONGEST`` words) and their digits. ``weak``: words that are digits only beside
    other digits. ``repeats``: "double" and the like. ``at``, ``dot``: how an e-mail address is read out.
    """

    backchannels: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    unfinished: tuple[str, ...] = ()
    yes: tuple[str, ...] = ()
    no: tuple[str, ...] = ()
    fields: tuple[tuple[str, str, int], ...] = ()
    regions: tuple[str, ...] = ()
    confirms: str = ""
    polar: str = ""
    requests: str = ""
    imperatives: str = ""
    leads: tuple[str, ...] = ()
    numbers: dict[str, str] = {}
    weak: tuple[str, ...] = ()
    repeats: dict[str, int] = {}
    at: tuple[str, ...] = ()
    dot: tuple[str, ...] = ()


CARD = 16
"""Digits of a payment card."""
LONGEST = 4
"""Words of the longest spoken number below 100: "quatre vingt dix neuf"."""
