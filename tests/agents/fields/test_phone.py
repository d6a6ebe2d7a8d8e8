"""Telephone numbers as callers say them."""

from __future__ import annotations

import sys

import phonenumbers
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from antiphon import ConfigurationError
from antiphon.agents.fields.answer import UNREAD, Found, Partial, Refused
from antiphon.agents.fields.phone import PhoneReader
from antiphon.agents.fields.spoken import spoken_digits
from antiphon.agents.fields.texts import TEXTS
from antiphon.turns.languages.en import UNITS

READER = PhoneReader()


@pytest.mark.parametrize(
    ("said", "number"),
    [
        ("four one five, five five five, two six seven one", "+14155552671"),
        ("it's (415) 555-2671", "+14155552671"),
        ("415 555 2671", "+14155552671"),
        ("my number is four one five triple five twenty six seventy one", "+14155552671"),
        ("four fifteen five fifty five twenty six seventy one", "+14155552671"),
        ("eight hundred five five five two six seven one", "+18005552671"),
        ("one four one five five five five two six seven one", "+14155552671"),
        ("plus four nine three oh one two three four five six seven", "+49301234567"),
        ("+44 20 7946 0958 extension 12", "+442079460958;ext=12"),
        ("four one five double five five two six seven nine", "+14155552679"),
    ],
)
def test_a_number_is_read(said: str, number: str) -> None:
    assert READER.read(said, "en") == Found(number)


def test_a_number_said_twice_is_that_number() -> None:
    assert READER.read("two one two five five five oh one nine nine " * 2, "en") == Found("+12125550199")
    assert READER.read("212 555 0199, 212 555 0188", "en") == Refused("too_long")


@pytest.mark.parametrize(
    ("tag", "said", "number"),
    [
        ("de", "null drei null eins zwei drei vier fünf sechs sieben acht", "+493012345678"),
        ("fr", "zéro six douze trente quatre cinquante six soixante dix huit", "+33612345678"),
        ("es", "seis uno dos tres cuatro cinco seis siete ocho", "+34612345678"),
        ("en-GB", "oh two oh seven nine four six oh nine five eight", "+442079460958"),
    ],
)
def test_numbers_without_a_country_are_those_of_the_language(tag: str, said: str, number: str) -> None:
    assert READER.read(said, tag) == Found(number)


def test_the_task_may_say_the_country() -> None:
    assert PhoneReader("GB").read("oh two oh seven nine four six oh nine five eight", "en") == Found("+442079460958")


def test_too_few_too_many_and_numbers_that_nobody_has() -> None:
    assert READER.read("four one five five five five", "en") == Partial("digits")
    assert READER.read("one two three four five six seven eight nine ten eleven", "en") == Refused("too_long")
    assert READER.read("nine nine nine nine nine nine nine nine nine nine", "en") == Refused("no_such_number")
    assert READER.read("two one two five five five oh one nine nine " * 2 + "one", "en") == Refused("too_long")
    assert READER.read("plus nine nine nine one two three four five six seven", "en") == Refused("no_such_number")
    for said in ("", "double five", "I have two numbers", "why do you need it"):
        assert READER.read(said, "en") == UNREAD


@pytest.mark.parametrize(
    ("said", "number"),
    [
        ("no, the last two digits are four two", "+14155552642"),
        ("the last four are 4 2 4 2", "+14155554242"),
        ("the last two are four two", "+14155552642"),
        ("the last digits are four two", "+14155552642"),
        ("it ends in forty two", "+14155552642"),
        ("the area code is five one oh", "+15105552671"),
        ("it starts with five one oh", "+15105552671"),
        ("it's seven two, not seven one", "+14155552672"),
        ("the last digit is five", "+14155552675"),
        ("no, five one oh, five five five, two six seven one", "+15105552671"),
    ],
)
def test_a_correction_changes_what_was_read_back(said: str, number: str) -> None:
    assert READER.correct("+14155552671", said, "en") == Found(number)


