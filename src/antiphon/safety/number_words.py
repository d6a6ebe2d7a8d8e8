"""Numbers as people say them: digit by digit, or in pairs, in the languages listed here.

Owns: the words, and which runs of them are long enough to be somebody's number. All quantifiers are bounded.
"""

from __future__ import annotations

import re
from typing import NamedTuple

LEAST_DIGITS = 6
"""Digits of a number said digit by digit."""
LEAST_IN_PAIRS = 8
"""Digits where pairs ("forty two") are among them: shorter runs are prices, ages and counts."""

_GAP = r"[\s,.;\-]{1,3}"


class NumberWords(NamedTuple):
    """``units``: words for one digit, and those that repeat the next. ``pairs``: patterns of two-digit numbers."""

    units: str
    pairs: str


_EN = "one|two|three|four|five|six|seven|eight|nine"
_DE = "ein|eins|eine|zwei|zwo|drei|vier|fünf|fuenf|sechs|sieben|acht|neun"
_ES = "uno?|una|dos|tres|cuatro|cinco|seis|siete|ocho|nueve"
_FR = "une?|deux|trois|quatre|cinq|six|sept|huit|neuf"
_FR_TEENS = "dix[- ]sept|dix[- ]huit|dix[- ]neuf|dix|onze|douze|treize|quatorze|quinze|seize"

LANGUAGES: dict[str, NumberWords] = {
    "en": NumberWords(
        units=f"zero|oh|{_EN}|double|triple",
        pairs=rf"(?:twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety)(?:[- ](?:{_EN}))?"
        r"|ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|seventeen|eighteen|nineteen",
    ),
    "de": NumberWords(
        units=f"null|{_DE}|doppel",
        pairs=rf"(?:(?:{_DE})[- ]?und[- ]?)?(?:zwanzig|dreißig|dreissig|vierzig|fünfzig|fuenfzig|sechzig|siebzig|achtzig|neunzig)"
        r"|zehn|elf|zwölf|zwoelf|dreizehn|vierzehn|fünfzehn|fuenfzehn|sechzehn|siebzehn|achtzehn|neunzehn",
    ),
    "es": NumberWords(
        units=f"cero|{_ES}|doble|triple",
        pairs=rf"(?:treinta|cuarenta|cincuenta|sesenta|setenta|ochenta|noventa)(?: y (?:{_ES}))?"
        r"|veinte|veinti(?:uno?|una|dós|dos|trés|tres|cuatro|cinco|séis|seis|siete|ocho|nueve)"
        r"|diez|once|doce|trece|catorce|quince|dieci(?:séis|seis|siete|ocho|nueve)",
    ),
    "fr": NumberWords(
        units=f"zéro|zero|{_FR}|double|triple",
        pairs=rf"(?:soixante|quatre[- ]vingts?)(?:[- ](?:et[- ])?(?:{_FR_TEENS}|{_FR}))?"
        rf"|(?:vingt|trente|quarante|cinquante|septante|huitante|nonante)(?:[- ](?:et[- ])?(?:{_FR}))?|{_FR_TEENS}",
    ),
}


def _run(words: NumberWords) -> re.Pattern[str]:
    word = rf"(?:{words.pairs}|{words.units})"
    return re.compile(rf"\b{word}(?:{_GAP}{word}){{3,40}}\b", re.IGNORECASE)


def _word(words: NumberWords) -> re.Pattern[str]:
    return re.compile(rf"\b(?:(?P<pair>{words.pairs})|{words.units})\b", re.IGNORECASE)


_PATTERNS = [(_run(words), _word(words)) for words in LANGUAGES.values()]


def replace_numbers(text: str, replacement: str) -> str:
    """The text with ``replacement`` for each number that is said in words and is long enough."""
    for run, word in _PATTERNS:

        def judged(match: re.Match[str], word: re.Pattern[str] = word) -> str:
            sizes = [2 if one["pair"] else 1 for one in word.finditer(match[0])]
            return replacement if sum(sizes) >= (LEAST_IN_PAIRS if 2 in sizes else LEAST_DIGITS) else match[0]

        text = run.sub(judged, text)
    return text
