"""Turns written words into words that can be spoken: clock times, digit groups, addresses, abbreviations, marks.

Works word by word, so that the time of each spoken word can be given back as the time of the written one. Money,
cardinals, years and ordinals are left to the pronunciation dictionary, which reads them well.
"""

from __future__ import annotations

import re

DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
TEENS = ("ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen")
TENS = ("", "", "twenty", "thirty", "forty", "fifty")
ABBREVIATIONS = {
    "e.g.": "for example",
    "i.e.": "that is",
    "etc.": "et cetera",
    "approx.": "approximately",
    "vs.": "versus",
    "st.": "street",
    "ave.": "avenue",
    "blvd.": "boulevard",
    "apt.": "apartment",
    "w/": "with",
    "w/o": "without",
    "=": "equals",
    "+": "plus",
    "/": "or",
}
CLOCK = re.compile(r"(\d{1,2}):([0-5]\d)(am|pm)?", re.IGNORECASE)
DIGIT_GROUPS = re.compile(r"\+?\(?\d{2,}\)?(?:[-.]\d{2,}){1,}")
LONG_NUMBER = re.compile(r"\d{5,}")
RANGE = re.compile(r"(\d{1,4})[-\u2013](\d{1,4})")
WEB = re.compile(r"(?:https?://)?(?:www\.)?[\w-]+(?:\.[\w-]+)+(?:/\S*)?|[\w.+-]+@[\w-]+(?:\.[\w-]+)+", re.IGNORECASE)
DOTTED_NAME = re.compile(r"(?:[A-Za-z]\.)+[A-Za-z]?|\d[\d,.]*")
MARKS = str.maketrans(dict.fromkeys("*#`_~|<>[]{}\\^\u2022"))
EDGES = re.compile(r"^([\"'(\u201c\u2018]*)(.*?)([\"')\u201d\u2019.,!?;:]*)$")
UNSPEAKABLE = re.compile(r"[^\w\s.,!?;:'\"()$\u00a3\u20ac%&@/+=\u00b0\u2019\u201c\u201d\u2014\u2013-]")


def speakable(text: str) -> list[tuple[str, str]]:
    """(written word, what to say for it) in order; nothing to say is an empty string."""
    return [(word, say(word)) for word in text.split()]


def say(word: str) -> str:
    """The spoken form of one written word, sentence marks kept."""
    word = UNSPEAKABLE.sub("", word.translate(MARKS)).replace("\u2014", ", ").replace("\u2026", ".")
    if word.lower() in ABBREVIATIONS:
        return ABBREVIATIONS[word.lower()]
    match = EDGES.match(word)
    if match is None:
        return word
    before, core, after = match.groups()
    if core not in ("&", "%") and not any(c.isalnum() for c in core):
        return after.strip("\"')\u201d\u2019")
    return f"{before}{_say_core(core)}{after}"


def _say_core(core: str) -> str:
    if match := CLOCK.fullmatch(core):
        return _clock(int(match[1]), int(match[2]), (match[3] or "").lower())
    if DIGIT_GROUPS.fullmatch(core) and sum(c.isdigit() for c in core) >= 7:
        return ", ".join(spell(group) for group in re.findall(r"\d+", core))
    if LONG_NUMBER.fullmatch(core):
        return spell(core)
    if match := RANGE.fullmatch(core):
        return f"{match[1]} to {match[2]}"
    if WEB.fullmatch(core) and not DOTTED_NAME.fullmatch(core):
        core = re.sub(r"^https?://", "", core, flags=re.IGNORECASE)
        core = re.sub(r"^www\.", "W W W dot ", core, flags=re.IGNORECASE)
        return (
            core.replace("@", " at ").replace(".", " dot ").replace("/", " slash ").replace("_", " underscore ").strip()
        )
    return core.replace("\u00b0", " degrees")


def spell(digits: str) -> str:
    """``"4729"`` as ``"four seven two nine"``."""
    return " ".join(DIGITS[int(d)] for d in digits)


def _clock(hour: int, minute: int, half: str) -> str:
    if hour > 23:
        return f"{hour} {minute}"
    said = [_number(hour) if hour else "zero"]
    if minute:
        said.append(f"oh {_number(minute)}" if minute < 10 else _number(minute))
    elif not half:
        said.append("o'clock" if 0 < hour <= 12 else "hundred")
    return " ".join(said + ([f"{half[0].upper()}M"] if half else []))


def _number(value: int) -> str:
    if value < 10:
        return DIGITS[value]
    if value < 20:
        return TEENS[value - 10]
    return TENS[value // 10] + (f" {DIGITS[value % 10]}" if value % 10 else "")
