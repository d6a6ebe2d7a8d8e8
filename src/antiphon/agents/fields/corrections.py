"""Corrections of what was read back, letter by letter: "with a k", "without the dot", "it's b, not d", "with two n's".

Owns how a changed text comes of the old one and the caller's words. Where more than one place could be meant nothing is
changed: the caller is asked to spell.
"""

from __future__ import annotations

import re

from antiphon.agents.fields.spelling import LOOKALIKES, Piece, pieces, tokens
from antiphon.turns.words import words_of

POLITE = frozenset(words_of("please thanks thank you bitte danke por favor gracias merci"))
NOT = {"en": ("not", "instead of", "rather than"), "de": ("nicht", "statt"), "es": ("no",), "fr": ("pas",)}
WITH = {"en": ("with a", "with an", "with", "it has a"), "de": ("mit",), "es": ("con",), "fr": ("avec un", "avec")}
WITHOUT = {
    "en": ("without a", "without an", "without the", "without", "no", "there is no", "there's no"),
    "de": ("ohne",),
    "es": ("sin",),
    "fr": ("sans",),
}
TWO = {"en": ("two", "double"), "de": ("zwei", "doppel"), "es": ("dos", "doble"), "fr": ("deux", "double")}


def amend(value: str, text: str, tag: str) -> str:
    """The value with the correction made; empty where it is none or its place is not clear."""
    head = tag.replace("_", "-").split("-")[0].lower()
    words = tokens(text.replace("'s", " "))
    while words and words[-1] in POLITE:
        del words[-1]
    said = " ".join(words)
    for try_ in (_swapped, _without, _doubled, _with):
        changed = try_(value, said, head)
        if changed:
            return changed
    return ""


def _swapped(value: str, said: str, head: str) -> str:
    """ "k not c", "yahoo instead of gmail", "not c but k"."""
    for word in NOT.get(head, ()):
        before, found, after = f" {said} ".partition(f" {word} ")
        if not found:
            continue
        wrong, right = _characters(after, head, first=True), _characters(before, head, first=False)
        if not before.strip() or right in ("", "no"):  # "not c, k"
            rest = _characters(after, head, first=False)
            right = rest if rest != wrong else ""
        local = value.partition("@")[0]
        if len(wrong) == 1 and right:  # a letter is one of the name: the domain is read as a word
            return local.replace(wrong, right) + value[len(local) :] if local.count(wrong) == 1 else ""
        if wrong and right and value.count(wrong) == 1:
            return value.replace(wrong, right)
    return ""


def _without(value: str, said: str, head: str) -> str:
    local = value.partition("@")[0]
    for phrase in WITHOUT.get(head, ()):
        match = re.search(rf"\b{phrase} (\S+(?: \S+)?)$", said)
        gone = _one(match[1], head) if match else ""
        if gone and local.count(gone) == 1:
            return local.replace(gone, "") + value[len(local) :]
    return ""


def _doubled(value: str, said: str, head: str) -> str:
    for word in TWO.get(head, ()):
        match = re.search(rf"\b{word} ([^\W\d_])\b", said)
        local = value.partition("@")[0]
        if match and local.count(match[1]) == 1:
            return local.replace(match[1], match[1] * 2) + value[len(local) :]
    return ""


def _with(value: str, said: str, head: str) -> str:
    """ "with a k": the one letter that could have been taken for it."""
    local = value.partition("@")[0]
    for phrase in WITH.get(head, ()):
        match = re.search(rf"\b{phrase} (\S+(?: as in \S+| for \S+)?)(?: at the end)?$", said)
        right = _one(match[1], head) if match else ""
        if not right.isalpha():
            continue
        start, stop = _named(local, said)
        for likely in (next(iter(set(pair) - {right})) for pair in LOOKALIKES if right in pair):
            places = [n for n in range(start, stop) if local[n] == likely]
            if len(places) == 1:
                return local[: places[0]] + right + local[places[0] + 1 :] + value[len(local) :]
            if places:
                return ""
    return ""


def _named(local: str, said: str) -> tuple[int, int]:
    """The stretch of ``local`` that the caller speaks of: the part that they name, else all of it."""
    for part in re.finditer(r"[^\W\d_]{2,}", local):
        if part[0] in said.split():
            return part.span()
    return 0, len(local)


def _one(said: str, head: str) -> str:
    """The one character that these words name."""
    read = pieces(said.split(), head)
    if len(read) == 1 and len(read[0].text) == 1:
        return read[0].text
    return ""


def _characters(said: str, head: str, *, first: bool) -> str:
    """The first or last letter, digits, sign or word in these words."""
    read: list[Piece] = [
        p
        for p in pieces(said.split(), head)
        if p.text not in ("no", "it's", "its", "is", "it", "a", "an", "the", "but")
    ]
    return (read[0] if first else read[-1]).text if read else ""
