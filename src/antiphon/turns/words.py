"""Words as turn-taking sees them: lower case, no punctuation; and the default English lists.

Owns no decision: ``endpointing`` and ``barge_in`` decide with what is written here.
"""

from __future__ import annotations

BACKCHANNELS: tuple[str, ...] = (
    "ah", "aha", "ah okay", "all right", "alright", "cool", "exactly", "good", "great", "hm", "hmm", "huh", "i see",
    "mhm", "mm", "mmhm", "mm hm", "mm hmm", "mmm", "nice", "of course", "oh", "oh okay", "ok", "okay", "okay okay",
    "perfect", "really", "right", "right right", "sure", "uh", "uh huh", "uhhuh", "um", "wow", "ya", "yeah",
    "yeah yeah", "yep", "yes", "yes yes", "yup",
)  # fmt: skip
"""Utterances with which a listener shows that they listen; they do not take the floor."""

COMMANDS: tuple[str, ...] = (
    "cancel", "enough", "excuse me", "hang on", "hello", "hold on", "listen", "no", "no no", "pause", "please stop",
    "quiet", "shut up", "stop", "stop it", "wait", "wait a minute", "wait a second", "wait wait",
)  # fmt: skip
"""Utterances that take the floor however short they are."""

UNFINISHED: frozenset[str] = frozenset(
    (
        "a", "about", "after", "also", "an", "and", "are", "as", "at", "because", "before", "but", "by", "for", "from",
        "her", "his", "i'd", "i'll", "i'm", "if", "in", "into", "is", "its", "like", "my", "of", "on", "or", "our",
        "plus", "so", "than", "that's", "the", "their", "then", "to", "uh", "um", "until", "was", "well", "were",
        "when", "which", "while", "with", "without", "your",
    )
)  # fmt: skip
"""Last words after which an English speaker is surely not finished: conjunctions, prepositions, articles, fillers."""


def words_of(text: str) -> list[str]:
    """The words of ``text``: lower case, punctuation dropped, apostrophes inside words kept."""
    clean = "".join(c if c.isalnum() or c in "'’" else " " for c in text.casefold())
    return [word for part in clean.replace("’", "'").split() if (word := part.strip("'"))]


def same_words(one: str, other: str) -> bool:
    """Whether two transcripts say the same, but for case and punctuation."""
    return words_of(one) == words_of(other)
