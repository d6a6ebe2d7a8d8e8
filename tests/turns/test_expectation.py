"""What the agent's last words ask for, and what an answer is worth as one."""

from __future__ import annotations

import re

import pytest

from antiphon.turns.expectation import OPEN, Expectation, expected
from antiphon.turns.languages import LANGUAGES
from antiphon.turns.languages.language import LONGEST
from antiphon.turns.structured import digits_of, form
from antiphon.turns.words import words_of

PHONE = Expectation("digits", 10)
DIGITS = Expectation("digits")
SPELLING = Expectation("spelling")
EMAIL = Expectation("email")
YES_NO = Expectation("yes_no")


@pytest.mark.parametrize(
    ("said", "what"),
    [
        ("What is your phone number?", PHONE),
        ("What's the best number to call you on?", PHONE),
        ("Okay. May I have your account number, please?", DIGITS),
        ("And your zip code?", Expectation("digits", 5)),
        ("What are the last four digits of your social security number?", Expectation("digits", 4)),
        ("Please enter your 6-digit code.", Expectation("digits", 6)),
        ("Which digits do you see?", DIGITS),
        ("Can you tell me your date of birth?", DIGITS),
        ("Great, thanks. Could you spell your last name for me?", SPELLING),
        ("Please tell me your e-mail address.", EMAIL),
        ("May I have your email? I need it for the receipt.", EMAIL),
        ("Is 555 1234 the best phone number to reach you?", YES_NO),
        ("So that's two coffees, right?", YES_NO),
        ("Would you like milk with it?", YES_NO),
        ("Could I help you with anything else?", YES_NO),
        ("what is your phone number", PHONE),
        ("How can I help you?", OPEN),
        ("I have your phone number. What would you like to order?", OPEN),
        ("Your order number is 123.", OPEN),
        ("", OPEN),
    ],
)
def test_the_last_question_says_what_is_expected(said: str, what: Expectation) -> None:
    assert expected(said, "en") == what


@pytest.mark.parametrize(
    ("tag", "said", "what"),
    [
        ("de", "Wie ist Ihre Telefonnummer?", DIGITS),
        ("de", "Können Sie das bitte buchstabieren?", SPELLING),
        ("de", "Nennen Sie mir bitte die letzten vier Ziffern.", Expectation("digits", 4)),
        ("de", "Also zwei Kaffee, ist das richtig?", YES_NO),
        ("de", "Möchten Sie noch etwas?", YES_NO),
        ("es", "¿Cuál es su número de teléfono?", Expectation("digits", 9)),
        ("es", "¿Es correcto?", YES_NO),
        ("es", "Deletree su apellido, por favor.", SPELLING),
        ("fr", "Quel est votre numéro de téléphone ?", PHONE),
        ("fr", "Pouvez-vous épeler votre nom ?", SPELLING),
        ("fr", "C'est bien ça ?", YES_NO),
        ("ja", "電話番号は何ですか?", OPEN),
    ],
)
def test_other_languages_have_tables_of_their_own(tag: str, said: str, what: Expectation) -> None:
    assert expected(said, tag) == what


@pytest.mark.parametrize(
    ("tag", "length"),
    [
        ("en", 10),
        ("en-US", 10),
        ("en_ca", 10),
        ("en-Latn-US", 10),
        ("en-GB", 0),
        ("es-ES", 9),
        ("es-MX", 0),
        ("fr-BE", 0),
    ],
)
def test_a_telephone_number_is_as_long_as_it_is_in_that_country(tag: str, length: int) -> None:
    question = {"en": "What is your phone number?", "es": "¿Cuál es su teléfono?", "fr": "Quel est votre téléphone ?"}
    assert expected(question[tag[:2]], tag) == Expectation("digits", length)


def test_a_british_number_is_not_over_after_ten_digits() -> None:
    assert form(expected("What is your phone number?", "en-GB"), "0 7 7 0 0 9 0 0 1 2", "en-GB") == "read out"


def test_a_card_has_the_same_digits_everywhere() -> None:
    assert expected("What is your card number?", "en-GB").length == 16


@pytest.mark.parametrize("tag", sorted(LANGUAGES))
def test_the_tables_are_written_as_words_are_compared(tag: str) -> None:
    data = LANGUAGES[tag]
    for entry in (*data.yes, *data.no, *data.leads, *data.numbers, *data.weak, *data.repeats, *data.at, *data.dot):
        assert entry == " ".join(words_of(entry))
    assert max(len(phrase.split()) for phrase in data.numbers) <= LONGEST
    for pattern in (data.confirms, data.polar, data.requests, data.imperatives, *(p for p, _, _ in data.fields)):
        re.compile(pattern)
    assert all(data.numbers[str_].isdigit() for str_ in data.numbers)


@pytest.mark.parametrize(
    ("tag", "text", "digits"),
    [
        ("en", "five five five one two", "55512"),
        ("en", "It's double five, triple 2, and oh nine.", "5522209"),
        ("en", "oh I see", ""),
        ("en", "my number is 555-0123", "5550123"),
        ("en", "one eight hundred twenty three", "180023"),
        ("en", "b four oh two", "402"),
        ("en", "twenty three o five", "2305"),
        ("de", "null eins sieben dreiundzwanzig", "01723"),
        ("es", "seis treinta y cuatro veintidós", "63422"),
        ("fr", "zéro six quatre-vingt-dix-neuf soixante et onze vingt et un", "06997121"),
    ],
)
def test_digits_are_counted_as_they_are_spoken(tag: str, text: str, digits: str) -> None:
    assert digits_of(text, tag) == digits


@pytest.mark.parametrize(
    ("what", "text", "answer"),
    [
        (PHONE, "five five five", "open"),
        (PHONE, "555 123 4567", "complete"),
        (PHONE, "1 555 123 456", "open"),
        (PHONE, "1 555 123 4567", "complete"),
        (PHONE, "sure", "open"),
        (PHONE, "what do you need it for", ""),
        (DIGITS, "a b seven", "read out"),
        (DIGITS, "a b", "read out"),
        (SPELLING, "s m", "open"),
        (SPELLING, "s m i t h", "read out"),
        (SPELLING, "as it sounds", ""),
        (EMAIL, "john smith", "open"),
        (EMAIL, "john at gmail", "open"),
        (EMAIL, "john at gmail dot com", "complete"),
        (EMAIL, "john@gmail.com.", "complete"),
        (EMAIL, "john@gmail.", "open"),
        (EMAIL, "no", ""),
        (EMAIL, "I do not have one at the moment", "open"),
        (EMAIL, "what would you need that address for", ""),
        (YES_NO, "Yes, please.", "complete"),
        (YES_NO, "yes but", ""),
        (OPEN, "five", ""),
        (PHONE, "", ""),
    ],
)
def test_what_an_answer_is_worth(what: Expectation, text: str, answer: str) -> None:
    assert form(what, text, "en") == answer
