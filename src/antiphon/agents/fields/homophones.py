"""Digits that a recogniser wrote as other words: "four too" for "four two", "for one five" for "four one five".

Only where a sentence is plainly digits: each of its words is one, or sounds like one, and some surely are.
"""

from __future__ import annotations

from antiphon.turns.languages import language
from antiphon.turns.structured import digits_of
from antiphon.turns.words import words_of

SOUNDS_LIKE: dict[str, dict[str, str]] = {
    "en": {"for": "four", "fore": "four", "to": "two", "too": "two", "won": "one", "ate": "eight"},
}
LEADS: dict[str, frozenset[str]] = {
    "en": frozenset(words_of("no nope sorry um uh well the my phone number it it's its that's is are was should be")),
}
"""Words that may stand before the digits."""


def digits_heard(text: str, tag: str) -> str:
    """``digits_of`` the text, with the words that sound like digits read as those where it is plainly digits."""
    head = tag.replace("_", "-").split("-")[0].lower()
    alike, leads, words = SOUNDS_LIKE.get(head, {}), LEADS.get(head, frozenset()), words_of(text)
    while words and words[0] in leads:
        del words[0]
    data = language(tag)
    parts = {part for number in data.numbers for part in number.split()} | {*data.weak, *data.repeats}
    others = [word for word in words if word not in parts and not word.isdecimal()]
    if not others or len(others) == len(words) or any(word not in alike for word in others):
        return digits_of(text, tag)
    return digits_of(" ".join(alike.get(word, word) for word in words), tag)
