"""What personal data looks like in text: patterns with the checks that keep them honest.

Owns: one function each for e-mail addresses, phone numbers, payment cards, national ids, spoken digits.
Never: where they are applied (``safety.redaction``). All quantifiers are bounded: no text makes them slow.
"""

from __future__ import annotations

import re

from antiphon.safety.number_words import replace_numbers

_EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@(?:[\w-]{1,63}\.){1,8}[^\W\d_]{2,24}(?![\w-])")
_SPOKEN_EMAIL = re.compile(
    r"\b[\w-]{1,64}(?: dot [\w-]{1,64}){0,4} at [\w-]{1,63}(?: dot [\w-]{1,63}){0,4} dot (?:com|net|org|edu|io|[a-z]{2})\b",
    re.IGNORECASE,
)
_CARD = re.compile(r"(?<![\w.])\d(?:[ -]?\d){12,18}(?!\w)")
_PHONE = re.compile(r"(?<![\w.])(?:\+|\()?\d(?:[\s().\-/]{0,2}\d){6,14}(?![\w])")
_DATE = re.compile(r"(?:19|20)\d\d-\d\d-\d\d(?:[T ]\d\d:?\d\d)?|\d\d[./]\d\d[./](?:19|20)\d\d")
_SSN = re.compile(r"(?<![\w-])\d{3}-\d{2}-\d{4}(?![\w-])")
_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{2,4}){3,8}(?![A-Za-z0-9])")


def email_addresses(text: str) -> str:
    """Written and spoken ("jo at example dot com") addresses -> ``[email]``."""
    return _SPOKEN_EMAIL.sub("[email]", _EMAIL.sub("[email]", text))


def card_numbers(text: str) -> str:
    """13 to 19 digits with a valid check digit (ISO/IEC 7812-1, Luhn) -> ``[card]``."""
    return _CARD.sub(lambda match: "[card]" if _luhn(match[0]) else match[0], text)


def phone_numbers(text: str) -> str:
    """7 to 15 digits (ITU-T E.164 allows 15), with the usual separators, that are not a date -> ``[phone]``."""
    return _PHONE.sub(lambda match: match[0] if _DATE.fullmatch(match[0]) else "[phone]", text)


def spoken_digits(text: str) -> str:
    """Numbers said in words, digit by digit or in pairs, in English, German, Spanish or French -> ``[digits]``."""
    return replace_numbers(text, "[digits]")


def national_ids(text: str) -> str:
    """US social security numbers and IBANs with a valid checksum (ISO 13616) -> ``[id]``. Not on by default."""
    return _IBAN.sub(lambda match: "[id]" if _iban(match[0]) else match[0], _SSN.sub("[id]", text))


def _luhn(text: str) -> bool:
    digits = [int(c) for c in text if c.isdecimal()]
    doubled = [d if n % 2 == 0 else (2 * d - 9 if d > 4 else 2 * d) for n, d in enumerate(reversed(digits))]
    return 13 <= len(digits) <= 19 and any(digits) and sum(doubled) % 10 == 0


def _iban(text: str) -> bool:
    code = text.replace(" ", "")
    if not 15 <= len(code) <= 34:
        return False
    return int("".join(str(int(c, 36)) for c in code[4:] + code[:4])) % 97 == 1
