"""Words as turn-taking sees them: lower case, no punctuation.

Owns no decision and no list: those of each language are data, in ``languages``.
"""

from __future__ import annotations


def words_of(text: str) -> list[str]:
    """The words of ``text``: lower case, punctuation dropped, apostrophes inside words kept."""
    clean = "".join(c if c.isalnum() or c in "'’" else " " for c in text.casefold())
    return [word for part in clean.replace("’", "'").split() if (word := part.strip("'"))]


def same_words(one: str, other: str) -> bool:
    """Whether two transcripts say the same, but for case and punctuation."""
    return words_of(one) == words_of(other)
