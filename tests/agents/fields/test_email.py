"""E-mail addresses as callers say them and recognisers write them."""

from __future__ import annotations

import re
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon import ConfigurationError
from antiphon.agents.fields.answer import UNREAD, Found, Partial, Refused
from antiphon.agents.fields.email import EmailReader
from antiphon.agents.fields.spoken import spoken_email
from antiphon.agents.fields.texts import texts
from antiphon.turns.languages.en import UNITS

READER = EmailReader()
ENGLISH = texts("en")
SIGNS = {".": "dot", "_": "underscore", "-": "dash", "+": "plus"}
AS_IN = dict(zip("abcdefghijklmnopqrstuvwxyz", ["apple", "boy", "cat", "dog", "egg", "fish", "goat", "house", "ink", "jam", "king", "lion", "mouse", "nose", "orange", "pear", "queen", "rose", "sun", "tree", "umbrella", "van", "water", "xylophone", "yard", "zebra"], strict=True))  # fmt: skip


@pytest.mark.parametrize(
    ("said", "address"),
    [
        ("john dot smith at gmail dot com", "john.smith@gmail.com"),
        ("It's john.smith@gmail.com.", "john.smith@gmail.com"),
        ("My e-mail is John Smith @gmail.com", "johnsmith@gmail.com"),
        ("J O H N at gmail.com", "john@gmail.com"),
        ("J. O. H. N. dot smith at g mail dot com please, thank you", "john.smith@gmail.com"),
        ("john smith, spelled j o h n s m i t h, at gmail dot com", "johnsmith@gmail.com"),
        ("john, that's j o n, at gmail dot com", "jon@gmail.com"),
        ("j-o-h-n at outlook dot co dot uk", "john@outlook.co.uk"),
        ("double u i l l at example dot com", "will@example.com"),
        ("w as in whiskey, b for bravo, forty two at mail dot acme widgets dot com", "wb42@mail.acmewidgets.com"),
        ("it's nine o nine at aol dot com", "909@aol.com"),
        ("bob at gmail", "bob@gmail.com"),
        ("bob at example com", "bob@example.com"),
        ("alpha bravo charlie at example dot org", "abc@example.org"),
        ("you can email me at bob underscore builder ninety nine at hotmail dot com", "bob_builder99@hotmail.com"),
        ("Anna at yahoo.com and my number is five five five", "anna@yahoo.com"),
        ("j underscore doe at web dot d e", "j_doe@web.de"),
        ("e m i l at example dot com", "emil@example.com"),
        ("capital J o e at example dot com", "joe@example.com"),
        ("info at a b c dot com", "info@abc.com"),
        ("It's e, r, i, k, dot s, m, I t, h, and outlook dot com.", "erik.smith@outlook.com"),
        ("It's e-r-i-k dot s-m Ith and outlook dot com.", "erik.smith@outlook.com"),
        ("Be as in boy, o, b at Jamail Dot Com,", "bob@gmail.com"),
        ("anna dart b at example dotcom", "anna.b@example.com"),
        ("wait, my e-mail is wrong, it's anna at gmail", "anna@gmail.com"),
        ("please write to my wife, her address is ann dot b at example dot com", "ann.b@example.com"),
    ],
)
def test_an_address_is_read(said: str, address: str) -> None:
    assert READER.read(said, "en") == Found(address)


@pytest.mark.parametrize(
    ("tag", "said", "address"),
    [
        ("de", "anna punkt müller ät web punkt de", "anna.müller@web.de"),
        ("de", "b wie berta m wie martha ät gmx punkt de", "bm@gmx.de"),
        ("es", "juan guion bajo perez arroba gmail punto com", "juan_perez@gmail.com"),
        ("fr", "jean tiret luc arobase orange point fr", "jean-luc@orange.fr"),
    ],
)
def test_other_languages(tag: str, said: str, address: str) -> None:
    assert READER.read(said, tag) == Found(address)


@pytest.mark.parametrize(
    ("said", "missing"),
    [
        ("john dot smith", "domain"),
        ("j o h n", "domain"),
        ("at gmail dot com", "name"),
        ("bob@", "domain"),
        ("bob at outlook", "domain"),
    ],
)
def test_half_an_address_is_begun(said: str, missing: str) -> None:
    assert READER.read(said, "en") == Partial(missing)


@pytest.mark.parametrize(
    "said",
    [
        "what do you need it for?",
        "see you at seven",
        "call me at noon",
        "no",
        "",
        "?!",
        "thomas with a c at gmail dot com",
    ],
)
def test_what_is_no_address_is_left_alone(said: str) -> None:
    assert READER.read(said, "en") == UNREAD


def test_what_no_address_may_be_is_refused() -> None:
    assert READER.accept("john smith@gmail.com") == Refused("not_an_address")
    assert READER.accept("nobody") == Refused("not_an_address")
    assert READER.accept(" <John@Example.COM> ") == Found("john@example.com")


