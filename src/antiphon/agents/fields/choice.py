"""A choice from a list: which option the caller's words name, by its words, its place in the list, or nearly its words.

Never the one that is not meant: what denies or takes back something is settled only where it is sure which.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher

from antiphon.agents.fields.answer import UNREAD, Answer, Found, Reader, Refused, Unclear
from antiphon.turns.languages import language
from antiphon.turns.words import words_of

ORDINALS = {
    "en": ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth"),
    "de": ("erste", "zweite", "dritte", "vierte", "fünfte", "sechste", "siebte", "achte", "neunte", "zehnte"),
    "es": ("primer", "segund", "tercer", "cuart", "quint", "sext", "séptim", "octav", "noven", "décim"),
    "fr": ("premi", "deuxième", "troisième", "quatrième", "cinquième", "sixième", "septième", "huitième", "neuvième", "dixième"),
}  # fmt: skip
LAST = {"en": "last", "de": "letzte", "es": "últim", "fr": "derni"}
NUMBER = {
    "en": ("number", "option"),
    "de": ("nummer", "option"),
    "es": ("número", "opción"),
    "fr": ("numéro", "option"),
}
DENIES = frozenset(words_of("not without nicht kein keine keinen ohne pas sans sin"))
"""What denies the option behind it: "not the tea"."""
AT_ODDS = DENIES | frozenset(
    words_of(
        "no nope non nein don't dont doesn't didn't can't won't wouldn't isn't never neither nor none nothing but except besides hate"
        " nie weder außer tampoco nunca menos excepto salvo jamais sauf ni"
    )
)
"""Words with which the option that is named may be the one that is not meant: "anything but tea", "tea, no, coffee"."""
BUTS = frozenset(words_of("but sondern mais sino"))
"""What may follow a denied option: "not the tea but the coffee"."""
NEAR = 2
"""Words from a denial to the option that it denies: "not the tea"."""
ALIKE = 0.84
"""How much alike (0 to 1) words have to be to be taken for an option's."""


class ChoiceReader(Reader[str]):
    """``options``: the value of each option, and the words that name it."""

    def __init__(self, options: Mapping[str, Sequence[str]]) -> None:
        self.names = {key: [words_of(name) for name in names] for key, names in options.items()}

    def read(self, text: str, tag: str, among: Sequence[str] = ()) -> Answer[str]:
        words = words_of(text)
        keys = list(among) or list(self.names)
        found, at_odds = self._named(words, keys)
        if not found and not at_odds:
            found = self._placed(words, keys, tag) or self._alike(words, keys)
        if len(found) == 1:
            return Found(found[0])
        return Unclear(tuple(found)) if found else UNREAD

    def accept(self, text: str) -> Answer[str]:
        if text in self.names:
            return Found(text)
        named, _ = self._named(words_of(text), list(self.names))
        return Found(named[0]) if len(named) == 1 else Refused("no_such_option", tuple(self.names))

    def _named(self, words: list[str], keys: list[str]) -> tuple[list[str], bool]:
        """Options whose words are said and meant, and whether the words deny anything. A longer name counts before the
        shorter one inside it. Where it cannot be told what is denied, one option alone is not taken for the one meant."""
        places = [(at, at + len(name), key) for key in keys for name in self.names[key] for at in _find(words, name)]
        kept = sorted(
            (start, stop, key)
            for start, stop, key in places
            if not any(a <= start and stop <= b and (b - a) > (stop - start) for a, b, _ in places)
        )
        inside = {n for start, stop, _ in kept for n in range(start, stop)}
        odd = [n for n, word in enumerate(words) if word in AT_ODDS and n not in inside]
        denied: dict[int, int] = {}  # where an option is that a word denies, by where the word is
        for n in odd:
            behind = next((start for start, _, _ in kept if start > n), -1)
            if words[n] in DENIES and 0 < behind - n <= NEAR:
                denied[n] = behind
        unexplained = [n for n in odd if n not in denied and not (denied and words[n] in BUTS)]
        left = list(dict.fromkeys(key for start, _, key in kept if start not in denied.values()))
        return ([] if unexplained and len(left) == 1 else left), bool(odd)

    def _placed(self, words: list[str], keys: list[str], tag: str) -> list[str]:
        """ "the second one", "number two", "the last"."""
        head, numbers = tag.replace("_", "-").split("-")[0].lower(), language(tag).numbers
        ordinals = ORDINALS.get(head, ORDINALS["en"])
        places = [n for word in words for n, ordinal in enumerate(ordinals) if word.startswith(ordinal)]
        if any(word.startswith(LAST.get(head, "last")) for word in words):
            places.append(len(keys) - 1)
        for n, word in enumerate(words[:-1]):
            if word in NUMBER.get(head, ()):
                number = numbers.get(words[n + 1], words[n + 1])
                places += [int(number) - 1] if number.isdecimal() else []
        if len(words) == 1:
            number = numbers.get(words[0], words[0])
            places += [int(number) - 1] if number.isdecimal() else []
        return list(dict.fromkeys(keys[n] for n in places if 0 <= n < len(keys)))

    def _alike(self, words: list[str], keys: list[str]) -> list[str]:
        """The options that the words come nearest to, where they come near enough: recognisers mishear names."""
        near: dict[str, float] = {}
        for key in keys:
            for name in self.names[key]:
                spoken = "".join(name)
                for size in {len(name), len(name) + 1}:
                    for n in range(max(1, len(words) - size + 1)):
                        ratio = SequenceMatcher(None, "".join(words[n : n + size]), spoken).ratio()
                        if ratio >= ALIKE and len(spoken) > 3:
                            near[key] = max(near.get(key, 0.0), ratio)
        best = max(near.values(), default=0.0)
        return [key for key, ratio in near.items() if ratio > best - 0.05]


def _find(words: list[str], name: list[str]) -> Iterator[int]:
    for at in range(len(words) - len(name) + 1):
        if name and words[at : at + len(name)] == name:
            yield at
