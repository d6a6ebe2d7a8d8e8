"""The shape of a language's data."""

from __future__ import annotations

import msgspec


class Language(msgspec.Struct, frozen=True):
    """All words are in the form that ``words_of`` gives.

    ``backchannels``: utterances with which a listener shows that they listen; they do not take the floor.
    ``commands``: utterances that take the floor however short they are, and however they go on.
    ``unfinished``: last words after which a speaker is surely not finished: conjunctions, articles, fillers; a word
    that also ends sentences (a German verb's prefix) is none.
    """

    backchannels: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    unfinished: tuple[str, ...] = ()
