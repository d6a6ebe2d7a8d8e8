"""What turn-taking knows of each language, as data: one file a language. Owns the look-up, decides nothing."""

from __future__ import annotations

from antiphon.turns.languages.de import GERMAN
from antiphon.turns.languages.en import ENGLISH
from antiphon.turns.languages.es import SPANISH
from antiphon.turns.languages.fr import FRENCH
from antiphon.turns.languages.language import Language

LANGUAGES: dict[str, Language] = {"de": GERMAN, "en": ENGLISH, "es": SPANISH, "fr": FRENCH}

ANY = Language(
    backchannels=("ah", "aha", "hm", "hmm", "mhm", "mm", "mm hm", "mmm", "oh", "ok", "okay", "uh huh"),
    commands=("hello", "no", "stop"),
)
"""For a language that has no file: what is understood nearly everywhere."""


def language(tag: str) -> Language:
    """The language of a BCP 47 tag (``de``, ``de-AT``); ``ANY`` where it is not known."""
    return LANGUAGES.get(tag.replace("_", "-").split("-")[0].lower(), ANY)


def region(tag: str) -> str:
    """The country of a BCP 47 tag, in lower case (``at`` of ``de-AT``); empty where none is named."""
    return next((part.lower() for part in tag.replace("_", "-").split("-")[1:] if len(part) == 2), "")
