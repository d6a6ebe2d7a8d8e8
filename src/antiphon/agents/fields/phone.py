"""Telephone numbers as they are said: digit by digit, in groups, with the country or without; values are E.164.

Which numbers exist is the library's business (``phonenumbers``, Google's tables): a number that no country assigns is
refused, one that is too short is only begun.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from antiphon.agents.fields.answer import UNREAD, Answer, Found, Partial, Reader, Refused
from antiphon.agents.fields.homophones import digits_heard
from antiphon.errors import ConfigurationError
from antiphon.turns.languages import language
from antiphon.turns.structured import digits_of
from antiphon.turns.words import words_of

REGIONS = {"en": "US", "de": "DE", "es": "ES", "fr": "FR"}
"""Where numbers without a country are, by language, when neither the task nor the language's tag says it."""
FEWEST = 3
"""Digits from which words are the beginning of a number."""
COUNTRY = len("+999")
"""Characters of the longest country code (ITU-T E.164), with its plus."""
PLUS = {"en": ("plus",), "de": ("plus",), "es": ("más", "mas"), "fr": ("plus",)}
EXTENSION = re.compile(r"\b(?:extension|ext|durchwahl|extensión|poste)\b\.?", re.IGNORECASE)
LAST = {
    "en": ("last", "ends in", "ends with", "end in", "ending in"),
    "de": ("letzten", "endet auf"),
    "es": ("últimos", "últimas", "termina en"),
    "fr": ("derniers", "se termine par"),
}
FIRST = {
    "en": ("first", "starts with", "begins with"),
    "de": ("ersten", "beginnt mit"),
    "es": ("primeros", "empieza por"),
    "fr": ("premiers", "commence par"),
}
NOUN = re.compile(r"(?:digit|number|figure|ziffer|stelle|dígito|cifra|chiffre)(s|n|)")
"""What the last or first few of a number are called; the group is empty where it is one."""
ARE = frozenset(("are", "is", "were", "sind", "ist", "lauten", "son", "es", "sont", "est"))
AREA = {"en": "area code", "de": "vorwahl", "es": "prefijo", "fr": "indicatif"}
NOT = {"en": (" not ", " instead of "), "de": (" nicht ", " statt "), "es": (" no ",), "fr": (" pas ",)}


