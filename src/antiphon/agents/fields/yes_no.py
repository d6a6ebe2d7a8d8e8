"""Yes or no: whether words agree, disagree, or do neither.

The whole answers are those of turn-taking's tables; here are the longer ones that people give. What begins with "yes"
and goes on with a "but" is neither.
"""

from __future__ import annotations

from collections.abc import Sequence

from antiphon.agents.fields.answer import UNREAD, Answer, Found, Reader
from antiphon.turns.languages import language
from antiphon.turns.words import words_of

YES = {
    "en": ("affirmative", "alright", "all good", "all right", "go ahead", "go for it", "good", "i do", "it is", "i would", "i would like that", "i would love to", "i'd like that", "i'd love to", "i think so", "let's do it", "looks good", "no problem", "perfect", "please go ahead", "sounds good", "sounds great", "sounds right", "that is it", "that is right", "that is fine", "that works", "that's perfect", "works for me", "you got it", "great", "fine", "true", "indeed", "very good", "certainly", "definitely", "that's great", "that's good", "that is perfect", "do it", "uh huh", "mhm", "mm hmm", "mm hm", "mhmm", "ya", "aye", "yes that works", "right"),
    "de": ("passt", "das passt", "so ist es", "einverstanden", "sehr gut", "perfekt", "mhm", "alles klar", "machen wir so", "gut"),
    "es": ("perfecto", "así es", "muy bien", "bien", "adelante", "eso", "mhm"),
    "fr": ("parfait", "très bien", "c'est parfait", "ça marche", "allez y", "mhm"),
}  # fmt: skip
NO = {
    "en": ("absolutely not", "definitely not", "i don't", "i do not", "i don't want to", "i don't want it", "i don't want that", "i do not want to", "i do not want it", "i do not want that", "it is not right", "it is not correct", "it's not correct", "it is not", "it isn't", "it's not", "it's wrong", "it's not right", "not right", "this is wrong", "it is wrong", "negative", "never", "no way", "not at all", "not quite", "not today", "not yet", "not now", "that is not right", "that's not it", "that's not correct", "that is wrong", "that's incorrect", "i'd rather not", "please don't", "don't", "no that's not right", "no it's not right", "no it's not correct", "no it isn't right", "no it is not", "i would not", "i wouldn't", "false", "cancel that"),
    "de": ("auf keinen fall", "ganz und gar nicht", "lieber nicht", "stimmt nicht", "nicht ganz", "auch nicht"),
    "es": ("no lo es", "en absoluto", "mejor no", "incorrecto", "está mal"),
    "fr": ("absolument pas", "surtout pas", "ce n'est pas correct", "pas exactement", "c'est pas ça"),
}  # fmt: skip
LEADS = {
    "en": frozenset(words_of("um uh er ah oh well so hm hmm i think")),
    "de": frozenset(words_of("äh ähm also na ach")),
    "es": frozenset(words_of("eh pues bueno em")),
    "fr": frozenset(words_of("euh ben bon alors")),
}
TAILS = {
    "en": frozenset(
        words_of("thanks thank you very much sir madam please dear mate so now then for that indeed really actually it")
    ),
    "de": frozenset(words_of("danke bitte schön sehr vielen dank")),
    "es": frozenset(words_of("gracias muchas por favor señor señora")),
    "fr": frozenset(words_of("merci beaucoup s'il vous plaît monsieur madame")),
}


HOLDS = {
    "en": frozenset(
        words_of(
            "but however wait what what's how why when who where which can can't could would should do does did is are if unless except"
            " only not don't change wrong actually instead before after first though maybe although or no yes"
        )
    ),
    "de": frozenset(
        words_of(
            "aber doch warten was wie warum wann wer wo kann können könnte wenn nicht falsch ändern statt oder nein ja"
        )
    ),
    "es": frozenset(words_of("pero espere qué cómo cuándo quién dónde puede podría si no cambiar mal o sí")),
    "fr": frozenset(words_of("mais attendez quoi comment pourquoi quand qui où pouvez si pas changer faux ou non oui")),
}
"""Words behind a yes or a no that mean that it is not all."""
FEW = 5
"""Words that somebody adds to a yes or a no without adding anything: "yes, please book it"."""


OPEN = frozenset({
    "i do", "it is", "i would", "good", "i don't", "i do not", "it is not", "it isn't", "it's not", "i would not", "i wouldn't",
    "don't", "please don't", "never", "not yet", "no way",
})  # fmt: skip
"""What answers alone, and begins something else where words follow: "I don't mind", "I do mind", "it's not a problem"."""


class YesNoReader(Reader[bool]):
    """Reads agreement (``True``) and disagreement (``False``)."""

    def read(self, text: str, tag: str, among: Sequence[bool] = ()) -> Answer[bool]:
        agrees = whole(text, tag)
        return UNREAD if agrees is None else Found(agrees)

    def accept(self, text: str) -> Answer[bool]:
        known = {"true": True, "yes": True, "false": False, "no": False}
        value = known.get(text.strip().casefold())
        return UNREAD if value is None else Found(value)


def whole(text: str, tag: str) -> bool | None:
    """Whether the words are a yes or a no and nothing that changes it (``None``: neither)."""
    agrees, rest, last = _split(text, tag)
    if rest and last in OPEN:
        return None
    return agrees if adds_nothing(rest, tag) else None


def split(text: str, tag: str) -> tuple[bool | None, str]:
    """Whether the words begin with a yes or a no (``None``: neither), and what else they say."""
    agrees, rest, _ = _split(text, tag)
    return agrees, rest


def _split(text: str, tag: str) -> tuple[bool | None, str, str]:
    """As ``split``, with the last of the phrases that say yes or no."""
    head = tag.replace("_", "-").split("-")[0].lower()
    data, words = language(tag), words_of(text)
    yes = {*data.yes, *YES.get(head, ())} or {"yes", "ok", "okay"}
    no = {*data.no, *NO.get(head, ())} or {"no"}
    agrees: bool | None = None
    last = ""
    while words and words[0] in LEADS.get(head, ()) and " ".join(words) not in yes | no:
        del words[0]
    while words:
        length = next((n for n in range(len(words), 0, -1) if " ".join(words[:n]) in yes | no), 0)
        if not length:
            break
        one = " ".join(words[:length]) in yes
        if agrees is not None and one is not agrees:
            if " ".join(words[:length]) in ("please", "right", "sure", "okay", "ok", "good", "fine", "exactly"):
                break  # "no, okay ..." says no; what follows is for somebody else to read
            return None, " ".join(words), last  # "yes, no, wait"
        agrees, last = one, " ".join(words[:length])
        del words[:length]
    tails = TAILS.get(head, frozenset())
    if agrees is not None and all(word in tails for word in words):
        return agrees, "", last
    return agrees, " ".join(words), last


def adds_nothing(rest: str, tag: str) -> bool:
    """Whether what follows a yes or a no changes nothing about it."""
    words = words_of(rest)
    holds = HOLDS.get(tag.replace("_", "-").split("-")[0].lower(), frozenset(words))
    return len(words) <= FEW and not holds & set(words)