@pytest.mark.parametrize(
    ("said", "number"),
    [
        ("No the last two digits are 4 too.", "+14155552642"),
        ("No, the last two digits are four, too.", "+14155552642"),
        ("the last two digits are for two", "+14155552642"),
        ("the last two are for to", "+14155552671"),
        ("the last two are four to", "+14155552642"),
        ("it ends in for too", "+14155552671"),
        ("it ends in for two", "+14155552642"),
        ("the last three digits are won six ate", "+14155552168"),
        ("it's seven too, not seven one", "+14155552672"),
        ("the last digit is two too", "+14155552672"),
        ("it ends in two for sure", "+14155552672"),
        ("it starts with for won too", "+14155552671"),
        ("it starts with five won oh", "+15105552671"),
    ],
)
def test_words_that_sound_like_digits_are_those_among_digits(said: str, number: str) -> None:
    changed = READER.correct("+14155552671", said, "en")
    assert changed == (UNREAD if number == "+14155552671" else Found(number))


def test_a_number_is_read_where_some_of_its_digits_were_heard_as_other_words() -> None:
    for said in (
        "For one, five, five, five, five, two, six, seven, one.",
        "It's for 15, 555, 2671",
        "four won five 555 too 671",
    ):
        assert READER.read(said, "en") == Found("+14155552671"), said
    assert READER.read("call me for four one five, five five five, two six seven one", "en") == Found("+14155552671")
    assert READER.read("it's 415 555 2671 too", "en") == Found("+14155552671"), "whole without that word"
    assert READER.read("I have it for four one five people", "en") == Partial("digits")
    assert READER.read("for you and me too", "en") == UNREAD


@pytest.mark.parametrize("said", ["no", "it's wrong", "five, not nine", "the last two digits are four"])
def test_a_correction_without_a_clear_place_changes_nothing(said: str) -> None:
    assert READER.correct("+14155552671", said, "en") == UNREAD


def test_without_the_library_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "phonenumbers", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'antiphon\[tasks\]'"):
        READER.accept("+14155552671")


def digit_by_digit(digits: str) -> str:
    return " ".join(UNITS[int(c)] for c in digits)


def with_doubles(digits: str) -> str:
    said, at = [], 0
    while at < len(digits):
        twice = digits[at : at + 2] == digits[at] * 2
        said.append(
            f"double {UNITS[int(digits[at])]}" if twice else "oh" if digits[at] == "0" else UNITS[int(digits[at])]
        )
        at += 2 if twice else 1
    return " ".join(said)


def in_figures(digits: str) -> str:
    return f"{digits[:3]}-{digits[3:6]} {digits[6:]}"


AMERICAN = st.from_regex(r"[2-9][0-8][0-9][2-9][0-9]{6}", fullmatch=True)


@given(
    AMERICAN,
    st.sampled_from([digit_by_digit, with_doubles, in_figures]),
    st.sampled_from(["", "it's ", "my number is ", "plus one "]),
)
def test_a_number_is_read_however_it_is_said(digits: str, form: object, lead: str) -> None:
    assume(phonenumbers.is_valid_number(phonenumbers.parse(digits, "US")))
    assert callable(form)
    assert READER.read(lead + form(digits), "en") == Found(f"+1{digits}")


@pytest.mark.parametrize("region", ["US", "DE", "GB", "ES", "FR", "CH", "IN", "BR", "AU"])
@pytest.mark.parametrize("tag", sorted(TEXTS))
def test_what_the_agent_reads_back_is_the_number(region: str, tag: str) -> None:
    for kind in (phonenumbers.PhoneNumberType.MOBILE, phonenumbers.PhoneNumberType.FIXED_LINE):
        example = phonenumbers.example_number_for_type(region, kind)
        number = phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.E164)
        reader = PhoneReader(region if region in ("US", "DE") else "")
        said = spoken_digits(reader.groups(number, tag), TEXTS[tag])
        assert reader.read(said, tag) == Found(number), said


@given(st.text(max_size=80))
def test_no_words_break_the_reader(said: str) -> None:
    for tag in ("en", "de", "es", "fr", "ja", ""):
        READER.read(said, tag)
        READER.correct("+14155552671", said, tag)
        READER.accept(said)