@pytest.mark.parametrize(
    ("said", "address"),
    [
        ("no, with a c", "eric.smith@gmail.com"),
        ("No, with a C..", "eric.smith@gmail.com"),
        ("it's c not k", "eric.smith@gmail.com"),
        ("c as in charlie, not k", "eric.smith@gmail.com"),
        ("c instead of k", "eric.smith@gmail.com"),
        ("erik with a c", "eric.smith@gmail.com"),
        ("smith with a y", "erik.smyth@gmail.com"),
        ("without the dot", "eriksmith@gmail.com"),
        ("no dot", "eriksmith@gmail.com"),
        ("Without the dart,", "eriksmith@gmail.com"),
        ("it's e r i c", "eric.smith@gmail.com"),
        ("it's smyth, s m y t h", "erik.smyth@gmail.com"),
        ("with two k's", "erikk.smith@gmail.com"),
        ("no, at yahoo dot com", "erik.smith@yahoo.com"),
        ("yahoo, not gmail", "erik.smith@yahoo.com"),
        ("dot co dot uk", "erik.smith@gmail.co.uk"),
        ("no, it's erik at example dot com", "erik@example.com"),
    ],
)
def test_a_correction_changes_what_was_read_back(said: str, address: str) -> None:
    assert READER.correct("erik.smith@gmail.com", said, "en") == Found(address)


@pytest.mark.parametrize("said", ["no", "with a p", "an i, not a t", "k, not c", "the other one"])
def test_a_correction_without_a_clear_place_changes_nothing(said: str) -> None:
    assert READER.correct("titia.smith@gmail.com", said, "en") == UNREAD


def test_without_the_library_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "email_validator", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'antiphon\[tasks\]'"):
        READER.accept("a@example.com")


LOCAL = st.from_regex(r"[a-z][a-z0-9]{1,7}([._\-+][a-z][a-z0-9]{0,7}){0,2}", fullmatch=True).filter(
    lambda local: re.search(r"\do\d", local) is None  # an "o" between digits is a zero to everybody
)
DOMAIN = st.sampled_from(
    ["gmail.com", "example.org", "mail.example.com", "acme-widgets.net", "b7.io", "web.de", "x.co.uk"]
)


def spelt(text: str) -> str:
    return " ".join(SIGNS.get(c) or (UNITS[int(c)] if c.isdigit() else c) for c in text)


def as_in(text: str) -> str:
    return " ".join(SIGNS.get(c) or (UNITS[int(c)] if c.isdigit() else f"{c} as in {AS_IN[c]}") for c in text)


def initials(text: str) -> str:
    return ", ".join(SIGNS.get(c, c.upper()) for c in text)


@given(
    LOCAL,
    DOMAIN,
    st.sampled_from([spelt, as_in, initials]),
    st.sampled_from(["", "it's ", "my e-mail address is ", "um, yes, "]),
)
def test_whatever_is_spelt_is_what_is_read(local: str, domain: str, form: object, lead: str) -> None:
    assert callable(form)
    said = f"{lead}{form(local)} at {domain.replace('.', ' dot ').replace('-', ' dash ').replace('7', ' seven ')}"
    assert READER.read(said, "en") == Found(f"{local}@{domain}")


@given(LOCAL, DOMAIN, st.sampled_from(["{}", "It's {}.", "My e-mail is {}, thanks.", "{} please"]))
def test_what_is_written_already_is_read(local: str, domain: str, form: str) -> None:
    assert READER.read(form.format(f"{local}@{domain}"), "en") == Found(f"{local}@{domain}")


@given(LOCAL, DOMAIN)
def test_what_the_agent_reads_back_is_the_address(local: str, domain: str) -> None:
    assert ENGLISH is not None
    assert READER.read(spoken_email(f"{local}@{domain}", ENGLISH), "en") == Found(f"{local}@{domain}")


@given(st.text(max_size=80))
def test_no_words_break_the_reader(said: str) -> None:
    for tag in ("en", "de", "es", "fr", "ja", ""):
        READER.read(said, tag)
        READER.correct("erik.smith@gmail.com", said, tag)


@pytest.mark.parametrize(
    ("said", "address"),
    [
        ("john at example dot com no wait jon at example dot com", "jon@example.com"),
        ("john at example dot com sorry jon dot smith at example dot com", "jon.smith@example.com"),
        ("john@example.com, no, jon@example.com", "jon@example.com"),
        ("john@example.com, john@example.com", "john@example.com"),
    ],
)
def test_the_address_that_is_meant_instead_counts(said: str, address: str) -> None:
    assert READER.read(said, "en") == Found(address)


@pytest.mark.parametrize(
    "said",
    ["john@example.com or jon@example.com", "john at gmail dot com is my work one, use bob at home dot com"],
)
def test_of_two_addresses_none_is_guessed(said: str) -> None:
    assert READER.read(said, "en") == UNREAD


def test_what_the_caller_said_is_spelt_again() -> None:
    assert READER.correct("john@gmail.com", "no I said joan j o a n", "en") == Found("joan@gmail.com")
