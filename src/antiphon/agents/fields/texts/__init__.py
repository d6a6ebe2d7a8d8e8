"""What the ready tasks say and listen for in each language, as data: one file a language. Owns the look-up."""

from __future__ import annotations

from antiphon.agents.fields.texts.de import GERMAN
from antiphon.agents.fields.texts.en import ENGLISH
from antiphon.agents.fields.texts.es import SPANISH
from antiphon.agents.fields.texts.fr import FRENCH
from antiphon.agents.fields.texts.texts import Texts

TEXTS: dict[str, Texts] = {"de": GERMAN, "en": ENGLISH, "es": SPANISH, "fr": FRENCH}


def texts(tag: str) -> Texts | None:
    """The texts of a BCP 47 tag's language; ``None`` where there are none: the model finds the words then."""
    return TEXTS.get(tag.replace("_", "-").split("-")[0].lower())
