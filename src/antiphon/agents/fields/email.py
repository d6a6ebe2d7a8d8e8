"""E-mail addresses as they are said: "john dot smith at gmail dot com", spelt, or already written by the recogniser.

What an address may be is the library's business (``email-validator``, RFC 5322 and 6531): it is asked about the form
only, never about the network.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import SequenceMatcher
from itertools import pairwise
from typing import Any

from antiphon.agents.fields.answer import UNREAD, Answer, Found, Partial, Reader, Refused
from antiphon.agents.fields.corrections import amend
from antiphon.agents.fields.spelling import SIGNS, Piece, pieces, tokens
from antiphon.errors import ConfigurationError
from antiphon.turns.words import words_of

TOP = frozenset(
    words_of(
        "com org net edu gov info biz io ai app dev me tv us uk de fr es it nl at ch eu ie ca au nz se no dk fi pl pt be cz br mx in"
    )
)
"""Ends of domains that are recognised where the "dot" before them was not heard."""
WHOLE = {"gmail": "gmail.com", "googlemail": "googlemail.com", "icloud": "icloud.com"}
"""Providers that have one domain only, so that it may be left out."""
LEADS = frozenset(
    words_of(
        "my the an mail email address addresses is it it's its that's that would will be um uh er so okay ok yes yeah yep sure well alright"
        " right please sorry no actually you can could reach me use just send to them should i'm i'd like say think let try again this one and was wrong fine then here goes"
        " meine die adresse ist lautet es ja also bitte äh ähm und mi la dirección correo es sí pues mon adresse est c'est oui alors"
    )
)
"""Words before an address that are no part of it."""
ASKS = frozenset(
    words_of(
        "what why who how when where which do does can could is are need want wofür warum wie was para por qué pourquoi"
    )
)
ANSWERS = frozenset(words_of("no yes yeah is it's that's sorry well so okay ok actually um uh"))
"""Leads that are no name even where an "at" follows."""
TELLS = frozenset(words_of("is it's its email mail address adresse ist lautet dirección correo es c'est"))
"""Words behind which the address itself comes, whatever was said before."""
PROVIDERS = frozenset(words_of("aol gmail gmx googlemail hotmail icloud orange outlook proton protonmail web yahoo"))
ABOUT = frozenset(words_of("with without not instead mit ohne nicht con sin avec sans"))
"""Words that say something about an address instead of being part of it."""
SIGN = {word: sign for signs in SIGNS.values() for word, sign in signs.items()}
SPEAKS_OF_IT = re.compile(
    r"\be[- ]?mail\b|\bi (?:think|guess|mean|have|use|said|would say)\b|\bl'adresse\b", re.IGNORECASE
)
WRITTEN = re.compile(r"[^\W_][\w.+'\-]*@[\w\-]+(?:\.[\w\-]*[^\W_])+")
MISHEARD = {
    "jamail": "gmail", "jamael": "gmail", "jmail": "gmail", "gemail": "gmail", "dotcom": "dot com", "dartcombe": "dot com", "dart": "dot",
}  # fmt: skip
"""What recognisers write for the words of addresses."""
LIKE_AT = frozenset(words_of("and add ad hat app"))
"""What they write for "at": believed between a spelling and a domain."""
RESTARTS = frozenset(
    words_of(
        "no wait sorry actually mean rather nein warte moment entschuldigung espere perdón digo non attendez pardon"
    )
)
"""Words between an address and the one that is meant instead of it."""
MOST_WORDS = 6
"""Words before the "at" of an address that has not been finished; more are a sentence about something else."""
RESTATE = frozenset(words_of("spelled spelt spelling that's thats buchstabiert deletreado épelé"))


class EmailReader(Reader[str]):
    """Reads e-mail addresses; values are lower case."""

    def read(self, text: str, tag: str, among: Sequence[str] = ()) -> Answer[str]:
        addresses = [*WRITTEN.finditer(text)]
        if len({one[0].lower() for one in addresses}) > 1:
            between = tokens(text[addresses[-2].end() : addresses[-1].start()])
            return self.accept(addresses[-1][0]) if RESTARTS & set(between) else UNREAD
        written = addresses[0] if addresses else None
        if written and all(token in LEADS for token in tokens(SPEAKS_OF_IT.sub(" email ", text[: written.start()]))):
            return self.accept(written[0])
        said = _without_leads(text)
        read = pieces(said, tag)
        sign = _at(read)
        if sign < 0:
            return self._begun(read, said)
        before = read[:sign]
        other = max((n for n, piece in enumerate(before, 1) if piece.text == "@"), default=0)
        before = before[other:]
        if other and any(one.text == "." and end.text in TOP for one, end in pairwise(before)):  # a whole address
            again = [n for n, piece in enumerate(before, 1) if piece.text in RESTARTS]
            if not again:
                return UNREAD
            before = before[again[-1] :]
        told = [n for n, piece in enumerate(before[:-1], 1) if piece.text in TELLS and before[n].kind != "sign"]
        before = before[told[-1] if told else 0 :]
        if any(piece.text in ABOUT for piece in before):
            return UNREAD
        local, domain = _local(before), _domain(read[sign + 1 :])
        if "." not in domain:
            certain = read[sign].said == "@" or domain in PROVIDERS or any(piece.kind != "word" for piece in before)
            return Partial("domain") if local and certain else UNREAD
        return self.accept(f"{local}@{domain}") if local else Partial("name")

    def _begun(self, read: list[Piece], said: list[str]) -> Answer[str]:
        """Whether it may be the first half of an address: something that only addresses have, and no question."""
        if not read or said[0] in ASKS or sum(piece.kind == "word" for piece in read) > MOST_WORDS:
            return UNREAD
        signs = sum(piece.kind == "sign" and piece.text in "._-" for piece in read)
        letters = sum(piece.kind == "letter" for piece in read)
        digits = sum(piece.kind == "digit" and len(piece.text) > 1 for piece in read)
        begun = letters >= 3 or (signs and len(read) >= 2) or (digits and len(read) in (2, 3) and not letters)
        return Partial("domain") if begun else UNREAD

    def join(self, begun: str, missing: str, text: str) -> str:
        if missing == "name":
            return f"{text} {begun}"
        if missing == "domain" and all(token != "@" and SIGN.get(token) != "@" for token in tokens(text)):
            return f"{begun} @ {text}"
        return f"{begun} {text}"

    def accept(self, text: str) -> Answer[str]:
        """Raises ``ConfigurationError`` where the library is missing."""
        validate, problem = _library()
        try:
            checked = validate(text.strip().strip("<>").lower(), check_deliverability=False)
        except problem:
            return Refused("not_an_address")
        return Found(str(checked.normalized))

    def correct(self, value: str, text: str, tag: str) -> Answer[str]:
        said = _without_leads(text)
        if not said:
            return UNREAD
        read = pieces(said, tag)
        local, _, domain = value.partition("@")
        whole = self.read(text, tag)
        if isinstance(whole, Found):
            return whole
        if read[0].text == "." and "." in (end := _domain([Piece("word", domain.partition(".")[0]), *read])):
            return self.accept(f"{local}@{end}")
        sign = _at(read)
        if sign == 0 or (sign > 0 and not _local(read[:sign])):
            changed = _domain(read[sign + 1 :])
            if changed:
                return self.accept(
                    f"{local}@{changed}" if "." in changed else f"{local}@{changed}.{domain.partition('.')[2]}"
                )
        amended = amend(value, " ".join(MISHEARD.get(token, token) for token in tokens(text)), tag)
        if amended:
            return self.accept(amended)
        if read and all(piece.kind in ("letter", "digit") for piece in read[-3:]):
            segment = _closest(local, "".join(piece.text for piece in read if piece.kind in ("letter", "digit")))
            if segment:
                return self.accept(f"{segment}@{domain}")
        return UNREAD


def _library() -> tuple[Any, type[Exception]]:
    try:
        from email_validator import EmailNotValidError, validate_email
    except ImportError as exc:
        raise ConfigurationError(
            "GetEmailTask checks addresses with email-validator, which is not installed.",
            hint="pip install 'antiphon[tasks]'",
        ) from exc
    return validate_email, EmailNotValidError


def _without_leads(text: str) -> list[str]:
    said = [word for token in tokens(SPEAKS_OF_IT.sub(" email ", text)) for word in MISHEARD.get(token, token).split()]
    while said and said[0] in LEADS and said[1:3] != ["as", "in"]:
        written = len(said) > 1 and said[1] in "@._+-"
        if written or (len(said) > 1 and said[1] in SIGN and said[0] not in ANSWERS):
            break  # "me at example dot com"
        del said[0]
    return said


def _at(read: list[Piece]) -> int:
    """Where the address's "@" is: a written one, else the last "at" with something behind it that ends like a domain."""
    signs = [n for n, piece in enumerate(read) if piece.text == "@"]
    written = [n for n in signs if read[n].said == "@"]
    if written:
        return written[-1]
    for n in reversed(signs):
        if "." in _domain(read[n + 1 :]):
            return n
    for n, piece in enumerate(read):
        spelt = sum(before.kind in ("letter", "sign") for before in read[:n]) > 1
        if not signs and spelt and piece.text in LIKE_AT and "." in _domain(read[n + 1 :]):
            return n
    return signs[-1] if signs else -1


