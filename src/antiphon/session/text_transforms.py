"""What is taken out of a model's text before it is spoken: markdown and emoji, and what the user adds."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from antiphon.errors import ConfigurationError

Transform = Callable[[str], str]

_LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
_MARKS = re.compile(r"(\*{1,3}|_{2,3}|~~|`{1,3})(?=\S)(.*?)(?<=\S)\1")
_HEADING = re.compile(r"^\s{0,3}(?:#{1,6}\s+|[-*+]\s+|>\s?)", re.MULTILINE)
_RULE = re.compile(r"^\s*(?:[-*_]\s*){3,}$", re.MULTILINE)
_EMOJI = re.compile("[\U0001f000-\U0001faff\U00002600-\U000027bf\U0001f1e6-\U0001f1ff\u2b00-\u2bff\ufe0f\u200d\u20e3]+")


def filter_markdown(text: str) -> str:
    """Emphasis, headings, bullets, rules, links and code marks become the words they decorate."""
    text = _RULE.sub("", text)
    text = _HEADING.sub("", text)
    text = _LINK.sub(r"\1", text)
    previous = None
    while previous != text:
        previous, text = text, _MARKS.sub(r"\2", text)
    return text


def filter_emoji(text: str) -> str:
    """Emoji are not spoken."""
    return re.sub(r" {2,}", " ", _EMOJI.sub("", text))


def replace(words: dict[str, str]) -> Transform:
    """A transform that says other words: ``replace({"SQL": "sequel"})``. Whole words, case kept as given."""
    if not words:
        return lambda text: text
    pattern = re.compile(
        r"(?<!\w)(" + "|".join(re.escape(w) for w in sorted(words, key=len, reverse=True)) + r")(?!\w)"
    )
    return lambda text: pattern.sub(lambda found: words[found[1]], text)


NAMED: dict[str, Transform] = {"filter_markdown": filter_markdown, "filter_emoji": filter_emoji}


def compile_transforms(given: Sequence[str | Transform] | None) -> Transform:
    """One function of all. Raises ``ConfigurationError`` for a name that is not known."""
    chain: list[Transform] = []
    for one in given or ():
        if callable(one):
            chain.append(one)
        elif one in NAMED:
            chain.append(NAMED[one])
        else:
            raise ConfigurationError(f"Text transform {one!r} is not known.", hint=f"There are: {', '.join(NAMED)}.")

    def run(text: str) -> str:
        for transform in chain:
            text = transform(text)
        return text

    return run