@dataclass(frozen=True)
class PhoneReader(Reader[str]):
    """``region``: ISO 3166 country of numbers that are said without one; empty: that of the language's tag."""

    region: str = ""

    def read(self, text: str, tag: str, among: Sequence[str] = ()) -> Answer[str]:
        number, *more = EXTENSION.split(text)
        digits = digits_of(number, tag)
        if len(digits) < FEWEST:
            return UNREAD
        plus = "+" if self._international(number, tag) else ""
        extension = digits_of(more[0], tag) if more else ""
        plain = self._checked(plus + digits, extension, self.country(tag))
        if isinstance(plain, Found):
            return plain
        heard = self._checked(plus + digits_heard(number, tag), extension, self.country(tag))
        return heard if isinstance(heard, Found) else plain

    def accept(self, text: str) -> Answer[str]:
        number, *more = EXTENSION.split(text)
        digits = re.sub(r"\D", "", number)
        plus = "+" if "+" in number else ""
        return self._checked(plus + digits, re.sub(r"\D", "", more[0]) if more else "", self.region or "US")

    def correct(self, value: str, text: str, tag: str) -> Answer[str]:
        whole = self.read(text, tag)
        if isinstance(whole, Found):
            return whole
        said, head = f" {' '.join(words_of(text))} ", _head(tag)
        old = value.partition(";")[0]
        new = digits_of(text, tag)
        for divider in NOT.get(head, ()):
            before, found, after = said.partition(divider)
            right, wrong = digits_of(before, tag), digits_of(after, tag)
            if len(right) != len(wrong):
                right = digits_heard(before, tag)
            if found and right and wrong and old.count(wrong) == 1:
                return self.accept(old.replace(wrong, right))
        for table, place in ((LAST, "last"), (FIRST, "first")):
            for word in table.get(head, ()):
                _, found, after = said.partition(f" {word} ")
                if not found:
                    continue
                count, words = _counted(after.split(), tag)
                new = digits_of(words, tag)
                if len(new) != count:
                    new = digits_heard(words, tag)
                if count and len(new) != count:
                    return UNREAD
                if new:
                    return self.accept(old[: -len(new)] + new if place == "last" else self._with_first(old, new))
        if AREA.get(head, "area code") in said and new:
            return self.accept(self._with_first(old, new))
        return whole if isinstance(whole, Refused) else UNREAD

    def country(self, tag: str) -> str:
        """The country of numbers that are said without one."""
        named = next((part for part in tag.replace("_", "-").split("-")[1:] if len(part) == 2), "")
        return (self.region or named or REGIONS.get(_head(tag), "US")).upper()

    def groups(self, value: str, tag: str) -> list[str]:
        """The number's digits in the groups in which its country writes them; with the country where it is another one."""
        library = _library()
        number = library.parse(value)
        style = library.PhoneNumberFormat
        here = library.country_code_for_region(self.country(tag)) == number.country_code
        written = library.format_number(number, style.NATIONAL if here else style.INTERNATIONAL)
        return [group for group in re.split(r"[^\d+]+", written) if group]

    def _international(self, text: str, tag: str) -> bool:
        before = re.split(r"\d", text)[0] if re.search(r"\d", text) else text
        return "+" in before or any(word in words_of(text)[:8] for word in PLUS.get(_head(tag), PLUS["en"]))

    def _with_first(self, old: str, new: str) -> str:
        """The number with other first digits, as it is said in its own country."""
        library = _library()
        number = library.parse(old)
        national = library.national_significant_number(number)
        trunk = "0" if new.startswith("0") and not national.startswith("0") else ""
        return f"+{number.country_code}{new[len(trunk) :]}{national[len(new) - len(trunk) :]}"

    def _checked(self, digits: str, extension: str, region: str) -> Answer[str]:
        library = _library()
        try:
            number = library.parse(digits, region)
        except library.NumberParseException as error:
            if error.error_type == error.TOO_LONG:
                return self._too_long(digits, extension, region)
            no_country = error.error_type == error.INVALID_COUNTRY_CODE and len(digits) > COUNTRY
            return Refused("no_such_number") if no_country else Partial("digits")
        fit = library.is_possible_number_with_reason(number)
        if fit in (library.ValidationResult.TOO_SHORT, library.ValidationResult.IS_POSSIBLE_LOCAL_ONLY):
            return Partial("digits")
        if fit == library.ValidationResult.TOO_LONG:
            return self._too_long(digits, extension, region)
        if not library.is_valid_number(number):
            return Refused("no_such_number")
        written = str(library.format_number(number, library.PhoneNumberFormat.E164))
        return Found(f"{written};ext={extension}" if extension else written)

    def _too_long(self, digits: str, extension: str, region: str) -> Answer[str]:
        """Callers say a number twice in one breath: that is the number. Other digits too many are refused."""
        half = len(digits) // 2
        if digits[:half] == digits[half:]:
            return self._checked(digits[:half], extension, region)
        return Refused("too_long")


def _counted(words: list[str], tag: str) -> tuple[int, str]:
    """How many digits the caller speaks of ("two digits are four two": the count is no digit; 0: not said), and the rest."""
    count = 0
    if len(words) > 1 and (NOUN.fullmatch(words[1]) or words[1] in ARE):
        number = language(tag).numbers.get(words[0], words[0])
        if number.isdecimal():
            count, words = int(number), words[1:]
    if words and (noun := NOUN.fullmatch(words[0])):
        count, words = count or int(not noun[1]), words[1:]
    return count, " ".join(words)


def _head(tag: str) -> str:
    return tag.replace("_", "-").split("-")[0].lower()


def _library() -> Any:
    try:
        import phonenumbers
    except ImportError as exc:
        raise ConfigurationError(
            "GetPhoneNumberTask checks numbers with phonenumbers, which is not installed.",
            hint="pip install 'antiphon[tasks]'",
        ) from exc
    return phonenumbers