def _local(read: list[Piece]) -> str:
    """The name of the address. What is spelt after a word that it repeats replaces the word."""
    while len(read) > 1 and read[0].text in LEADS and read[1].kind != "sign":
        read = read[1:]
    parts: list[str] = []
    run, words, restated = "", 0, False  # letters being spelt; words before them that they may repeat
    for piece in [*read, Piece("word", "")]:
        if piece.kind == "letter":
            run += piece.text
            continue
        if len(run) > 1 and words:
            for n in range(1, words + 1):
                if "".join(parts[-n:]) == run or (restated and n == words):
                    del parts[-n:]
                    break
        if run:
            parts.append(run)
            run, words, restated = "", 0, False
        if piece.text in RESTATE:
            restated = True
        elif piece.text:
            parts.append(piece.text)
            words = words + 1 if piece.kind == "word" else 0
    return "".join(parts).strip(".-'")


def _domain(read: list[Piece]) -> str:
    """The domain that begins these pieces, as far as it goes; words behind its end are another sentence."""
    labels, label = [], ""
    last = max((n for n, piece in enumerate(read[:14]) if piece.text == "."), default=-1)
    for n, piece in enumerate(read[:14]):
        if piece.text == ".":
            labels.append(label)
            label = ""
        elif (n > last and last >= 0 and label and not (len(label) <= 2 and piece.kind == "letter")) or (
            piece.kind == "sign" and piece.text not in "-_"
        ):
            break
        elif last < 0 and label and piece.text in TOP:
            labels.append(label)
            label = piece.text
            break
        else:
            label += piece.text
    labels.append(label)
    if last < 0 and len(labels) == 1:
        return WHOLE.get(label, label if len(read) <= 3 else "")
    return ".".join(labels) if all(labels) else ""


def _closest(local: str, spelling: str) -> str:
    """``local`` with the part that resembles ``spelling`` most replaced by it; empty where none does."""
    parts = re.split(r"([._\-+])", local)
    ranked = sorted(range(0, len(parts), 2), key=lambda n: SequenceMatcher(None, parts[n], spelling).ratio())
    best = ranked[-1]
    if SequenceMatcher(None, parts[best], spelling).ratio() < 0.5:
        return ""
    return "".join([*parts[:best], spelling, *parts[best + 1 :]])
